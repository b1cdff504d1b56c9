"""Each way in which a command can end, in processes of their own."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bsn import program
from bsn.errors import InputError
from tests.waiting import HUNG, alive, wait_until

ROOT = Path(__file__).parents[2]
# Written at once: two processes share the pipe, and print may write a line's end by itself.
TRY = "try: os.write(1, b'tries\\n'); time.sleep(60)"
# A command of the project: python -m shop.sell, whose import takes a while, and whose work can be heard to begin.
SELL = """
import os, sys, time
if __name__ == "__main__": print("imports", flush=True)
{imports}
from bsn import program

def sell():
    print("works", flush=True)
    {work}

if __name__ == "__main__":
    program.run(sell, name="sell", again="sell again")
"""


@pytest.fixture
def started(tmp_path):
    """A process of the command, in a group of its own, that has come to the print of `until`."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").write_text("from bsn import program\nprogram.begin()\n")
    processes = []

    def start(until, *, imports="", work="time.sleep(60)", prefix=(), **variables):
        (tmp_path / "shop/sell.py").write_text(SELL.format(imports=imports, work=work))
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "shop.sell"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        while until not in (line := process.stdout.readline()):
            assert line
        return process

    yield start
    for process in processes:
        if group_lives(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def ended(process):
    _, told = process.communicate(timeout=HUNG)
    return process.returncode, told


def group_lives(number):
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


def run(command, capsys):
    with pytest.raises(SystemExit) as caught:
        program.run(command, name="sell", again="sell again")
    return caught.value.code, capsys.readouterr().err


def test_bad_input_is_one_line_and_a_failure(capsys):
    def sell():
        raise InputError("coco is bad")

    assert run(sell, capsys) == (1, "sell: coco is bad\n")


def test_a_full_disk_is_one_line(capsys):
    def sell():
        # A device whose writes the kernel answers as a full disk does.
        with open("/dev/full", "wb", buffering=0) as stream:
            stream.write(b"x")

    status, told = run(sell, capsys)
    assert status == 1
    assert told == "sell: the disk is full; free some space and run the same command again\n"


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError("x"), OSError(errno.EACCES, "x"), ValueError("x"), BrokenPipeError(errno.EPIPE, "a connection")],
)
def test_other_errors_keep_their_traceback(error, capsys):
    def sell():
        raise error

    with pytest.raises(type(error)):
        program.run(sell, name="sell")


@pytest.mark.parametrize(
    ("number", "status", "line"),
    [
        (signal.SIGINT, 130, "sell: interrupted; sell again\n"),
        (signal.SIGTERM, 143, "sell: ended by SIGTERM; sell again\n"),
    ],
)
def test_a_signal_ends_the_command_with_one_line_after_its_cleanup(started, number, status, line):
    work = "\n    ".join((TRY, "finally:", "    time.sleep(.5)", "    print('closed', file=sys.stderr, flush=True)"))
    process = started("tries", work=work)
    process.send_signal(number)
    assert ended(process) == (status, f"closed\n{line}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_still_imports_ends_it_at_once_with_one_line(started, number):
    process = started("imports", imports="time.sleep(60)")
    process.send_signal(number)
    told = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended by SIGTERM"}[number]
    assert ended(process) == (128 + number, f"sell: {told}; run the same command again\n")


def test_a_library_that_swallows_the_signal_does_not_turn_it_into_success(started):
    process = started("tries", work="\n    ".join((TRY, "except KeyboardInterrupt: pass")))
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "sell: interrupted; sell again\n")


def test_a_signal_within_an_import_comes_after_it(started, tmp_path):
    # As a compiled module does, whose import is tried.
    (tmp_path / "slow.py").write_text(
        "import os, time\nTRY\nexcept KeyboardInterrupt: raise ImportError\n".replace("TRY", TRY.replace("60", "1"))
    )
    work = "\n    ".join(("try: import slow", "except ImportError: print('lost', file=sys.stderr)", "time.sleep(60)"))
    process = started("tries", work=work)
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "sell: interrupted; sell again\n")


def test_an_error_that_follows_from_the_signal_is_not_printed(started):
    process = started("tries", work="\n    ".join((TRY, "finally: raise ValueError")))
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "sell: interrupted; sell again\n")


def test_a_second_signal_ends_it_at_once_but_not_one_that_is_sent_twice(started):
    work = "\n    ".join((TRY, "finally: print('closes', flush=True); time.sleep(60)"))
    process = started("tries", work=work)
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "closes\n"
    process.send_signal(signal.SIGTERM)
    time.sleep(program.SAME_SIGNAL + 0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "sell: interrupted; sell again\n")


def test_a_job_in_the_background_that_ignores_ctrl_c_goes_on_ignoring_it(started):
    process = started("works", work="time.sleep(1)", prefix=("sh", "-c", "trap '' INT; exec \"$@\"", "sh"))
    process.send_signal(signal.SIGINT)
    assert ended(process) == (0, "")


def test_of_several_processes_only_the_first_prints(started):
    first, second = started("works", RANK="0"), started("works", RANK="1")
    for process in (first, second):
        process.send_signal(signal.SIGINT)
    assert ended(first) == (130, "sell: interrupted; sell again\n")
    assert ended(second) == (130, "")


def test_forked_children_leave_the_line_to_their_parent(started):
    # As loader workers: they hear the terminal's Ctrl-C, and end when their parent ends them.
    work = "\n    ".join(
        (
            "import signal",
            "child = os.fork()",
            TRY,
            "finally: os.kill(child, signal.SIGTERM); print(os.waitstatus_to_exitcode(os.wait()[1]), file=sys.stderr)",
        )
    )
    process = started("tries", work=work)
    assert process.stdout.readline() == "tries\n"
    os.killpg(process.pid, signal.SIGINT)
    assert ended(process) == (130, "143\nsell: interrupted; sell again\n")


POOLS = {
    "worker processes": "for _ in ordered_map(wait, range(40), workers=2, imports='bsn.errors'): pass",
    "drawing processes": "draw_all(wait, range(40), label='photos', processes=2)",
    "threads": "for _ in threaded_map(wait, range(400)): pass",
}


IMPORTS = "\n".join(
    (
        "from drawn.files import draw_all",
        "from bsn.workers import ordered_map, threaded_map",
        "def wait(number): print('waits', flush=True); time.sleep(.2)",
    )
)


@pytest.mark.parametrize("until", ["works", "waits"])
@pytest.mark.parametrize("work", POOLS.values(), ids=POOLS)
def test_worker_processes_end_with_it_and_print_nothing(started, work, until):
    """As soon as the pool starts, and when its processes work: a terminal's Ctrl-C reaches them all."""
    process = started(until, imports=IMPORTS, work=work)
    os.killpg(process.pid, signal.SIGINT)
    status, told = ended(process)
    # Bars are told over and over; what else there is, is the line.
    assert (status, told.replace("\r", "\n").splitlines()[-1]) == (130, "sell: interrupted; sell again")
    assert "Traceback" not in told
    wait_until(lambda: not group_lives(process.pid))


@pytest.mark.parametrize("work", [POOLS["worker processes"], POOLS["drawing processes"]], ids=["worker", "drawing"])
def test_worker_processes_end_when_it_is_killed(started, work):
    process = started("waits", imports=IMPORTS, work=work)
    others = psutil.Process(process.pid).children(recursive=True)
    assert len(others) >= 2
    process.kill()
    process.wait()
    wait_until(lambda: not any(alive(other.pid) for other in others))


def test_a_character_that_the_terminal_cannot_encode_does_not_end_it(started):
    process = started("works", work="print('\\N{PLUS-MINUS SIGN}')", PYTHONIOENCODING="ascii")
    assert process.stdout.read() == "?\n"
    assert ended(process) == (0, "")


def test_other_programs_keep_their_own_signals():
    kept = signal.getsignal(signal.SIGINT)
    program.begin()
    assert signal.getsignal(signal.SIGINT) is kept


@pytest.mark.parametrize("lines", [1, 100_000], ids=["flushed at its end", "more than a pipe holds"])
def test_a_closed_output_pipe_ends_it_silently(lines):
    code = f"from bsn import program\nprogram.run(lambda: print('line\\n' * {lines}), name='sell')"
    process = subprocess.Popen(
        [sys.executable, "-c", f"input()\n{code}"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    _, errors = process.communicate(b"\n")
    assert (process.returncode, errors) == (128 + signal.SIGPIPE, b"")


def test_it_succeeds_without_a_standard_output():
    code = "from bsn import program; program.run(lambda: None, name='sell')"
    done = subprocess.run(f'{sys.executable} -c "{code}" >&-', shell=True, cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "options", [["-m", "shop.sell"], ["-mshop.sell"], ["-Bm", "shop.sell"], ["-W", "m", "-m", "shop.sell"]]
)
def test_the_command_is_named_however_python_was_given_its_module(tmp_path, options):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").write_text("from bsn import program\nprogram.begin()\n")
    (tmp_path / "shop/sell.py").write_text("from bsn.program import _Process\nprint(_Process.name)\n")
    done = subprocess.run(
        [sys.executable, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "sell\n")


def test_a_file_without_permission_is_one_line_that_names_it(capsys):
    def sell():
        raise PermissionError(errno.EACCES, "Permission denied", "shop/till")

    assert run(sell, capsys) == (1, "sell: shop/till cannot be read or written: Permission denied\n")
