import pytest
from mlflow import MlflowClient

from study.tracking import Card, Store
from tests.mlflow_server import Server


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """One empty MLflow database; creating it takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return folder


@pytest.fixture
def store(database, request, tmp_path):
    return Store(
        uri=f"sqlite:///{database}/mlflow.db",
        experiment=request.node.name,
        outbox=tmp_path / "outbox",
        artifacts=database / "artifacts",
    )


@pytest.fixture
def card():
    """A method's run in a study."""
    study = Card(
        study="abc/width-15", kind="study", name="width-15", params={"kernel.width": 15}, tags={"profile": "mini"}
    )
    return Card(study=study.study, kind="method", name="bsn", params=study.params, tags=study.tags, parent=study)


def runs(store):
    """Every run of the store's experiment, by name."""
    client = MlflowClient(store.uri)
    experiment = client.get_experiment_by_name(store.experiment)
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])} if experiment else {}


@pytest.fixture(scope="session")
def any_server(tmp_path_factory):
    """One server for all tests, as starting it takes seconds; not started yet."""
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture
def server(any_server):
    """The server, answering."""
    if any_server.process is None:
        any_server.start()
    return any_server


@pytest.fixture
def server_down(any_server):
    """The server, not there."""
    any_server.stop()
    return any_server


@pytest.fixture
def remote(any_server, request, tmp_path, monkeypatch):
    """The store that is that server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return Store(uri=any_server.uri, experiment=request.node.name, outbox=tmp_path / "outbox")
