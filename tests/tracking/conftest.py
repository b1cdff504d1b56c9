import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from bsn.tracking import Card, Store

START = 90  # seconds that a server gets on a busy machine


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


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    """A real MLflow server over a database file, that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Returns when it answers."""
        options = ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db", "--port", str(self.port)]
        options += ["--artifacts-destination", str(self.folder / "artifacts"), "--workers", "1"]
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "NO_PROXY": "127.0.0.1"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("mlflow"), "server", *options],
            cwd=self.folder,
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + START
        while time.monotonic() < until:
            assert self.process.poll() is None, "the server has ended"
            try:
                if requests.get(f"{self.uri}/health", timeout=5).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.2)
        raise AssertionError("the server does not answer")

    def signal(self, number: int) -> None:
        """To all of its processes."""
        os.killpg(self.process.pid, number)

    def stop(self) -> None:
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


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
