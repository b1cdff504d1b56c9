"""A moved or copied project folder has the artifacts of all its runs, and new ones are written to it."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.tracking._tracking_service import utils

from study.tracking.database import database_uri, follow_folder, open_database
from study.tracking.runs import RunSpec, start_run
from tests.mlflow_server import Server
from tests.study.tracking.conftest import runs


def spec(name: str) -> RunSpec:
    return RunSpec(experiment="bsn-test", study="abc", kind="method", name=name)


def client_of(root: Path) -> MlflowClient:
    with open_database(root) as client:
        return client


@pytest.fixture
def track(monkeypatch):
    """Function that logs a run called `name`, with a file of that text, in the project in `root`."""

    def logged(root: Path, name: str) -> None:
        monkeypatch.setenv("DVC_ROOT", str(root))
        root.joinpath("note.txt").write_text(name)
        with start_run(spec(name)) as run:
            run.log_artifact(root / "note.txt", "notes")

    return logged


def texts(client: MlflowClient, found: dict[str, mlflow.entities.Run], tmp_path: Path) -> dict[str, str]:
    """Content of each run's file, downloaded through the client."""
    files = {}
    for name, run in found.items():
        assert [file.path for file in client.list_artifacts(run.info.run_id, "notes")] == ["notes/note.txt"]
        files[name] = Path(client.download_artifacts(run.info.run_id, "notes/note.txt", str(tmp_path))).read_text()
    return files


@pytest.fixture
def project(database, tmp_path):
    """A folder with an empty MLflow database."""
    root = tmp_path / "here/project"
    root.mkdir(parents=True)
    shutil.copy(database / "mlflow.db", root)
    return root


# Only one name has % or ?: MLflow caches one store per URI, and such a folder's URI is a relative path.
@pytest.mark.parametrize("name", ["plain", "a b", "ü 日本", "a#b", "it's;\"&=+:@", "100% a?b 50%41"])
def test_runs_logged_before_and_after_a_move_have_artifacts_in_the_new_folder(
    track, project, tmp_path, monkeypatch, name
):
    track(project, "before")
    moved = tmp_path / "there" / name
    moved.parent.mkdir()
    project.rename(moved)
    monkeypatch.chdir(moved)
    track(moved, "after")
    found = runs(client_of(moved), spec("any"))
    assert {run.info.artifact_uri for run in found.values()} == {
        f"{moved.as_uri()}/mlartifacts/{run.info.run_id}/artifacts" for run in found.values()
    }
    assert texts(client_of(moved), found, tmp_path) == {"before": "before", "after": "after"}
    # Neither the old folder nor one with a misread name was created.
    assert (list((tmp_path / "here").iterdir()), list(moved.parent.iterdir())) == ([], [moved])


def test_a_copied_project_has_its_own_artifacts_and_leaves_the_original_unchanged(track, project, tmp_path):
    track(project, "before")
    copy = tmp_path / "there"
    shutil.copytree(project, copy)
    track(copy, "in the copy")
    shutil.rmtree(project / "mlartifacts")
    assert texts(client_of(copy), runs(client_of(copy), spec("any")), tmp_path) == {
        "before": "before",
        "in the copy": "in the copy",
    }
    (run,) = runs(client_of(project), spec("any")).values()
    assert run.info.artifact_uri.startswith(f"{project.as_uri()}/mlartifacts/")


def test_a_server_of_a_moved_folder_lists_artifacts_and_models_can_be_loaded(project, trained, tmp_path, monkeypatch):
    np.save(project / "mean_mask.npy", np.zeros((800, 600), np.float32))
    monkeypatch.setenv("DVC_ROOT", str(project))
    with start_run(spec("before")) as run:
        run.log_artifact(trained / "model.json", "notes")
        run.log_model(trained, aligned_mean_mask=project / "mean_mask.npy")
    moved = project.rename(tmp_path / "moved ü")
    follow_folder(moved)
    utils._artifact_repos_cache.clear()  # MLflow caches each model's location per process
    server = Server(moved)
    try:
        server.start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        client = MlflowClient(server.uri)
        (before,) = client.search_runs([client.get_experiment_by_name("bsn-test").experiment_id])
        assert [file.path for file in client.list_artifacts(before.info.run_id, "notes")] == ["notes/model.json"]
        (model,) = client.search_logged_models([before.info.experiment_id])
        assert "MLmodel" in {file.path for file in client.list_logged_model_artifacts(model.model_id)}
    finally:
        server.stop()
    monkeypatch.setattr(sys, "path", list(sys.path))  # MLflow puts the model's code there
    mlflow.set_tracking_uri(database_uri(moved / "mlflow.db"))
    try:
        assert mlflow.pyfunc.load_model(f"models:/{model.model_id}").metadata.run_id == before.info.run_id
    finally:
        mlflow.set_tracking_uri(None)


def test_custom_artifact_locations_outside_the_project_are_kept(track, project, tmp_path):
    track(project, "before")
    client = client_of(project)
    places = {"mine": "file:///elsewhere/mine", "bsn-cloud": "s3://bucket/mlartifacts", "near": str(project / "mine")}
    for name, place in places.items():
        client.create_experiment(name, artifact_location=place)
    moved = project.rename(tmp_path / "moved")
    follow_folder(moved)
    client = client_of(moved)
    found = {name: client.get_experiment_by_name(name).artifact_location for name in places}
    assert found == {**places, "near": str(moved / "mine")}


def test_concurrent_processes_update_a_moved_database_correctly(track, project, tmp_path):
    track(project, "before")
    moved = project.rename(tmp_path / "moved")
    command = [
        sys.executable,
        "-c",
        "import sys; from pathlib import Path\n"
        "from study.tracking.database import follow_folder; follow_folder(Path(sys.argv[1]))",
        str(moved),
    ]
    processes = [subprocess.Popen(command, cwd=Path(__file__).parents[3]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    (run,) = runs(client_of(moved), spec("any")).values()
    assert run.info.artifact_uri == f"{moved.as_uri()}/mlartifacts/{run.info.run_id}/artifacts"


def test_a_missing_or_empty_database_is_left_unchanged_and_a_damaged_one_raises(tmp_path):
    follow_folder(tmp_path)
    assert not (tmp_path / "mlflow.db").exists()
    (tmp_path / "mlflow.db").touch()
    follow_folder(tmp_path)
    (tmp_path / "mlflow.db").write_text("no database, and long enough to be looked at as one " * 20)
    with pytest.raises(sqlite3.DatabaseError):
        follow_folder(tmp_path)
