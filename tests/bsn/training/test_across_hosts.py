"""Two hosts, each with its own torchrun and its own disk, against one process with all of the batch."""

import json
import os
import re
import signal
from contextlib import ExitStack

import pytest
from safetensors.torch import load_file

from bsn.errors import InputError
from tests.bsn.training.program import STEPS, program
from tests.hosts import Host, two_hosts
from tests.processes import exit_code, exit_codes
from tests.waiting import HUNG, wait_until

LOST = 4  # the step in which the second process is lost
LINE = r"process 0 of 2 lost another one, or never connected to it \(.*{}.*\); read the other's message, then start .*"


@pytest.fixture
def hosts(tmp_path):
    with ExitStack() as stack:
        try:
            made = stack.enter_context(two_hosts(tmp_path))
        except OSError as reason:
            pytest.skip(f"needs network namespaces, which root can make on Linux: {reason}")
        yield made


def start(hosts, **options):
    """torchrun on each, as the README has it."""
    main = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", hosts[0].address, "--master-port", "29577"]
    what = ["--module", "tests.bsn.training.program", json.dumps(options)]
    return [host.start("torchrun", *main, "--node-rank", str(rank), *what) for rank, host in enumerate(hosts)]


def wait_until_it_hangs(host: Host):
    wait_until((host.folder / "lost").exists)
    (host.folder / "lost").unlink()


def work(folder, options="{}"):
    """One process's run; the message of its InputError is in a file of its number."""
    os.chdir(folder)
    try:
        program(options)
    except InputError as error:
        (folder / f"{os.environ['RANK']}.error").write_text(str(error))
        raise


def test_two_hosts_end_where_one_process_does_and_go_on_after_one_of_them_was_lost(tmp_path, hosts):
    first, second = hosts

    # Nobody hears of a cable that is pulled: only patience ends the waiting. Both must also have started within it.
    survivor, other = start(hosts, lost=LOST, patience=40)
    wait_until_it_hangs(second)
    second.pull_cable()
    said, _ = survivor.communicate(timeout=HUNG)
    assert survivor.returncode == 1
    (line,) = [line for line in said.splitlines() if line.startswith("program: ")]
    assert re.fullmatch("program: " + LINE.format("(Timed out|timeout)"), line)
    second.power_off()
    other.communicate(timeout=HUNG)
    second.plug_cable()

    together = start(hosts)
    said = "".join(process.communicate(timeout=HUNG)[0] for process in together)
    assert [process.returncode for process in together] == [0, 0], said
    # The second host's disk never had a checkpoint, and it went on from the first one's.
    assert re.findall(r"step (\d+) of 2", said) == [str(step) for step in range(LOST + 1, STEPS + 1)]
    assert [path for path in (first.folder / "checkpoints").iterdir() if path.is_dir()] == []
    assert list(second.folder.iterdir()) == []

    (tmp_path / "alone").mkdir()
    assert exit_code(work, tmp_path / "alone") == 0
    file = "models/toy/weights.safetensors"
    expected, weights = load_file(tmp_path / "alone" / file), load_file(first.folder / file)
    assert max((expected[name].double() - weights[name].double()).abs().max().item() for name in expected) <= 1e-5


def test_a_killed_process_is_one_line_in_the_other_one(tmp_path):
    assert exit_codes(2, work, tmp_path, json.dumps({"killed": LOST})) == [1, -signal.SIGKILL]
    # Which of the two it hears is a matter of chance.
    heard = LINE.format("(Connection closed|Connection reset|Broken pipe)")
    assert re.fullmatch(heard, (tmp_path / "0.error").read_text())


def test_a_process_with_another_photo_is_refused_by_all(tmp_path):
    assert exit_codes(2, work, tmp_path, json.dumps({"other": 1})) == [1, 1]
    for rank in (0, 1):
        assert (tmp_path / f"{rank}.error").read_text() == (
            "process 1 of 2 has other photos, parameters or code than process 0; give every host the same commit "
            "and the same data/"
        )
