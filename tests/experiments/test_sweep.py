"""Sweeps on a real Dask scheduler and workers, which share only an S3 server."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from bsn.errors import InputError
from experiments import sweep
from experiments.job import comparable, different_versions, locked_clone
from experiments.sweep import expand, head_commit, shared_remote
from tests.experiments.conftest import server, someone
from tests.ports import free_port

DASK = str(Path(sys.executable).parent / "dask")


@pytest.fixture
def cluster(tmp_path):
    """Address of a scheduler, and its two workers by name."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    command = (DASK, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    workers = {}
    with server(*command, port=port, folder=tmp_path, environment=someone(tmp_path / "scheduler")):
        for name in ("one", "two"):
            home = tmp_path / name
            environment = someone(home, WORKER=name, COUNTED=str(tmp_path / "counted.txt"))
            # A worker knows no project: it gets the code by Dask.
            del environment["PYTHONPATH"]
            options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(home / "local")]
            workers[name] = subprocess.Popen(
                [DASK, "worker", address, "--name", name, *options],
                cwd=home,
                env=environment,
                stdout=(tmp_path / f"{name}.log").open("w"),
                stderr=subprocess.STDOUT,
            )
        yield address, workers
        for worker in workers.values():
            worker.kill()
            worker.wait()


def kill_the_worker_that_hangs(file: Path, workers: dict[str, subprocess.Popen], started: subprocess.Popen) -> str:
    """SIGKILL for the worker, and for the stage that it leaves behind."""
    until = time.monotonic() + 400
    while started.poll() is None and time.monotonic() < until:
        if file.exists() and (told := file.read_text().split()):
            name, stage = told
            workers[name].send_signal(signal.SIGKILL)
            os.kill(int(stage), signal.SIGKILL)
            return name
        time.sleep(0.1)
    started.kill()
    raise AssertionError(f"the stage that hangs never began: {started.stdout.read()}")


def test_a_sweep_over_two_workers_brings_its_experiments_home(toy, bucket, storage, cluster, tmp_path):
    address, workers = cluster
    toy.run("dvc", "remote", "add", "--default", "storage", f"s3://{bucket}/toy")
    toy.run("dvc", "remote", "modify", "storage", "endpointurl", storage)
    toy.commit("a remote")
    command = ("-m", "experiments.sweep", "--scheduler", address, "-S", "width=1,2,0,13", "-n", "try")
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=toy.folder,
        env=toy.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as started:
        killed = kill_the_worker_that_hangs(tmp_path / "counted.txt.hung", workers, started)
        output, _ = started.communicate()
    left = ({"one", "two"} - {killed}).pop()

    # The point that fails is told with its worker and the stage's own words; the others are there.
    assert started.returncode == 1, output
    assert "3 of 4 experiments are here" in output
    assert "try-3 (width=0) failed on " in output
    assert "    train: width = 0 is refused; allowed: 1 or more" in output
    shown = toy.run("dvc", "exp", "list", "--name-only").split()
    assert set(shown) == {"try-1", "try-2", "try-4"}

    # What no width changes was computed by the first job alone, also what is in git and not in DVC's cache.
    ran = Counter(line.split()[0] for line in (tmp_path / "counted.txt").read_text().splitlines())
    assert ran == {"prepare": 1, "score": 1, "train-1": 1, "train-2": 1, "train-0": 1, "train-13": 2, "tell": 3}
    # The killed worker's point was finished by the other.
    assert f"try-4 (width=13): done on {left}" in output
    assert f"train-13 {left}" in (tmp_path / "counted.txt").read_text()

    # An experiment of another machine is one of this clone, with its numbers and its data.
    toy.run("dvc", "exp", "apply", "try-4")
    assert (toy.folder / "model.txt").read_text() == "data" * 13
    assert (toy.folder / "metrics.json").read_text() == '{"length": 52}'
    assert (toy.folder / "params.yaml").read_text() == "width: 13\n"


def test_ctrl_c_while_a_sweep_waits_for_workers_is_one_line(toy, bucket, storage, tmp_path):
    toy.run("dvc", "remote", "add", "--default", "storage", f"s3://{bucket}/toy")
    toy.run("dvc", "remote", "modify", "storage", "endpointurl", storage)
    toy.commit("a remote")
    port = free_port()
    command = (DASK, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    with server(*command, port=port, folder=tmp_path, environment=someone(tmp_path / "scheduler")):
        process = subprocess.Popen(
            [sys.executable, "-m", "experiments.sweep", "--scheduler", f"tcp://127.0.0.1:{port}", "-S", "width=1,2"],
            cwd=toy.folder,
            env=toy.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        while "waiting for a worker" not in (line := process.stdout.readline()):
            assert line
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (
        130,
        "sweep: interrupted; what is done is here (dvc exp show); run it again for the other points\n",
    )


def test_a_sweep_is_every_combination_in_dvc_s_own_syntax():
    points = expand(["width=range(5,20,5)", "profiles/x.yaml:seed=1,2", "method.name=choice(a,b)"], "try")
    assert len(points) == 12
    assert str(points[0]) == "try-1 (width=5 method.name=a profiles/x.yaml:seed=1)"
    assert len({tuple(point.settings) for point in points}) == 12
    with pytest.raises(InputError, match="width=choice"):
        expand(["width=choice(5"], None)


def test_what_workers_cannot_see_is_refused_in_one_line_and_credentials_stay_here(toy):
    with pytest.raises(InputError, match="dvc remote add --default storage s3://"):
        shared_remote(toy.folder)
    toy.run("dvc", "remote", "add", "--default", "near", "../store")
    with pytest.raises(InputError, match=r"remote near is .*store, relative to this clone, which workers do not have"):
        shared_remote(toy.folder)
    with pytest.raises(InputError, match=r"^uncommitted: .dvc/config; workers run a commit"):
        head_commit(toy.folder)
    toy.run("dvc", "remote", "add", "--force", "near", "s3://bucket/folder")
    toy.run("dvc", "remote", "modify", "--local", "near", "secret_access_key", "secret")
    assert shared_remote(toy.folder) == {"name": "near", "url": "s3://bucket/folder"}


def test_a_scheduler_that_does_not_answer_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "TIMEOUT", "0.2s")
    with pytest.raises(InputError, match="no Dask scheduler answers at tcp://"), ExitStack() as stack:
        stack.enter_context(sweep.connected(f"tcp://127.0.0.1:{free_port()}", tmp_path))


def test_a_worker_with_other_packages_is_told_by_name():
    ours = comparable({"host": {"python": "3.11.4.final.0"}, "packages": {"torch": "2.11.0+cpu", "lz4": None}})
    assert ours == {"python": "3.11", "torch": "2.11.0", "lz4": ""}
    theirs = comparable({"host": {"python": "3.11.9.final.0"}, "packages": {"torch": "2.11.0+cu130"}})
    assert different_versions(ours, {**theirs, "lz4": ""}) == ""
    assert "torch missing (the driver: 2.11.0)" in different_versions(ours, {"python": "3.11", "lz4": ""})


def test_a_clone_that_something_still_works_in_is_left_to_it(tmp_path):
    with locked_clone(tmp_path) as (first, lock):
        child = subprocess.Popen(["sleep", "60"], pass_fds=[lock])
    # The worker is gone, its command is not.
    with locked_clone(tmp_path) as (second, _):
        assert (first.name, second.name) == ("1", "2")
    child.kill()
    child.wait()
    with locked_clone(tmp_path) as (again, _):
        assert again == first
