"""Servers that answer, that are down, that hang and that die: real ones."""

import re
import signal
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import replace

import pytest
from mlflow import MlflowClient

from study.tracking import PATIENCE, Store, post, send_all, tracked_run, waiting
from tests.study.tracking.conftest import runs
from tests.study.tracking.postgres import PROGRAMS, Postgres

FIRST_RUN = """
import sys
from pathlib import Path
from study.tracking import Card, Store, tracked_run
store = Store(uri=sys.argv[1], experiment="first", outbox=Path(sys.argv[2]), artifacts=Path(sys.argv[3]))
study = Card(study="abc", kind="study", name="study")
with tracked_run(store, Card(study="abc", kind="method", name=sys.argv[4], parent=study)) as run:
    run.metrics({"pfcn/mean_iou": 0.9})
"""


@contextmanager
def one_warning(text):
    """Of ours there is one, and `text` is in it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    ours = [str(warning.message) for warning in caught if "MLflow at" in str(warning.message)]
    assert len(ours) == 1
    assert text in ours[0]


def test_a_server_that_is_down_costs_a_warning_and_no_science_and_gets_the_run_later_once(server_down, remote, card):
    done = []
    with one_warning("goes with the next run or `make sync`"), tracked_run(remote, card) as run:
        run.metrics({"pfcn/mean_iou": 0.9})
        done.append("science")
    assert done == ["science"]
    assert waiting(remote.outbox) == {remote.uri: 1}
    assert "Max retries exceeded" in send_all(remote.outbox, remote.uri).failed[0]
    server_down.start()
    assert send_all(remote.outbox, remote.uri).runs == 1
    assert send_all(remote.outbox, remote.uri).runs == 0
    found = runs(remote)
    assert set(found) == {"bsn", "width-15"}
    assert (found["bsn"].info.status, found["bsn"].data.metrics) == ("FINISHED", {"pfcn/mean_iou": 0.9})


@pytest.mark.filterwarnings("ignore:MLflow at")  # a busy machine may take longer than a run waits
def test_a_server_gets_the_run_and_its_files(server, remote, card, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    with tracked_run(remote, card) as run:
        run.artifact(picture, "examples")
    assert send_all(remote.outbox, remote.uri).failed == []
    found = runs(remote)["bsn"].info
    assert found.status == "FINISHED"
    files = MlflowClient(remote.uri).list_artifacts(found.run_id, "examples")
    assert [file.path for file in files] == ["examples/picture.png"]


def test_a_server_that_dies_while_a_run_works_gets_the_rest_with_the_next_run(server, remote, card):
    with one_warning("has not taken all of the run bsn"), tracked_run(remote, card) as run:
        run.point({"train/loss": 0.5}, step=10)
        _until(lambda: "bsn" in runs(remote))
        server.stop()
        run.point({"train/loss": 0.25}, step=20)
    server.start()
    with warnings.catch_warnings(), tracked_run(remote, replace(card, name="next")):
        warnings.simplefilter("ignore")  # as above
        _until(lambda: "bsn" in runs(remote) and runs(remote)["bsn"].info.status == "FINISHED")
    assert send_all(remote.outbox, remote.uri).failed == []
    found = runs(remote)
    assert {name: run.info.status for name, run in found.items()} == {
        "bsn": "FINISHED",
        "next": "FINISHED",
        "width-15": "RUNNING",
    }
    assert found["bsn"].data.metrics == {"train/loss": 0.25}


def test_a_server_that_hangs_is_waited_for_no_longer_than_patience(server, remote, card):
    post(remote, card, metrics={}, artifacts={})
    server.signal(signal.SIGSTOP)
    started = time.monotonic()
    with one_warning("it is slow"), tracked_run(remote, replace(card, name="next")):
        pass
    # Not less: it was waited for. That it is no more is in benchmarks/tracking.py.
    assert time.monotonic() - started >= PATIENCE
    server.signal(signal.SIGCONT)
    assert send_all(remote.outbox, remote.uri).failed == []
    assert set(runs(remote)) == {"bsn", "next", "width-15"}


@pytest.fixture(scope="module")
def postgres():
    if PROGRAMS is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = Postgres()
    yield server
    server.stop()


def test_several_processes_start_at_once_on_an_empty_postgresql(postgres, tmp_path):
    store = Store(uri=postgres.database(), experiment="first", outbox=tmp_path / "outbox")
    names = ["portrait_fcn", "portrait_deeplab", "bsn_gk", "bsn"]
    started = [
        subprocess.Popen([sys.executable, "-c", FIRST_RUN, store.uri, store.outbox, tmp_path / "artifacts", name])
        for name in names
    ]
    assert [process.wait() for process in started] == [0, 0, 0, 0]
    # Whoever met a database that another was just making has kept its run: nothing is lost, or there twice.
    assert send_all(store.outbox, store.uri).failed == []
    client = MlflowClient(store.uri)
    everything = client.search_runs([client.get_experiment_by_name("first").experiment_id])
    assert sorted(run.info.run_name for run in everything) == sorted([*names, "study"])
    assert {run.data.metrics.get("pfcn/mean_iou") for run in everything if run.info.run_name in names} == {0.9}


def test_a_postgresql_that_is_down_keeps_the_run_and_no_password(postgres, card, tmp_path):
    uri = postgres.database().replace("postgres@", "postgres:s3cret@")
    store = Store(uri=uri, experiment="any", outbox=tmp_path / "outbox", artifacts=tmp_path / "artifacts")
    down = replace(store, uri=re.sub(r":\d+/", ":9/", uri))
    with one_warning("goes with the next run"), tracked_run(down, card) as run:
        run.metrics({"pfcn/mean_iou": 0.9})
    (address,) = waiting(store.outbox)
    assert re.fullmatch(r"postgresql://postgres@127.0.0.1:9/runs\d", address)
    post(store, card, metrics={}, artifacts={})
    assert send_all(store.outbox, store.uri).runs == 1
    assert set(runs(store)) == {"bsn", "width-15"}


def _until(true, seconds=60):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.1)
