"""How many processes train, and where, under whatever has started them; Slurm's part under the real Slurm."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning_fabric.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment
from safetensors.torch import load_file

from bsn.errors import InputError
from bsn.training import launch
from tests.bsn.training.program import program
from tests.processes import exit_code
from tests.slurm import cluster
from tests.waiting import HUNG

ROOT = Path(__file__).parents[3]
# What Slurm 22.05 was seen to set: in a batch script or salloc's shell of a job of four, and in what srun starts there.
JOB = {"SLURM_NTASKS": "4", "SLURM_NNODES": "2", "SLURM_PROCID": "0", "SLURM_NODELIST": "n[1-2]", "SLURM_JOB_ID": "7"}
STEP = {
    **JOB,
    "SLURM_JOB_NAME": "interactive",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_STEP_NODELIST": "n[1-2]",
}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "1", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "6"}
STARTED = {
    "nobody": ({}, LightningEnvironment, None, 1),
    "torchrun": (TORCHRUN, TorchElasticEnvironment, 2, 3),
    "torchrun, by srun": ({**STEP, **TORCHRUN}, TorchElasticEnvironment, 2, 3),
    "a batch script, without srun": (JOB, LightningEnvironment, None, 1),
    "srun, one process": ({**STEP, "SLURM_STEP_NUM_TASKS": "1"}, LightningEnvironment, None, 1),
    "srun on two hosts": (STEP, SLURMEnvironment, 2, 2),
    "srun on one of the job's two hosts": (
        {**STEP, "SLURM_STEP_NUM_TASKS": "3", "SLURM_STEP_TASKS_PER_NODE": "3", "SLURM_STEP_NODELIST": "n2"},
        SLURMEnvironment,
        3,
        1,
    ),
}


@pytest.fixture
def started(monkeypatch):
    """The answer to who has started this process, under these variables and no terminal."""

    def started(variables):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "TORCHELASTIC"))}
        monkeypatch.setattr(os, "environ", {**kept, **variables})
        monkeypatch.setattr(os, "isatty", lambda _: False)
        return launch._launcher()

    return started


@pytest.mark.parametrize("by", STARTED)
def test_the_number_of_processes_is_the_launchers(started, by):
    variables, kind, local, nodes = STARTED[by]
    environment, *found = started(variables)
    assert type(environment) is kind
    assert found == [local, nodes]
    environment.validate_settings(local or 1, nodes)


def test_a_step_of_one_of_the_job_s_hosts_has_that_one_as_its_main_address(started):
    environment, *_ = started(STARTED["srun on one of the job's two hosts"][0])
    assert environment.main_address == "n2"


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({**STEP, "SLURM_STEP_TASKS_PER_NODE": "3,1"}, "srun has spread 4 processes as 3,1; start as many on each"),
        ({**TORCHRUN, "WORLD_SIZE": "3"}, "2 of 3 processes are on this host; start as many on each"),
    ],
)
def test_hosts_with_different_numbers_of_processes_are_refused(started, variables, line):
    with pytest.raises(InputError, match=line):
        started(variables)


def test_a_terminal_from_srun_is_one_process(started, monkeypatch):
    started({})
    monkeypatch.setattr(os, "environ", {**os.environ, **STEP})
    monkeypatch.setattr(os, "isatty", lambda stream: stream == 0)
    assert launch._launcher()[1:] == (None, 1)


def test_a_first_host_without_an_address_is_refused():
    with pytest.raises(InputError, match=r"^the first host, nowhere\.invalid, has no address here \("):
        launch._choose_interface("nowhere.invalid")


class Launched(Exception):
    """Raised in place of Fabric's start, with the number of processes."""


@pytest.mark.parametrize(
    ("gpus", "devices", "processes"), [(0, None, 1), (0, 4, 1), (1, 4, 1), (4, 2, 2), (4, None, 4), (4, 1, 1)]
)
def test_without_a_launcher_there_is_one_process_per_gpu_up_to_the_maximum(monkeypatch, gpus, devices, processes):
    def start(**options):
        raise Launched(options["devices"])

    monkeypatch.setattr(launch, "enable_determinism", lambda: None)
    monkeypatch.setattr(launch, "_launcher", lambda: (LightningEnvironment(), None, 1))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(launch, "Fabric", start)
    with pytest.raises(Launched) as started:
        launch.launch(threads=1, devices=devices)
    assert started.value.args == (processes,)


@pytest.mark.parametrize(
    ("message", "reason"),
    [("", "DistError"), ("Connection reset\nby its peer", "DistError: Connection reset")],
)
def test_a_lost_process_is_reported_in_one_line_with_torch_s_reason_if_there_is_one(message, reason):
    fabric = SimpleNamespace(global_rank=1, world_size=2)
    with pytest.raises(InputError) as told, launch.report_lost_process(fabric):
        raise torch.distributed.DistError(message)
    beginning = "process 1 of 2 lost another one, or never connected to it "
    assert str(told.value).startswith(f"{beginning}({reason}); read the other's message")


def threads_of_one_process(wanted):
    launch.launch(threads=wanted, devices=1)
    assert torch.get_num_threads() == wanted
    assert torch.are_deterministic_algorithms_enabled()


def test_one_process_has_the_given_number_of_threads(monkeypatch):
    assert exit_code(threads_of_one_process, 3) == 0


@pytest.fixture
def slurm():
    with ExitStack() as stack:
        try:
            variables = stack.enter_context(cluster())
        except OSError as reason:
            pytest.skip(f"needs Slurm and root (apt-get install slurm-wlm munge): {reason}")
        yield variables


def test_two_processes_of_srun_end_where_one_does_and_a_job_without_srun_runs_alone(tmp_path, slurm):
    runs = {"srun": ["srun", "--ntasks", "2"], "salloc": ["salloc", "--quiet", "--ntasks", "2"]}
    said = {}
    for name, command in runs.items():
        (tmp_path / name).mkdir()
        done = subprocess.run(
            [*command, sys.executable, "-m", "tests.bsn.training.program", "{}"],
            cwd=tmp_path / name,
            env={**os.environ, **slurm, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=HUNG,
        )
        said[name] = done.stdout + done.stderr
        assert done.returncode == 0, said[name]
    processes = {name: set(re.findall(r"of (\d) processes", text)) for name, text in said.items()}
    assert processes == {"srun": {"2"}, "salloc": {"1"}}
    two, one = (load_file(tmp_path / name / "models/toy/weights.safetensors") for name in runs)
    assert max((one[name].double() - two[name].double()).abs().max().item() for name in one) <= 1e-5


def train_deterministically_or_not(folder, deterministic):
    folder.mkdir()
    os.chdir(folder)
    if not deterministic:
        launch.enable_determinism = lambda: None
    program("{}")


def test_the_deterministic_modes_change_no_byte_of_a_training_on_a_processor(tmp_path):
    weights = []
    for deterministic in (True, False):
        folder = tmp_path / str(deterministic)
        assert exit_code(train_deterministically_or_not, folder, deterministic) == 0
        weights.append((folder / "models/toy/weights.safetensors").read_bytes())
    assert weights[0] == weights[1]
