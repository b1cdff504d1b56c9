import json
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from safetensors.torch import save_file

from bsn.models import build
from study.tracking.database import open_database
from study.tracking.runs import RunSpec
from tests.mlflow_server import Server


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """Folder with one empty MLflow database; creating it takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    with open_database(folder):
        pass
    return folder


@pytest.fixture
def root(database, tmp_path, monkeypatch):
    """Folder of a project with an empty database, in which this process's runs are logged."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(database / "mlflow.db", folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder


@pytest.fixture
def spec(request):
    """Run of one method in a study."""
    study = RunSpec(
        experiment=f"bsn-{request.node.name}",
        study="abc/width-15",
        kind="study",
        name="width-15",
        params={"kernel.width": 15},
        tags={"profile": "mini"},
    )
    return study.child("method", "bsn", tags={})


def client_of(root):
    return MlflowClient(f"sqlite:///{root}/mlflow.db")


def runs(client, spec):
    """All runs of the experiment by name; fails on duplicate names."""
    experiment = client.get_experiment_by_name(spec.experiment)
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    named = {run.info.run_name: run for run in found}
    assert len(named) == len(found)
    return named


@pytest.fixture
def trained(tmp_path):
    """Trained folder of models/."""
    folder, options = tmp_path / "portrait_fcn", {"classes": 2, "base_width": 2}
    folder.mkdir()
    save_file(build("fcn8s", **options).state_dict(), folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps({"network": "fcn8s", "options": options, "size": [64, 48]}))
    return folder


@pytest.fixture(scope="session")
def any_server(tmp_path_factory):
    """One server for all tests, as starting it takes seconds; not started yet."""
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture
def server(any_server, monkeypatch):
    """The running server, as the target of `sync`."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    if any_server.process is None:
        any_server.start()
    return any_server


@pytest.fixture
def server_down(any_server, monkeypatch):
    """The stopped server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    any_server.stop()
    return any_server


REPOSITORY = Path(__file__).parents[3]
