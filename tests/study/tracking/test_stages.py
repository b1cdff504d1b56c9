import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from study.params import load
from study.tracking.stages import Origin, part, store, study

ORIGIN = Origin(experiment="moody-cat", commit="9f86d081884c7d659a2f")


@pytest.fixture(scope="module")
def params():
    return load(Path(__file__).parents[3])


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A git repository with one committed parameter, in which a stage of DVC's works."""
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


def test_an_experiment_is_known_by_its_name_and_the_commit_that_it_starts_from(project, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "moody-cat")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "9f86d081")
    (project / "params.yaml").write_text("seed: 2\n")  # DVC's own edit
    assert Origin.here() == Origin(experiment="moody-cat", commit="9f86d081")
    assert Origin.here().title == "moody-cat"


def test_a_plain_repro_is_known_by_its_commit_and_by_what_the_code_has_beyond_it(project):
    clean = Origin.here()
    assert clean == Origin(experiment="", commit=head(project))
    assert clean.title == f"repro {head(project)[:10]}"
    (project / "params.yaml").write_text("seed: 2\n")
    edited = Origin.here()
    assert edited.title == f"repro {head(project)[:10]} with edits"
    (project / "params.yaml").write_text("seed: 3\n")
    assert len({clean.edits, edited.edits, Origin.here().edits}) == 3


def test_another_parameter_experiment_or_edit_is_another_study_and_the_same_is_the_same(params):
    others = [
        study(params, ORIGIN),
        study(params.model_copy(update={"seed": 2}), ORIGIN),
        study(params, replace(ORIGIN, experiment="other")),
        study(params, replace(ORIGIN, edits="0123456789")),
    ]
    assert len({card.study for card in others}) == 4
    assert study(params, ORIGIN) == others[0]


def test_a_study_tells_profile_experiment_commit_and_the_md5_of_each_data_set(params, tmp_path):
    stages = {"download@pfcn": {"outs": [{"md5": "0af3.dir"}]}, "faces": {"outs": [{"md5": "1"}]}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
    card = study(params, ORIGIN, folder=tmp_path)
    assert card.name == "moody-cat"
    assert card.params["kernel.width"] == 10
    told = {name: card.tags[name] for name in ("profile", "dvc.experiment", "git.commit")}
    assert told == {"profile": "sketch", "dvc.experiment": "moody-cat", "git.commit": ORIGIN.commit}
    assert {name: value for name, value in card.tags.items() if name.startswith("data.")} == {"data.pfcn": "0af3.dir"}


def test_a_method_hangs_under_its_study(params):
    whole = study(params, ORIGIN)
    card = part(whole, "bsn", weights="f00d")
    assert (card.study, card.kind, card.name, card.weights) == (whole.study, "method", "bsn", "f00d")
    assert card.parent == whole


@pytest.mark.parametrize(
    ("uri", "artifacts"),
    [(None, True), ("postgresql://me@host/runs", True), ("http://host:5000", False), ("https://host", False)],
)
def test_artifacts_lie_beside_the_project_unless_a_server_keeps_them(project, monkeypatch, uri, artifacts):
    if uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    place = store("sketch")
    assert place.uri == (uri or f"sqlite:///{project}/mlflow.db")
    assert place.artifacts == (project / "mlartifacts" if artifacts else None)
    assert (place.experiment, place.outbox) == ("bsn-sketch", project / "outbox")


def test_a_job_of_the_queue_tracks_into_the_users_own_checkout(project, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", "/home/me/project")
    assert store("sketch").uri == "sqlite:////home/me/project/mlflow.db"


def test_a_project_without_git_is_known_by_its_parameters(project, monkeypatch):
    monkeypatch.setenv("PATH", str(project))
    assert Origin.here() == Origin(experiment="", commit="")
    assert Origin.here().title == "repro without a commit"


def test_a_damaged_database_costs_a_warning(project):
    (project / "mlflow.db").write_text("this is no database, and long enough to be taken for one " * 20)
    with pytest.warns(
        UserWarning, match=r"mlflow.db may name artifacts of another folder than this \(file is not a dat"
    ):
        assert store("sketch").artifacts == project / "mlartifacts"


def test_a_moved_project_is_followed_before_a_stage_tracks(project):
    client = MlflowClient(store("sketch").uri)
    client.create_experiment("bsn-sketch", artifact_location="file:///elsewhere/mlartifacts")
    place = store("sketch")
    assert client.get_experiment_by_name("bsn-sketch").artifact_location == place.artifacts.as_uri()
