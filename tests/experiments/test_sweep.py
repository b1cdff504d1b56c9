"""Sweeps on a real Dask scheduler and workers, which share only an S3 server."""

import os
import signal
import subprocess
import sys
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
from tests.waiting import HUNG, wait_until

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
            # Workers have no checkout: they get the code through Dask.
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
    """Send SIGKILL to the worker whose stage hangs and to that stage; return the worker's name."""
    wait_until(lambda: started.poll() is not None or (file.exists() and file.read_text()))
    assert file.exists(), f"the stage that hangs never began: {started.stdout.read()}"
    name, stage = file.read_text().split()
    workers[name].send_signal(signal.SIGKILL)
    os.kill(int(stage), signal.SIGKILL)
    return name


def test_a_sweep_over_two_workers_returns_its_experiments_although_one_dies(toy, bucket, storage, cluster, tmp_path):
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

    # The failed point is reported with its worker and the stage's message; the others are present.
    assert started.returncode == 1, output
    assert "3 of 4 experiments are here" in output
    assert "try-3 (width=0) failed on " in output
    assert "    train: width = 0 is refused; allowed: 1 or more" in output
    shown = toy.run("dvc", "exp", "list", "--name-only").split()
    assert set(shown) == {"try-1", "try-2", "try-4"}

    # Stages that do not depend on the width ran once, also those whose outs are in git and not in DVC's cache.
    ran = Counter(line.split()[0] for line in (tmp_path / "counted.txt").read_text().splitlines())
    assert ran == {"prepare": 1, "score": 1, "train-1": 1, "train-2": 1, "train-0": 1, "train-13": 2, "tell": 3}
    # The killed worker's point was finished by the other worker.
    assert f"try-4 (width=13): done on {left}" in output
    assert f"train-13 {left}" in (tmp_path / "counted.txt").read_text()

    # A worker's experiment can be applied in this clone, with its metrics and data.
    toy.run("dvc", "exp", "apply", "try-4")
    assert (toy.folder / "model.txt").read_text() == "data" * 13
    assert (toy.folder / "metrics.json").read_text() == '{"length": 52}'
    assert (toy.folder / "params.yaml").read_text() == "width: 13\n"


def test_ctrl_c_while_a_sweep_waits_for_workers_prints_one_line(toy, bucket, storage, tmp_path):
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
        _, told = process.communicate(timeout=HUNG)
    assert (process.returncode, told) == (
        130,
        "sweep: interrupted; what is done is here (dvc exp show); run it again for the other points\n",
    )


def test_sweep_points_are_all_combinations_in_dvc_s_syntax():
    points = expand(["width=range(5,20,5)", "profiles/x.yaml:seed=1,2", "method.name=choice(a,b)"], "try")
    assert len(points) == 12
    assert str(points[0]) == "try-1 (width=5 method.name=a profiles/x.yaml:seed=1)"
    assert len({tuple(point.settings) for point in points}) == 12
    with pytest.raises(InputError, match="width=choice"):
        expand(["width=choice(5"], None)


def test_remotes_and_edits_unavailable_to_workers_are_refused_and_credentials_not_sent(toy):
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


def test_an_unreachable_scheduler_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "TIMEOUT", "0.2s")
    with pytest.raises(InputError, match="no Dask scheduler answers at tcp://"), ExitStack() as stack:
        stack.enter_context(sweep.connected(f"tcp://127.0.0.1:{free_port()}", tmp_path))


def test_package_versions_that_differ_on_a_worker_are_named():
    ours = comparable({"host": {"python": "3.11.4.final.0"}, "packages": {"torch": "2.11.0+cpu", "lz4": None}})
    assert ours == {"python": "3.11", "torch": "2.11.0", "lz4": ""}
    theirs = comparable({"host": {"python": "3.11.9.final.0"}, "packages": {"torch": "2.11.0+cu130"}})
    assert different_versions(ours, {**theirs, "lz4": ""}) == ""
    assert "torch missing (the driver: 2.11.0)" in different_versions(ours, {"python": "3.11", "lz4": ""})


def test_a_clone_in_use_by_a_leftover_command_is_not_reused(tmp_path):
    with locked_clone(tmp_path) as (first, lock):
        child = subprocess.Popen(["sleep", "60"], pass_fds=[lock])
    # The worker has ended, its command has not.
    with locked_clone(tmp_path) as (second, _):
        assert (first.name, second.name) == ("1", "2")
    child.kill()
    child.wait()
    with locked_clone(tmp_path) as (again, _):
        assert again == first
