"""Running commands attached to this terminal."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from experiments import commands
from experiments.commands import run_attached
from tests.waiting import HUNG, alive


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_commands_run_in_parallel_up_to_at_once(tmp_path):
    # Each waits for a file that the other writes: run in sequence, the first would wait forever.
    waiting = "import pathlib, time; pathlib.Path('{}').touch()\nwhile not pathlib.Path('{}').exists(): time.sleep(.01)"
    pair = (python(waiting.format("a", "b")), python(waiting.format("b", "a")))
    assert run_attached(*pair, folder=tmp_path, at_once=2) == 0


def test_commands_run_one_after_another_by_default(tmp_path):
    alone = "import os, time; os.mkdir('busy'); time.sleep(.2); os.rmdir('busy')"
    assert run_attached(*[python(alone)] * 3, folder=tmp_path) == 0


def test_after_a_failure_running_commands_finish_and_no_further_one_starts(tmp_path):
    slow = python("import time; time.sleep(1); open('finished', 'w')")
    failing = python("raise SystemExit(7)")
    never = python("open('never', 'w')")
    assert run_attached(slow, failing, never, folder=tmp_path, at_once=2) == 7
    assert [file.name for file in tmp_path.iterdir()] == ["finished"]


def test_commands_that_ignore_an_interrupt_end_by_sigterm(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "GRACE_SECONDS", 0.3)
    deaf = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
open(f"{os.getpid()}.deaf", "w")
time.sleep(60)
open("finished", "w")
"""

    def interrupted(running, timeout=None):
        if timeout == commands.POLL_SECONDS and list(tmp_path.glob("*.deaf")):
            raise KeyboardInterrupt
        return wait_procs(running, timeout=timeout)

    wait_procs = psutil.wait_procs
    monkeypatch.setattr(psutil, "wait_procs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_attached(python(deaf), folder=tmp_path)
    assert not any(alive(int(file.stem)) for file in tmp_path.glob("*.deaf"))
    assert not (tmp_path / "finished").exists()


@pytest.mark.parametrize("whole_group", [True, False], ids=["Ctrl-C in a terminal", "SIGINT to the parent only"])
def test_an_interrupt_ends_every_running_command(tmp_path, whole_group):
    # Like `dvc repro`, the command does its work in a child process.
    work = "import os, time\nopen(f'{os.getpid()}.working', 'w')\ntime.sleep(60)"
    command = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {work!r}]))"
    parent = f"""
import sys
from pathlib import Path
from experiments.commands import run_attached
run_attached(*[(sys.executable, "-c", {command!r})] * 2, folder=Path({str(tmp_path)!r}), at_once=2)
"""
    process = subprocess.Popen(
        # A background parent may have SIGINT ignored, which a child inherits.
        python(f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{parent}"),
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    while len(list(tmp_path.glob("*.working"))) < 2:
        time.sleep(0.05)
        assert process.poll() is None
    if whole_group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=HUNG) == -signal.SIGINT
    assert not any(alive(int(file.stem)) for file in tmp_path.glob("*.working"))
