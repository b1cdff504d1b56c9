"""Two hosts, each with its own torchrun and its own disk, against one process with all of the batch."""

import json
import os
import re
import time
from contextlib import ExitStack

import pytest
from safetensors.torch import load_file

from tests.hosts import Host, two_hosts
from tests.processes import exit_code
from tests.training_program import STEPS, program

LOST = 4  # the step in which the second host is lost
SECONDS = 60  # after which a host that has not come to its end hangs


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
    return [
        host.start(
            *("torchrun", *main, "--node-rank", str(rank), "--module", "tests.training_program", json.dumps(options))
        )
        for rank, host in enumerate(hosts)
    ]


def wait_until_it_hangs(host: Host):
    until = time.monotonic() + SECONDS
    while not (host.folder / "lost").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    (host.folder / "lost").unlink()


def one_line(said):
    (line,) = [line for line in said.splitlines() if line.startswith("program: ")]
    return line


def alone(folder):
    os.chdir(folder)
    program("{}")


def test_two_hosts_end_where_one_process_does_and_go_on_after_one_of_them_was_lost(tmp_path, hosts):
    first, second = hosts
    lost = r"program: process 0 of 2 has lost another, or never found it \(.*{}.*\); look at what that one says, and .*"

    survivor, _ = start(hosts, lost=LOST)
    wait_until_it_hangs(second)
    second.power_off()
    said, _ = survivor.communicate(timeout=SECONDS)
    assert survivor.returncode == 1
    assert re.fullmatch(lost.format("Connection"), one_line(said)), said

    # Nobody hears of a cable that is pulled: only patience ends the waiting.
    survivor, other = start(hosts, lost=LOST + 1, patience=4)
    wait_until_it_hangs(second)
    second.pull_cable()
    said, _ = survivor.communicate(timeout=SECONDS)
    assert survivor.returncode == 1
    assert f"step {LOST} of 2" not in said
    assert re.fullmatch(lost.format("Timed out"), one_line(said)), said
    second.power_off()
    other.wait(SECONDS)
    second.plug_cable()

    together = start(hosts)
    said = [process.communicate(timeout=SECONDS)[0] for process in together]
    assert [process.returncode for process in together] == [0, 0], said
    # The second host's disk never had a checkpoint, and it went on from the first one's.
    assert re.findall(r"step (\d+) of 2", "".join(said)) == [str(step) for step in range(LOST + 2, STEPS + 1)]
    assert list((first.folder / "checkpoints").iterdir()) == []
    assert list(second.folder.iterdir()) == []

    (tmp_path / "alone").mkdir()
    assert exit_code(alone, tmp_path / "alone") == 0
    expected, got = (
        load_file(folder / "models/toy/weights.safetensors") for folder in (tmp_path / "alone", first.folder)
    )
    assert max((expected[name].double() - got[name].double()).abs().max().item() for name in expected) <= 1e-5
