"""A real MLflow server on a port of its own."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import requests

from tests.ports import free_port
from tests.waiting import wait_until


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
        environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # a dozen processes that nothing here needs
        environment.pop("MLFLOW_TRACKING_URI", None)
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("mlflow"), "server", *options],
            cwd=self.folder,
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until_it_answers(f"{self.uri}/health", self.process)

    def signal(self, number: int) -> None:
        """To all of its processes."""
        os.killpg(self.process.pid, number)

    def stop(self) -> None:
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


def wait_until_it_answers(address: str, process: subprocess.Popen) -> None:
    """Wait until a server's address gives a good answer. Fails if its process ends before."""
    session = requests.Session()
    session.trust_env = False  # ignore the machine's proxy

    def answers() -> bool:
        assert process.poll() is None, "the server has ended"
        with suppress(requests.RequestException):
            return session.get(address, timeout=5).ok
        return False

    wait_until(answers)
