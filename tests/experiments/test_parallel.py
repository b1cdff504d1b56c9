"""Methods that `make repro` trains and evaluates in parallel."""

import shutil
import signal
from pathlib import Path

import psutil
import pytest
from dvc.repo import Repo
from networkx import descendants

from experiments import parallel
from experiments.parallel import INPUTS, run_methods, stage_chains
from study.params import load

ROOT = Path(__file__).parents[2]
HARD_GLOBAL = ["train_base@deeplab-hard-global", "train@bsn_gk", "evaluate@bsn_gk"]
GRAPH_CUT = ["baselines@graph_cut", "evaluate_baselines@graph_cut"]


@pytest.fixture
def machine(monkeypatch):
    """A machine of four cores on which BSN_GK and Graph-cut are due; what is run is recorded.

    Attributes can be changed: `cores`, `gpu`, `changed` stages, exit `statuses` of the calls of run_attached.
    """

    class Machine:
        cores, gpu, changed, statuses = 4, False, {"train@bsn_gk", "baselines@graph_cut"}, (0, 0)
        ran = None

    machine = Machine()
    machine.ran = []

    def run_attached(*commands, folder, at_once=1):
        machine.ran.append(([list(command[command.index("repro") :]) for command in commands], at_once))
        return machine.statuses[len(machine.ran) - 1]

    monkeypatch.setattr(parallel, "cores", lambda: machine.cores)
    monkeypatch.setattr(parallel, "has_gpu", lambda: machine.gpu)
    monkeypatch.setattr(parallel, "changed_stages", lambda root: machine.changed)
    monkeypatch.setattr(parallel, "run_attached", run_attached)
    monkeypatch.setattr(parallel, "COMPILE_MATTING", "")
    return machine


def test_shared_inputs_run_first_and_then_one_command_per_chain_that_is_due(machine):
    assert run_methods(ROOT) == 0
    assert machine.ran == [
        ([["repro", *INPUTS]], 1),
        ([["repro", "--single-item", *HARD_GLOBAL], ["repro", "--single-item", *GRAPH_CUT]], 4),
    ]


@pytest.mark.parametrize(
    ("name", "value"), [("cores", 1), ("gpu", True), ("changed", set())], ids=["one core", "a GPU", "nothing changed"]
)
def test_nothing_runs_in_parallel_on(machine, name, value):
    setattr(machine, name, value)
    assert run_methods(ROOT) == 0
    assert machine.ran == []


def test_invalid_parameters_are_left_to_dvc_repro(machine, tmp_path):
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text().replace("  width: 10", "  width: 0"))
    assert run_methods(tmp_path) == 0
    assert machine.ran == []


@pytest.mark.parametrize(("statuses", "calls"), [((1, 0), 1), ((0, 1), 2)], ids=["an input fails", "a method fails"])
def test_a_failure_is_returned_and_nothing_follows_it(machine, statuses, calls):
    machine.statuses = statuses
    assert run_methods(ROOT) == 1
    assert len(machine.ran) == calls


def test_pymatting_is_imported_in_a_process_of_its_own():
    with parallel.matting_compiled() as process:
        assert process.wait() == 0
        assert "pymatting" in parallel.COMPILE_MATTING


def test_the_process_that_imports_pymatting_ignores_ctrl_c_and_ends_with_the_block(monkeypatch, capfd):
    ready = "print('ready', flush=True); time.sleep(60)"
    monkeypatch.setattr(
        parallel, "COMPILE_MATTING", parallel.COMPILE_MATTING.replace("import pymatting", f"import time; {ready}")
    )
    with parallel.matting_compiled() as process:
        while "ready" not in capfd.readouterr().out:
            assert process.is_running()
        process.send_signal(signal.SIGINT)
        with pytest.raises(psutil.TimeoutExpired):
            process.wait(timeout=0.5)
    assert process.wait() == -signal.SIGTERM


def test_methods_that_share_phase_one_are_in_one_chain():
    assert [
        "train_base@deeplab-hard-uniform",
        "train@portrait_deeplab",
        "evaluate@portrait_deeplab",
        "train@bsn_ac",
        "evaluate@bsn_ac",
    ] in stage_chains(load(ROOT))


@pytest.fixture(scope="module")
def needs():
    """All stages that each stage of dvc.yaml depends on, directly or not."""
    with Repo(str(ROOT)) as repo:
        graph = repo.index.graph
        return {stage.name: {other.name for other in descendants(graph, stage)} for stage in graph}


def test_chains_cover_all_methods_of_dvc_yaml(needs):
    methods = {name for name in needs if name.startswith(("train", "evaluate", "baselines"))}
    assert {name for stages in stage_chains(load(ROOT)) for name in stages} == methods


def test_chains_need_only_the_inputs_and_their_own_earlier_stages(needs):
    inputs = {name for name in needs if name.partition("@")[0] in INPUTS}
    inputs |= {other for name in inputs for other in needs[name]}
    for stages in stage_chains(load(ROOT)):
        for place, name in enumerate(stages):
            assert needs[name] <= inputs | set(stages[:place]), name
