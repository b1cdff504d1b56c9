"""Outputs of the pipeline: the same bytes in a clone that runs again, nothing of the machine in them, git clean."""

import os
import re

import pytest
import yaml
from mlflow import MlflowClient

from tests.miniature import ROOT, TRAINED, Project
from tests.traces import traces

# Pulled by the clone from the first run's cache.
TAKEN = [
    *(f"train_base@deeplab-{kind}" for kind in ("hard-uniform", "hard-global", "soft-uniform")),
    *(f"{stage}@{name}" for stage in ("train", "evaluate") for name in TRAINED if name not in ("portrait_fcn", "bsn")),
]


@pytest.fixture(scope="module")
def twin(project, tmp_path_factory) -> Project:
    """A clone of the committed miniature, run from nothing on one core, in another time zone and with other hashes.

    Of the networks only PortraitFCN+ and BSN are made again: the others are parts of BSN, and cost a minute.
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


def test_dvc_leaves_every_gitignore_as_it_is_committed(project):
    listed = project.run("git", "ls-files", "*.gitignore").splitlines()
    assert "reports/.gitignore" in listed
    for name in listed:
        assert (project.folder / name).read_text() == (ROOT / name).read_text(), name


def test_a_clone_that_runs_everything_again_has_the_same_outs_and_a_clean_git_status(project, twin):
    assert twin.first <= project.first - set(TAKEN)
    # The start of FCN-8s has the bytes of DeepLabv2's, which DVC has by then; all outs of the tables are in git.
    assert project.first - set(TAKEN) - twin.first <= {"pretrained@fcn8s", "tables"}
    assert twin.run("git", "status", "--porcelain") == ""
    # DVC's hash of every out, in git or not.
    assert (twin.folder / "dvc.lock").read_bytes() == (project.folder / "dvc.lock").read_bytes()


def test_no_out_holds_a_trace_of_the_machine_or_the_moment(twin):
    stages = yaml.safe_load((twin.folder / "dvc.lock").read_text())["stages"]
    outs = {twin.folder / out["path"] for stage in stages.values() for out in stage["outs"]}
    files = {file for out in outs for file in (out, *out.rglob("*")) if file.is_file()}
    # Drawn in the official formats, which have dates of their own.
    files = {file for file in files if "raw" not in file.parts}
    assert {str(file): found for file in files if (found := traces(file))} == {}


def test_the_seconds_per_photo_of_every_method_that_was_evaluated_here_are_printed(twin):
    shown = twin.run("python", "-m", "stages.timings")
    head = twin.run("git", "rev-parse", "HEAD")[:10]
    assert f"Commit {head}; torch" in shown
    rows = re.findall(r"^(\S+|Mean mask)(?: +[\d.]+){4}$", shown, re.MULTILINE)
    assert rows == ["Graph-cut", "PortraitFCN+", "BSN", "Mean mask"]


def test_mlflow_has_the_study_of_a_clone_whose_numbers_are_all_the_committed_ones(twin):
    client = MlflowClient(f"sqlite:///{twin.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("bsn-mini").experiment_id
    (study,) = client.search_runs([experiment], "tags.kind = 'study'")
    assert study.info.status == "FINISHED"
    assert "bsn/mean_iou" in study.data.metrics
    assert {file.path for file in client.list_artifacts(study.info.run_id)} == {"tables", "figures"}
