import subprocess
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest
import yaml

from study.params import load
from study.provenance import Origin
from study.tracking import runs
from study.tracking.runs import method_run, study_run, trial_run

ORIGIN = Origin(experiment="moody-cat", commit="9f86d081884c7d659a2f")


@pytest.fixture(scope="module")
def params():
    return load(Path(__file__).parents[3])


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A git repository with one committed parameter, as the working directory of a DVC stage."""
    for name in ("DVC_ROOT", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    for command in (
        ["init"],
        ["add", "params.yaml"],
        ["-c", "user.email=a@b.c", "-c", "user.name=t", "commit", "-m", "x"],
    ):
        subprocess.run(["git", *command], check=True, capture_output=True)
    return tmp_path


def head(project):
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_origin_of_an_experiment_is_its_name_and_baseline_commit(project, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "moody-cat")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "9f86d081")
    (project / "params.yaml").write_text("seed: 2\n")  # the edit that DVC makes
    assert Origin.here() == Origin(experiment="moody-cat", commit="9f86d081")
    assert Origin.here().title == "moody-cat"


def test_origin_of_a_plain_repro_is_its_commit_and_uncommitted_edits(project):
    clean = Origin.here()
    assert clean == Origin(experiment="", commit=head(project))
    assert clean.title == f"repro {head(project)[:10]}"
    (project / "params.yaml").write_text("seed: 2\n")
    edited = Origin.here()
    assert edited.title == f"repro {head(project)[:10]} with edits"
    (project / "params.yaml").write_text("seed: 3\n")
    assert len({clean.edits, edited.edits, Origin.here().edits}) == 3


def test_study_id_depends_on_parameters_experiment_and_edits(params):
    others = [
        study_run(params, ORIGIN),
        study_run(params.model_copy(update={"seed": 2}), ORIGIN),
        study_run(params, replace(ORIGIN, experiment="other")),
        study_run(params, replace(ORIGIN, edits="0123456789")),
    ]
    assert len({spec.study for spec in others}) == 4
    assert study_run(params, ORIGIN) == others[0]


def test_study_tags_hold_profile_experiment_commit_and_md5_of_each_data_set(params, tmp_path):
    stages = {"download@pfcn": {"outs": [{"md5": "0af3.dir"}]}, "faces": {"outs": [{"md5": "1"}]}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
    spec = study_run(params, ORIGIN, folder=tmp_path)
    assert spec.name == "moody-cat"
    assert spec.params["kernel.width"] == 10
    told = {name: spec.tags[name] for name in ("profile", "dvc.experiment", "git.commit")}
    assert told == {"profile": "sketch", "dvc.experiment": "moody-cat", "git.commit": ORIGIN.commit}
    assert {name: value for name, value in spec.tags.items() if name.startswith("data.")} == {"data.pfcn": "0af3.dir"}


def test_a_lock_that_another_process_is_writing_is_read_once_it_is_whole(params, tmp_path):
    whole = yaml.safe_dump({"stages": {"download@pfcn": {"outs": [{"md5": "0af3.dir"}]}}})
    (tmp_path / "dvc.lock").write_text(whole[: whole.index("md5")])
    writer = Timer(0.5, (tmp_path / "dvc.lock").write_text, [whole])
    writer.start()
    assert study_run(params, ORIGIN, folder=tmp_path).tags["data.pfcn"] == "0af3.dir"
    writer.join()


def test_a_damaged_lock_leaves_the_data_sets_unknown(params, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "LOCK_ATTEMPTS", 1)
    (tmp_path / "dvc.lock").write_text("stages:\n  download@pfcn: [")
    assert not any(name.startswith("data.") for name in study_run(params, ORIGIN, folder=tmp_path).tags)


def test_method_and_trial_runs_have_parent_runs_and_method_runs_a_machine_tag(params, project):
    method, trial = method_run(params, "bsn"), trial_run(params, params.model_copy(update={"seed": 7}), "trial bsn-7")
    assert (method.experiment, method.kind, method.name) == ("bsn-sketch", "method", "bsn")
    assert method.parent == study_run(params, Origin.here())
    assert (method.study, method.params) == (method.parent.study, method.parent.params)
    assert "cores of" in method.tags["machine"]
    assert (trial.parent.kind, trial.parent.name, trial.study) == ("trials", "trials", method.study)
    assert (trial.params["seed"], trial.parent.params["seed"]) == (7, params.seed)


def test_origin_without_git_is_empty(project, monkeypatch):
    monkeypatch.setenv("PATH", str(project))
    assert Origin.here() == Origin(experiment="", commit="")
    assert Origin.here().title == "repro without a commit"
