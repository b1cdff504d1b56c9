"""Outs of the pipeline: identical in a rerun clone, free of traces of the machine, and a clean git status."""

import os
import re

import pytest
import yaml
from mlflow import MlflowClient

from tests.miniature import ROOT, TRAINED, Project
from tests.traces import traces

# Stages whose outs the clone pulls from the first run's cache.
TAKEN = [
    *(f"train_base@deeplab-{kind}" for kind in ("hard-uniform", "hard-global", "soft-uniform")),
    *(f"{stage}@{name}" for stage in ("train", "evaluate") for name in TRAINED if name not in ("portrait_fcn", "bsn")),
]


@pytest.fixture(scope="module")
def twin(project, tmp_path_factory) -> Project:
    """A clone of the committed miniature, rerun on one core, in another time zone and with another hash seed.

    Only PortraitFCN+ and BSN are trained again: the other networks are parts of BSN, and would cost a minute.
    """
    made = Project(tmp_path_factory.mktemp("elsewhere") / "clone")
    project.run("git", "clone", "--quiet", str(project.folder), str(made.folder))
    made.run("dvc", "remote", "add", "--local", "--default", "first", str(project.folder / ".dvc/cache"))
    made.run("dvc", "pull", "--quiet", *TAKEN)
    available = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(available)})
    try:
        made.run("env", "TZ=Asia/Tokyo", "PYTHONHASHSEED=7", "dvc", "repro")
    finally:
        os.sched_setaffinity(0, available)
    made.first_output = made.output
    return made


def test_dvc_does_not_change_any_committed_gitignore(project):
    listed = project.run("git", "ls-files", "*.gitignore").splitlines()
    assert "reports/.gitignore" in listed
    for name in listed:
        assert (project.folder / name).read_text() == (ROOT / name).read_text(), name


def test_a_rerun_clone_has_the_same_outs_and_a_clean_git_status(project, twin):
    assert twin.first <= project.first - set(TAKEN)
    # FCN-8s's pretrained weights equal DeepLabv2's, which DVC has cached; all outs of `tables` are in git.
    assert project.first - set(TAKEN) - twin.first <= {"pretrained@fcn8s", "tables"}
    assert twin.run("git", "status", "--porcelain") == ""
    # DVC's hash of every out, in git or not.
    assert (twin.folder / "dvc.lock").read_bytes() == (project.folder / "dvc.lock").read_bytes()


def test_no_out_contains_traces_of_the_machine_or_the_time(twin):
    stages = yaml.safe_load((twin.folder / "dvc.lock").read_text())["stages"]
    outs = {twin.folder / out["path"] for stage in stages.values() for out in stage["outs"]}
    files = {file for out in outs for file in (out, *out.rglob("*")) if file.is_file()}
    # Raw data are in the official formats, which contain dates.
    files = {file for file in files if "raw" not in file.parts}
    assert {str(file): found for file in files if (found := traces(file))} == {}


def test_seconds_per_photo_are_printed_for_every_method_evaluated_in_the_clone(twin):
    shown = twin.run("python", "-m", "stages.timings")
    head = twin.run("git", "rev-parse", "HEAD")[:10]
    assert f"Commit {head}; torch" in shown
    rows = re.findall(r"^(\S+|Mean mask)(?: +[\d.]+){4}$", shown, re.MULTILINE)
    assert rows == ["Graph-cut", "PortraitFCN+", "BSN", "Mean mask"]


def test_mlflow_has_a_finished_study_of_a_clone_that_reproduces_the_committed_numbers(twin):
    client = MlflowClient(f"sqlite:///{twin.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("bsn-mini").experiment_id
    (study,) = client.search_runs([experiment], "tags.kind = 'study'")
    assert study.info.status == "FINISHED"
    assert "bsn/mean_iou" in study.data.metrics
    assert {file.path for file in client.list_artifacts(study.info.run_id)} == {"tables", "figures"}
