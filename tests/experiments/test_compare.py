import os
import subprocess
import sys

import pytest
from rich.console import Console

from bsn.errors import InputError
from experiments import compare
from experiments.compare import Experiment, experiments, failure_in, table

REFUSED = """Reproducing experiment 'badwidth'
Running stage 'check':
> python -m stages.check
check: kernel.width = 0 is refused; allowed: pixels of the 800x600 frame, above 0, at most 36
ERROR: failed to reproduce 'check': failed to run: python -m stages.check, exited with 1
ERROR: failed to reproduce 'check': failed to run: python -m stages.check, exited with 1

"""
KILLED = """Running stage 'train@bsn':
> python -m stages.train bsn
train:  40%|####      | 344/860 [00:20<00:30, 17.0 steps/s]
ERROR: failed to reproduce 'train@bsn': failed to run: python -m stages.train bsn, exited with -9
"""
KILLED_IN_DASH = f"Killed\n{KILLED.replace('with -9', 'with 137')}"
WITH_A_BAR = """> python -m stages.train bsn
train:  40%|####  | 344/860\rtrain: the loss is not a number at iteration 344
ERROR: failed to reproduce 'train@bsn': failed to run: python -m stages.train bsn, exited with 1
"""


def shown(
    name: str, *, width: int = 10, profile: str = "sketch", iou: float = 0.9, executor: dict | None = None
) -> dict:
    """An entry of `dvc exp show --json`."""
    data = {
        "params": {
            "params.yaml": {"data": {"profile": profile, "kernel": {"width": width}}},
            f"profiles/{profile}.yaml": {
                "data": {
                    "networks": {"size": [64, 48] if profile == "sketch" else [800, 600]},
                    "validation": [2] if profile == "sketch" else [7, 29],
                    "instructions": "avx2" if profile == "sketch" else "native",
                }
            },
            # A parameter file that a stage writes: it follows from the other parameters.
            "data/labels/soft/kernel.json": {"data": {"width": float(width)}},
        },
        "metrics": {
            f"metrics/headline/{method}.json": {"data": {method: {"mean_iou": value, "boundary_iou": 0.4}}}
            for method, value in (("bsn", iou), ("portrait_deeplab", 0.85))
        },
    }
    return {"name": name, "revs": [{"rev": name, "data": data}], "executor": executor}


def of_commit(*entries: dict, working: bool = False) -> list[Experiment]:
    own = shown("main")["revs"][0]["data"]
    commit = {"rev": "2" * 40, "name": "main", "data": own, "experiments": list(entries)}
    return experiments([{"rev": "workspace", "data": own, "experiments": None}, commit], has_worker=lambda: working)


def printed(found: list[Experiment], method: str = "bsn") -> list[list[str]]:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table(found, method))
    return [line.split() for line in captured.get().splitlines()]


def test_rows_are_sorted_by_iou_with_changed_parameters_and_gain_in_per_cent():
    rows = printed(of_commit(shown("wide", width=15, iou=0.88), shown("narrow", width=5, iou=0.93)))
    assert rows[2] == ["narrow", "kernel.width=5", "93.0", "+8.0", "40.0", "0.0"]
    assert rows[3] == ["main", "nothing", "90.0", "+5.0", "40.0", "0.0"]
    assert rows[4] == ["wide", "kernel.width=15", "88.0", "+3.0", "40.0", "0.0"]


def test_the_baseline_has_no_gain_over_itself():
    assert printed(of_commit(), "portrait_deeplab")[2] == ["main", "nothing", "85.0", "-", "40.0", "-"]


def test_another_profile_is_shown_by_its_name_and_not_by_its_values():
    _, other = of_commit(shown("real", profile="lite"))
    assert other.changed == {"profile": "lite"}


def test_jobs_without_numbers_come_last_and_a_failed_one_has_a_reason(tmp_path):
    (tmp_path / "log").write_text(REFUSED)
    log = {"log": str(tmp_path / "log"), "pid": None}
    found = of_commit(
        shown("bad", width=0, executor={"state": "failed", "local": log}),
        shown("next", width=20, executor={"state": "queued", "local": None}),
        shown("done", iou=0.95, executor={"state": "success", "local": log}),
    )
    assert [row[0] for row in printed(found)[2:]] == ["done", "main", "bad", "next"]
    assert printed(found)[4] == ["bad", "kernel.width=0", "failed"]
    told = {one.name: one.reason for one in found if one.reason}
    assert told == {
        "bad": "check: kernel.width = 0 is refused; allowed: pixels of the 800x600 frame, above 0, at most 36"
    }


def test_a_running_job_without_process_and_worker_is_shown_as_dead():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    _, dead, lives = of_commit(
        shown("dead", executor={"state": "running", "local": {"pid": gone.pid}}),
        shown("lives", executor={"state": "running", "local": {"pid": os.getpid()}}),
    )
    assert (dead.state, lives.state) == ("dead", "running")
    assert "dvc queue kill dead" in dead.reason
    # The folder of a running job holds the commit's numbers until it writes its own.
    assert lives.metrics == {}
    # Its process has ended, but its worker has not yet collected the result.
    _, ending = of_commit(shown("ends", executor={"state": "running", "local": {"pid": gone.pid}}), working=True)
    assert (ending.state, ending.reason) == ("running", "")


def test_a_job_listed_as_both_running_and_queued_is_one_row():
    job = {"state": "running", "local": {"pid": os.getpid()}}
    found = of_commit(shown("next", executor=job), shown("next", executor={"state": "queued", "local": None}))
    assert [(one.name, one.state) for one in found] == [("main", ""), ("next", "running")]


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (REFUSED, "check: kernel.width = 0 is refused; allowed: pixels of the 800x600 frame, above 0, at most 36"),
        (WITH_A_BAR, "train: the loss is not a number at iteration 344"),
        (KILLED, "python -m stages.train bsn was ended by SIGKILL; queue it again: finished stages are kept"),
        (KILLED_IN_DASH, "python -m stages.train bsn was ended by SIGKILL; queue it again: finished stages are kept"),
        ("ERROR: failed to reproduce 'x': no such file\n", "failed to reproduce 'x': no such file"),
        ("Running stage 'train@bsn':\n", "its job was killed; queue it again: finished stages are kept"),
        ("", "its job was killed; queue it again: finished stages are kept"),
    ],
)
def test_failure_reason_is_the_last_message_of_the_stage_or_the_signal_that_ended_it(log, why):
    assert failure_in(log) == why


def test_a_method_that_no_experiment_has_is_refused(monkeypatch):
    monkeypatch.setattr(compare, "head", lambda folder: "")
    monkeypatch.setattr(compare, "dvc", lambda *arguments, folder: "[]")
    monkeypatch.setattr(compare, "experiments", lambda shown, has_worker: of_commit())
    with pytest.raises(InputError, match="method = 'unet' is refused; allowed: bsn, portrait_deeplab"):
        compare.compare("unet")
