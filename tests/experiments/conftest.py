import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.ports import free_port
from tests.waiting import wait_until

BIN = Path(sys.executable).parent
KEYS = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
# Every stage that runs writes a line, so that a test sees which machine computed what.
STEPS = """
import os, sys, time
from pathlib import Path
import yaml

def note(what):
    with open(os.environ["COUNTED"], "a") as file:
        file.write(f"{what} {os.environ.get('WORKER', 'driver')}\\n")

params = yaml.safe_load(open("params.yaml"))
step, width = sys.argv[1], params["width"]
if step == "prepare":
    note("prepare")
    Path("raw").mkdir()
    Path("raw/data.txt").write_text("data")
elif step == "score":
    note("score")
    Path("score.json").write_text('{"score": 5}')
elif step == "tell":
    note("tell")
else:
    note(f"train-{width}")
    if width == 0:
        sys.exit("train: width = 0 is refused; allowed: 1 or more")
    if width == 13 and not os.path.exists(os.environ["COUNTED"] + ".hung"):
        Path(os.environ["COUNTED"] + ".hung").write_text(f"{os.environ['WORKER']} {os.getpid()}")
        time.sleep(300)
    Path("model.txt").write_text(Path("raw/data.txt").read_text() * width)
    Path("metrics.json").write_text('{"length": %d}' % (4 * width))
"""
DVC_YAML = """
stages:
  prepare:
    cmd: python steps.py prepare
    deps: [steps.py]
    outs: [raw]
  score:
    foreach: {plain: {}}
    do:
      cmd: python steps.py score
      deps: [raw]
      metrics:
        - score.json: {cache: false}
  train:
    cmd: python steps.py train
    deps: [raw]
    params: [width]
    outs: [model.txt]
    metrics:
      - metrics.json: {cache: false}
  tell: # makes nothing
    cmd: python steps.py tell
    deps: [metrics.json]
"""


class Clone:
    """A user's project folder, with its own home folder and so its own configuration."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment, self.output = folder, environment, ""

    def run(self, *command: str, expect: int = 0) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        self.output = done.stdout + done.stderr
        assert done.returncode == expect, self.output[-4000:]
        return done.stdout

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)


@contextlib.contextmanager
def server(*command: str, port: int, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a server on a port of this machine until the block ends."""
    log = folder / f"server-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    try:
        wait_until(answers)
        yield
    finally:
        process.kill()
        process.wait()


def someone(home: Path, **more: str) -> dict[str, str]:
    """Environment of a user or machine that shares no files with others."""
    home.mkdir(parents=True)
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("DVC", "MLFLOW", "GIT", "AWS", "DASK", "XDG"))}
    names = {f"GIT_{who}_{what}": "me@host" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {
        **mine,
        **KEYS,
        **names,
        "HOME": str(home),
        "DVC_SITE_CACHE_DIR": str(home / "dvc-site"),
        "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **more,
    }


@pytest.fixture(scope="session")
def storage(tmp_path_factory) -> Iterator[str]:
    """Address of an S3-compatible server."""
    folder, port = tmp_path_factory.mktemp("storage"), free_port()
    command = (str(BIN / "moto_server"), "--host", "127.0.0.1", "--port", str(port))
    with server(*command, port=port, folder=folder, environment=someone(folder / "home")):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def bucket(storage) -> str:
    """A bucket for one test."""
    name = f"bucket-{time.time_ns()}"
    requests.put(f"{storage}/{name}", timeout=10, proxies={"http": ""}).raise_for_status()
    return name


@pytest.fixture
def toy(tmp_path) -> Clone:
    """A committed project of four stages, none of which has run."""
    folder = tmp_path / "driver/toy"
    clone = Clone(folder, someone(tmp_path / "driver", COUNTED=str(tmp_path / "counted.txt")))
    folder.mkdir()
    (folder / "steps.py").write_text(STEPS)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text("width: 5\n")
    clone.run("git", "init", "--quiet")
    clone.run("dvc", "init", "--quiet")
    clone.commit("a project")
    return clone
