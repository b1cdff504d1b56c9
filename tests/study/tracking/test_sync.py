"""Copying runs to real servers that answer, are down, hang or restart."""

import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from study.params import load
from study.tracking import sync
from study.tracking.database import connect
from study.tracking.recording import record_trials
from study.tracking.runs import TRAINED_IN_TAG, WEIGHTS_TAG, RunSpec, start_run
from tests.study.tracking.conftest import REPOSITORY, client_of, runs
from tests.study.tracking.postgres import PROGRAMS, Postgres
from tests.study.tracking.test_runs import log, points

FIRST_RUN = """
import sys
from study.tracking.runs import RunSpec, start_run
from study.tracking.sync import copy_briefly
study = RunSpec(experiment="bsn-first", study="abc", kind="study", name="study")
with start_run(study.child("method", sys.argv[1], tags={})) as run:
    run.log_metrics({"pfcn/mean_iou": 0.9})
copy_briefly()
"""


@pytest.fixture
def uri(database, tmp_path):
    """URI of another database, the target."""
    shutil.copy(database / "mlflow.db", tmp_path / "target.db")
    return f"sqlite:///{tmp_path}/target.db"


def copy(root, uri):
    """Copy the runs, assert that none failed, and return their number."""
    copied = sync.copy_runs(client_of(root), root, uri)
    assert copied.failed == []
    return copied.runs


@contextmanager
def one_warning(text):
    """Assert that exactly one warning about the MLflow server is issued, and that it contains `text`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    ours = [str(warning.message) for warning in caught if "MLflow at" in str(warning.message)]
    assert len(ours) == 1
    assert text in ours[0]


class Flaky:
    """Client that loses each response once: the server has executed the call, but the caller gets an error."""

    def __init__(self, client: MlflowClient) -> None:
        self.client, self.lost = client, set()

    def __getattr__(self, name):
        call = getattr(self.client, name)

        def once_lost(*arguments, **options):
            answer = call(*arguments, **options)
            asked = name, next((argument for argument in arguments if isinstance(argument, str)), "")
            if asked not in self.lost:
                self.lost.add(asked)
                raise ConnectionError(name)
            return answer

        return once_lost


def test_a_table_added_to_finished_trials_is_copied(root, uri, tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    params = load()
    for name in ("readings.md", "seeds.md"):
        (tmp_path / name).write_text("a table")
        record_trials(params, tmp_path / name)
        assert copy(root, uri) == 1
    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name(f"bsn-{params.profile}").experiment_id])
    assert [file.path for file in client.list_artifacts(run.info.run_id, "tables")] == [
        "tables/readings.md",
        "tables/seeds.md",
    ]


def test_copying_again_after_lost_responses_duplicates_nothing(root, spec, uri, trained, tmp_path, monkeypatch):
    np.save(tmp_path / "mean_mask.npy", np.zeros((800, 600), np.float32))
    with start_run(spec) as run:
        run.log_point({"train/loss": 0.5}, step=10)
        run.log_point({"train/loss": 0.25}, step=20)
        run.log_artifact(trained / "model.json", "notes")
        run.log_model(trained, aligned_mean_mask=tmp_path / "mean_mask.npy")
    flaky, losses = Flaky(connect(uri)), 0
    monkeypatch.setattr(sync, "connect", lambda _: flaky)
    refused = ["not tried"]
    while refused:
        try:
            refused = sync.copy_runs(client_of(root), root, uri).failed
        except ConnectionError:
            refused = ["an answer was lost"]
        losses += 1
        assert losses < 100, refused
    assert losses > 8
    client = MlflowClient(uri)
    found = runs(client, spec)
    assert {name: run.info.status for name, run in found.items()} == {"bsn": "FINISHED", "width-15": "RUNNING"}
    copied, source = found["bsn"], runs(client_of(root), spec)["bsn"]
    assert copied.data.tags["mlflow.parentRunId"] == found["width-15"].info.run_id
    assert (copied.info.start_time, copied.info.end_time) == (source.info.start_time, source.info.end_time)
    assert points(client, copied, "train/loss") == [(10, 0.5), (20, 0.25)]
    assert [file.path for file in client.list_artifacts(copied.info.run_id, "notes")] == ["notes/model.json"]
    (model,) = client.search_logged_models([copied.info.experiment_id])
    assert (model.name, model.status, model.source_run_id) == ("portrait_fcn", "READY", copied.info.run_id)
    assert model.params == {"kernel.width": "15"}
    assert "MLmodel" in {file.path for file in client.list_logged_model_artifacts(model.model_id)}
    assert [output.model_id for output in copied.outputs.model_outputs] == [model.model_id]
    assert copy(root, uri) == 0


def test_changed_runs_are_updated_and_runs_deleted_on_the_target_stay_deleted(root, spec, uri):
    log(spec)
    assert copy(root, uri) == 2
    log(spec, metrics={"pfcn/mean_iou": 0.9})
    log(spec.parent, metrics={"bsn/mean_iou": 0.9})
    assert copy(root, uri) == 2
    client = MlflowClient(uri)
    found = runs(client, spec)
    assert {name: run.data.metrics for name, run in found.items()} == {
        "bsn": {"pfcn/mean_iou": 0.9},
        "width-15": {"bsn/mean_iou": 0.9},
    }
    assert found["width-15"].info.status == "FINISHED"
    client.delete_run(found["bsn"].info.run_id)
    assert copy(root, uri) == 0
    assert set(runs(client, spec)) == {"width-15"}


def test_active_runs_are_not_copied_and_killed_runs_are_copied_as_killed(root, spec, uri):
    with start_run(spec):
        assert copy(root, uri) == 1
        assert set(runs(MlflowClient(uri), spec)) == {"width-15"}
    client, number = client_of(root), runs(client_of(root), spec)["bsn"].info.run_id
    host = client.get_run(number).data.tags["process"].split()[0]
    client.update_run(number, status="RUNNING")
    client.set_tag(number, "process", f"{host} 1 0.0")
    copy(root, uri)
    assert runs(MlflowClient(uri), spec)["bsn"].info.status == "KILLED"


def test_a_run_that_cannot_be_copied_is_named_and_the_others_are_copied(root, spec, uri, tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("here")
    with start_run(spec.parent.child("method", "unreadable", tags={})) as run:
        run.log_artifact(bad)
    log(spec, metrics={"pfcn/mean_iou": 0.9})
    (kept,) = (root / "mlartifacts").rglob("bad")
    kept.unlink()
    kept.symlink_to("nowhere")
    copied = sync.copy_runs(client_of(root), root, uri)
    (line,) = copied.failed
    assert line.startswith("unreadable (")
    assert (copied.runs, runs(copied.client, spec)["bsn"].data.metrics) == (2, {"pfcn/mean_iou": 0.9})


def test_runs_of_a_deleted_study_are_not_copied_and_fail_no_copy(root, spec, uri):
    log(spec)
    source = client_of(root)
    source.delete_run(runs(source, spec)["width-15"].info.run_id)
    assert copy(root, uri) == 0
    assert runs(MlflowClient(uri), spec) == {}
    log(spec.parent.child("method", "next", tags={}))  # in a new run of the same study
    assert copy(root, uri) == 2
    assert set(runs(MlflowClient(uri), spec)) == {"next", "width-15"}


def test_a_study_deleted_after_it_was_copied_keeps_its_copy_up_to_date(root, spec, uri):
    log(spec)
    assert copy(root, uri) == 2
    source = client_of(root)
    found = runs(source, spec)
    source.delete_run(found["width-15"].info.run_id)
    source.set_tag(found["bsn"].info.run_id, "seen", "yes")
    assert copy(root, uri) == 1
    assert runs(MlflowClient(uri), spec)["bsn"].data.tags["seen"] == "yes"


def test_a_study_that_the_target_refuses_is_one_line_and_is_copied_with_its_runs_later(root, spec, uri, monkeypatch):
    log(spec)
    client = connect(uri)
    with monkeypatch.context() as patch:
        patch.setattr(sync, "connect", lambda _: client)
        patch.setattr(client, "create_run", lambda *_, **__: 1 / 0)
        copied = sync.copy_runs(client_of(root), root, uri)
    (line,) = copied.failed
    assert (copied.runs, line.partition(" (")[0]) == (0, "width-15")
    assert copy(root, uri) == 2


def test_a_method_trained_on_another_machine_is_linked_to_its_run(root, spec, uri, database, tmp_path, monkeypatch):
    log(spec, tags={WEIGHTS_TAG: "f00d"})
    assert copy(root, uri) == 2
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(database / "mlflow.db", other)
    monkeypatch.setenv("DVC_ROOT", str(other))
    study = RunSpec(experiment=spec.experiment, study="abc/width-5", kind="study", name="width-5")
    log(study.child("method", "cached", tags={}), weights="f00d")
    assert copy(other, uri) == 2
    found = runs(MlflowClient(uri), spec)
    assert found["cached"].data.tags[TRAINED_IN_TAG] == found["bsn"].info.run_id


def test_a_study_run_on_two_machines_is_one_run_on_the_target(root, spec, uri, database, tmp_path, monkeypatch):
    with pytest.raises(KeyError), start_run(spec.parent.child("method", "lost", tags={})):
        raise KeyError("a worker")
    log(spec)
    assert copy(root, uri) == 3
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(database / "mlflow.db", other)
    monkeypatch.setenv("DVC_ROOT", str(other))
    for method in (spec, spec.parent.child("method", "next", tags={})):
        log(method)
    assert copy(other, uri) == 1
    log(spec.parent, metrics={"bsn/mean_iou": 0.9})
    assert copy(other, uri) == 1
    assert (copy(root, uri), copy(other, uri)) == (0, 0)
    found = runs(MlflowClient(uri), spec)
    assert set(found) == {"lost", "bsn", "next", "width-15"}
    assert (found["width-15"].info.status, found["width-15"].data.metrics) == ("FINISHED", {"bsn/mean_iou": 0.9})
    assert {run.data.tags.get("mlflow.parentRunId") for run in found.values()} == {None, found["width-15"].info.run_id}


@pytest.mark.parametrize("uri", ["", "sqlite:///mlflow.db", "sqlite:///{root}/mlflow.db"])
def test_the_project_s_own_database_is_not_a_target(root, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(root=root))
    assert sync.target(root) is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    assert sync.target(root) == f"sqlite:///{root}/other.db"


def test_a_server_that_is_down_causes_one_warning_and_gets_the_runs_once_later(server_down, root, spec, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server_down.uri)
    log(spec, metrics={"pfcn/mean_iou": 0.9})
    with one_warning("`make sync` copies the rest"):
        sync.copy_briefly()
    with pytest.raises(Exception, match="Max retries exceeded"):
        copy(root, server_down.uri)
    server_down.start()
    assert copy(root, server_down.uri) == 2
    assert copy(root, server_down.uri) == 0
    found = runs(MlflowClient(server_down.uri), spec)
    assert (found["bsn"].info.status, found["bsn"].data.metrics) == ("FINISHED", {"pfcn/mean_iou": 0.9})


@pytest.mark.filterwarnings("ignore:MLflow at")  # a busy machine may take longer than the stage waits
def test_runs_files_and_models_are_copied_to_a_server(server, root, spec, trained, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    np.save(tmp_path / "mean_mask.npy", np.zeros((800, 600), np.float32))
    with start_run(spec) as run:
        run.log_artifact(trained / "model.json", "notes")
        run.log_model(trained, aligned_mean_mask=tmp_path / "mean_mask.npy")
    sync.copy_briefly()
    copy(root, server.uri)
    client = MlflowClient(server.uri)
    found = runs(client, spec)["bsn"].info
    assert [file.path for file in client.list_artifacts(found.run_id, "notes")] == ["notes/model.json"]
    (model,) = client.search_logged_models([found.experiment_id])
    assert (model.status, model.source_run_id) == ("READY", found.run_id)
    assert "MLmodel" in {file.path for file in client.list_logged_model_artifacts(model.model_id)}


def test_a_restarted_server_gets_every_run_once(server, root, spec):
    log(spec)
    assert copy(root, server.uri) == 2
    server.stop()
    log(spec, metrics={"pfcn/mean_iou": 0.9})
    log(spec.parent.child("method", "next", tags={}))
    with pytest.raises(Exception, match="Max retries exceeded"):
        copy(root, server.uri)
    server.start()
    assert copy(root, server.uri) == 2
    found = runs(MlflowClient(server.uri), spec)
    assert {name: run.info.status for name, run in found.items()} == {
        "bsn": "FINISHED",
        "next": "FINISHED",
        "width-15": "RUNNING",
    }
    assert found["bsn"].data.metrics == {"pfcn/mean_iou": 0.9}


def test_a_hanging_server_causes_one_warning_after_at_least_patience_seconds(server, root, spec, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    log(spec)
    server.signal(signal.SIGSTOP)
    started = time.monotonic()
    with one_warning("it is slow"):
        sync.copy_briefly()
    # Lower bound only; benchmarks/tracking.py covers the upper bound.
    assert time.monotonic() - started >= sync.PATIENCE
    server.signal(signal.SIGCONT)
    copy(root, server.uri)
    assert set(runs(MlflowClient(server.uri), spec)) == {"bsn", "width-15"}


@pytest.fixture(scope="module")
def postgres():
    if PROGRAMS is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = Postgres()
    yield server
    server.stop()


def test_concurrent_processes_copy_to_an_empty_postgresql_without_duplicates(postgres, root, monkeypatch):
    uri = postgres.database()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    names = ["portrait_fcn", "portrait_deeplab", "bsn_gk", "bsn"]
    processes = [subprocess.Popen([sys.executable, "-c", FIRST_RUN, name], cwd=REPOSITORY) for name in names]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    # Copy what a process was too slow to copy: nothing is lost or duplicated.
    copy(root, uri)
    client = MlflowClient(uri)
    everything = client.search_runs([client.get_experiment_by_name("bsn-first").experiment_id])
    assert sorted(run.info.run_name for run in everything) == sorted([*names, "study"])
    assert {run.data.metrics.get("pfcn/mean_iou") for run in everything if run.info.run_name in names} == {0.9}


def test_the_warning_about_an_unreachable_postgresql_omits_its_password(postgres, root, spec, monkeypatch):
    uri = postgres.database().replace("postgres@", "postgres:s3cret@")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", re.sub(r":\d+/", ":9/", uri))
    log(spec)
    with one_warning("MLflow at postgresql://postgres@127.0.0.1:9/runs"):
        sync.copy_briefly()
    assert "s3cret" not in "".join(file.read_text(errors="replace") for file in root.iterdir() if file.is_file())
    assert copy(root, uri) == 2
    assert set(runs(MlflowClient(uri), spec)) == {"bsn", "width-15"}


def test_without_password_removes_the_password_from_a_uri():
    assert sync.without_password("postgresql://me:s3cret@host:1/runs") == "postgresql://me@host:1/runs"
    assert sync.without_password("http://host:5000") == "http://host:5000"
