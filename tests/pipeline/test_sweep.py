"""A sweep through DVC's queue, with jobs that fail, and the same experiments in MLflow."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from tests.miniature import TRAINED, Project
from tests.waiting import wait_until


def trainings(project: Project, method: str) -> Iterator[psutil.Process]:
    """Processes that train the method in a job of the project's queue."""
    for process in psutil.process_iter():
        try:
            command, folder = process.cmdline(), Path(process.cwd())
        except (psutil.Error, OSError):
            continue
        if command[-2:] == ["stages.train", method] and project.folder / ".dvc" in folder.parents:
            yield process


def kill_a_training(project: Project, method: str) -> bool:
    for process in trainings(project, method):
        process.send_signal(signal.SIGKILL)
        return True
    return False


@pytest.fixture(scope="module")
def sweep(project) -> dict[str, str]:
    """Queue two valid widths, one invalid and one whose training is killed; state per experiment."""
    for change, name, *targets in (
        # Only up to the training that is killed.
        ("kernel.width=20", "dies", "train@bsn_ik"),
        ("kernel.width=0", "refused"),
        ("kernel.width=5", "width-5"),
        # The width that the workspace already has.
        ("kernel.width=10", "width-10"),
    ):
        project.run("dvc", "exp", "run", "--queue", "--set-param", change, "--name", name, *targets)
    # The worker inherits these streams and keeps them open.
    project.run("sh", "-c", "dvc queue start > /dev/null 2>&1")
    wait_until(lambda: kill_a_training(project, "bsn_ik"), every=0.2)
    wait_until(
        lambda: not re.search(r"Running|Queued|[1-9] (active|idle)", project.run("dvc", "queue", "status")), every=5
    )
    return dict(re.findall(r"^\w{7} +(\S+) .* (\w+)$", project.run("dvc", "queue", "status"), re.MULTILINE))


def test_a_sweep_keeps_all_results_despite_failing_jobs_and_reports_why_they_failed(project, sweep):
    assert sweep == {
        "dies": "Failed",
        "refused": "Failed",
        "width-5": "Success",
        "width-10": "Success",
    }
    _, commit = json.loads(project.run("dvc", "exp", "show", "--json", "--hide-failed"))
    shown = {entry["name"]: entry["revs"][0]["data"] for entry in commit["experiments"]}
    for width in (5, 10):
        data = shown[f"width-{width}"]
        assert data["params"]["params.yaml"]["data"]["kernel"]["width"] == width
        assert {method for file in data["metrics"].values() for method in file["data"]} >= set(TRAINED)
    # 10 is the commit's own width: nothing ran, and the numbers are the commit's.
    assert shown["width-10"]["metrics"] == commit["data"]["metrics"]
    project.run("dvc", "queue", "logs", "width-10")
    assert project.stages_that_ran() == set()
    project.run("dvc", "queue", "logs", "width-5")
    bases = {f"train_base@deeplab-soft-{weight}" for weight in ("uniform", "global")}
    reached = {"labels@soft", *bases, "train@bsn_ik", "train@bsn", "evaluate@bsn_ik", "evaluate@bsn"}
    assert project.stages_that_ran() == {"check", *reached, "tables", "figures", "report", "record"}

    table = project.run("python", "-m", "experiments.compare")
    assert re.search(r"^width-5 +kernel.width=5 +\d", table, re.MULTILINE)
    assert re.search(r"^width-10 +nothing +\d", table, re.MULTILINE)
    assert "\nrefused: check: kernel.width = 0 is refused; allowed: pixels of the 800x600 frame" in table
    assert "\ndies: python -m stages.train bsn_ik was ended by SIGKILL; queue it again" in table
    assert project.run("git", "status", "--porcelain") == ""


def test_mlflow_and_dvc_agree_on_every_experiment_including_the_cached_one(project, sweep):
    project.run("python", "-m", "experiments.sync")
    _, commit = json.loads(project.run("dvc", "exp", "show", "--json", "--hide-failed"))
    shown = {}
    for entry in commit["experiments"]:
        data = entry["revs"][0]["data"]
        numbers = {
            f"{method}/{measure}": value
            for file in data["metrics"].values()
            for method, measured in file["data"].items()
            for measure, value in measured.items()
        }
        shown[entry["name"]] = (data["params"]["params.yaml"]["data"]["kernel"]["width"], numbers)

    client = MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("bsn-mini").experiment_id
    studies = client.search_runs([experiment], "tags.kind = 'study' and tags.dvc.experiment != ''")
    told = {run.info.run_name: (int(run.data.params["kernel.width"]), run.data.metrics) for run in studies}
    finished = {name: told[name] for name in shown}
    assert finished == shown
    # The killed job may have a run too, without metrics.
    statuses = {run.info.run_name: (run.info.status, run.data.metrics) for run in studies}
    assert statuses.get("dies", ("FAILED", {})) == ("FAILED", {})  # if it got that far
    assert set(statuses) - set(shown) <= {"dies"}

    names = {run.info.run_id: run.info.run_name for run in client.search_runs([experiment], max_results=500)}
    for study in studies:
        parts = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{study.info.run_id}'")
        origins = {run.info.run_name: names.get(run.data.tags.get("trained_in")) for run in parts}
        if study.info.run_name == "width-10":
            assert origins == {"mean_mask": None, "graph_cut": None, **{name: name for name in TRAINED}}
        elif study.info.run_name != "dies":
            untrained = set(TRAINED) - {"bsn", "bsn_ik"}
            fresh = dict.fromkeys(("mean_mask", "graph_cut", "bsn", "bsn_ik"))
            assert origins == {**fresh, **{name: name for name in untrained}}
    # A second sync has nothing to add.
    assert "studies newly logged to mlflow.db: 0" in project.run("python", "-m", "experiments.sync")
