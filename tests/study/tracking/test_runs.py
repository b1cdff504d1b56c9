"""Content of mlflow.db for runs that end, fail, are killed, resume or cannot be written."""

import signal
import socket
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from bsn.disk import file_fingerprint
from study.tracking.runs import PROCESS_TAG, TRAINED_IN_TAG, UNKNOWN, WEIGHTS_TAG, RunSpec, flat_metrics, start_run
from tests.study.tracking.conftest import REPOSITORY, client_of, runs

WORK = """
import os, sys
from study.tracking.runs import RunSpec, start_run
study = RunSpec(experiment=sys.argv[1], study="abc", kind="study", name="study")
with start_run(study.child("method", sys.argv[2], tags={})) as run:
    run.log_metrics({"pfcn/mean_iou": 0.9})
    if sys.argv[3:]:
        run.log_point({"train/loss": 1.0}, step=10)
        os.kill(os.getpid(), int(sys.argv[3]))
"""


def log(spec, *, weights=None, metrics=None, tags=None):
    with start_run(spec, weights=weights) as run:
        run.log_metrics(metrics or {})
        for key, value in (tags or {}).items():
            run.set_tag(key, value)


def points(client, run, key):
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]


def test_parameters_tags_metrics_curves_and_files_are_logged(root, spec, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    params = {"kernel.width": 10, "methods.bsn.labels": "soft", "networks.deeplab.scales": [0.5, 1.0]}
    with start_run(spec.parent.child("method", "bsn", params=params, tags={"data.pfcn": "0af3"})) as run:
        run.log_point({"train/loss": 0.5}, step=10)
        run.log_point({"train/loss": 0.25}, step=20)
        run.log_metrics({"pfcn/mean_iou": 0.9})
        run.log_artifact(picture, "examples")
    client = client_of(root)
    found = runs(client, spec)["bsn"]
    assert found.info.status == "FINISHED"
    assert found.data.params == {key: str(value) for key, value in params.items()}
    assert (found.data.tags["profile"], found.data.tags["data.pfcn"]) == ("mini", "0af3")
    assert found.data.metrics == {"train/loss": 0.25, "pfcn/mean_iou": 0.9}
    assert points(client, found, "train/loss") == [(10, 0.5), (20, 0.25)]
    assert [file.path for file in client.list_artifacts(found.info.run_id, "examples")] == ["examples/picture.png"]
    assert (root / "mlartifacts" / found.info.run_id / "artifacts/examples/picture.png").exists()


def test_flat_metrics_are_named_by_data_set_and_only_scalars_are_kept():
    sets = {"pfcn": {"photos": 3, "mean_iou": 0.9, "band": {"2": 0.3}}, "coco": {"absent": "no photo"}}
    assert flat_metrics(sets) == {"pfcn/photos": 3.0, "pfcn/mean_iou": 0.9}


def test_method_runs_are_children_of_one_run_of_their_study(root, spec):
    log(spec.parent.child("method", "portrait_fcn", tags={}))
    log(spec)
    found = runs(client_of(root), spec)
    assert set(found) == {"width-15", "portrait_fcn", "bsn"}
    parent = found["width-15"]
    assert parent.data.params == {"kernel.width": "15"}
    assert {found[name].data.tags["mlflow.parentRunId"] for name in ("portrait_fcn", "bsn")} == {parent.info.run_id}


def test_training_and_evaluation_share_one_run_with_the_training_s_duration(root, spec):
    log(spec, tags={WEIGHTS_TAG: "f00d"})
    trained = runs(client_of(root), spec)["bsn"].info
    log(spec, weights="f00d", metrics={"pfcn/mean_iou": 0.9})
    found = runs(client_of(root), spec)["bsn"]
    assert found.data.metrics == {"pfcn/mean_iou": 0.9}
    assert (found.info.status, found.info.end_time) == ("FINISHED", trained.end_time)
    assert TRAINED_IN_TAG not in found.data.tags


def test_a_run_with_cached_weights_links_to_the_run_that_trained_them(root, spec):
    log(spec, tags={WEIGHTS_TAG: "f00d"})
    trained = runs(client_of(root), spec)["bsn"].info
    other = RunSpec(experiment=spec.experiment, study="abc/width-5", kind="study", name="width-5")
    log(other.child("method", "again", tags={}), weights="f00d", metrics={"pfcn/mean_iou": 0.9})
    log(other.child("method", "foreign", tags={}), weights="beef")
    log(other.child("method", "baseline", tags={}))
    found = runs(client_of(root), spec)
    linked = found["again"].data
    assert linked.tags[TRAINED_IN_TAG] == trained.run_id
    assert f"#/experiments/{trained.experiment_id}/runs/{trained.run_id}" in linked.tags["mlflow.note.content"]
    assert linked.metrics == {"pfcn/mean_iou": 0.9}
    assert found["foreign"].data.tags[TRAINED_IN_TAG] == UNKNOWN
    assert TRAINED_IN_TAG not in found["baseline"].data.tags


def test_a_failed_run_reraises_and_marks_its_study_as_failed_until_the_next_run(root, spec):
    with pytest.raises(KeyError), start_run(spec):
        raise KeyError("science")
    client = client_of(root)
    assert {name: run.info.status for name, run in runs(client, spec).items()} == {
        "bsn": "FAILED",
        "width-15": "FAILED",
    }
    log(spec)
    statuses = {name: run.info.status for name, run in runs(client, spec).items()}
    assert statuses == {"bsn": "FINISHED", "width-15": "RUNNING"}


def test_a_failed_study_is_set_to_running_by_the_next_method(root, spec):
    with pytest.raises(KeyError), start_run(spec.parent):
        raise KeyError("a figure")
    log(spec)
    log(spec.parent.child("method", "portrait_fcn", tags={}))
    assert runs(client_of(root), spec)["width-15"].info.status == "RUNNING"


def test_parameters_and_points_beyond_mlflow_s_batch_limits_are_logged(root, spec):
    params = {f"key.{number}": number for number in range(250)}
    with start_run(spec.parent.child("method", "bsn", params=params, tags={})) as run:
        for step in range(1200):
            run.log_point({"loss": step}, step=step)
    client = client_of(root)
    found = runs(client, spec)["bsn"]
    assert found.data.params == {key: str(value) for key, value in params.items()}
    assert sorted(points(client, found, "loss")) == [(step, step) for step in range(1200)]


def test_a_list_of_198_photos_is_logged_whole_and_a_name_may_have_an_apostrophe(root, spec):
    photos = list(range(1000, 1198))
    study = replace(spec.parent, study="abc/it's", name="it's")
    for _ in range(2):
        log(study.child("method", "bsn", params={"validation": photos}, tags={}))
    found = runs(client_of(root), spec)
    assert set(found) == {"it's", "bsn"}
    assert found["bsn"].data.params == {"validation": str(photos)}


def test_a_resumed_training_logs_each_point_once_and_a_changed_result_last(root, spec):
    with pytest.raises(KeyboardInterrupt), start_run(spec) as run:  # noqa: PT012
        run.log_point({"train/loss": 0.5}, step=10)
        raise KeyboardInterrupt
    client = client_of(root)
    assert runs(client, spec)["bsn"].info.status == "KILLED"
    for result in (0.8, 0.8, 0.9):
        with start_run(spec) as run:
            for step, loss in ((10, 0.5), (20, 0.25)):  # the loop replays the curve of its checkpoint
                run.log_point({"train/loss": loss}, step=step)
            run.log_metrics({"pfcn/mean_iou": result})
    found = runs(client, spec)["bsn"]
    assert found.info.status == "FINISHED"
    assert points(client, found, "train/loss") == [(10, 0.5), (20, 0.25)]
    assert points(client, found, "pfcn/mean_iou") == [(0, 0.8), (0, 0.9)]
    assert found.data.metrics["pfcn/mean_iou"] == 0.9


def start(root, spec, *arguments, **options):
    return subprocess.Popen([sys.executable, "-c", WORK, spec.experiment, *arguments], cwd=REPOSITORY, **options)


def test_a_killed_run_is_marked_as_killed_at_the_next_start_and_keeps_its_metrics(root, spec):
    assert start(root, spec, "killed", str(int(signal.SIGKILL))).wait() == -signal.SIGKILL
    client = client_of(root)
    assert runs(client, spec)["killed"].info.status == "RUNNING"
    log(spec)
    found = runs(client, spec)
    assert (found["killed"].info.status, found["study"].info.status) == ("KILLED", "FAILED")
    assert found["killed"].data.metrics == {"pfcn/mean_iou": 0.9}


def test_a_killed_run_whose_study_was_deleted_is_marked_as_killed_too(root, spec):
    assert start(root, spec, "killed", str(int(signal.SIGKILL))).wait() == -signal.SIGKILL
    client = client_of(root)
    client.delete_run(runs(client, spec)["study"].info.run_id)
    log(spec)
    found = {
        run.info.run_name: run.info.status for run in client.search_runs([runs(client, spec)["bsn"].info.experiment_id])
    }
    assert (found["killed"], found["bsn"]) == ("KILLED", "FINISHED")


def test_an_interrupted_run_is_marked_as_killed_at_once_and_keeps_its_curve(root, spec):
    assert start(root, spec, "interrupted", str(int(signal.SIGINT)), stderr=subprocess.DEVNULL).wait() == -signal.SIGINT
    found = runs(client_of(root), spec)["interrupted"]
    assert (found.info.status, found.data.metrics) == ("KILLED", {"pfcn/mean_iou": 0.9, "train/loss": 1.0})


def test_runs_of_live_processes_or_other_hosts_are_not_marked_as_killed(root, spec):
    client = client_of(root)
    with start_run(spec):
        log(spec.parent.child("method", "beside", tags={}))
        assert runs(client, spec)["bsn"].info.status == "RUNNING"
    run = runs(client, spec)["bsn"].info.run_id
    for process, status in (("elsewhere 1 0.0", "RUNNING"), (f"{socket.gethostname()} 1 0.0", "KILLED")):
        client.update_run(run, status="RUNNING")
        client.set_tag(run, PROCESS_TAG, process)  # on this host, process 1 started at another time
        log(spec.parent.child("method", "beside", tags={}))
        assert runs(client, spec)["bsn"].info.status == status


def test_concurrent_processes_create_one_database_and_log_their_runs(root, spec):
    (root / "mlflow.db").unlink()
    names = ["portrait_fcn", "portrait_deeplab", "bsn_gk", "bsn"]
    processes = [start(root, spec, name, stderr=subprocess.PIPE, text=True) for name in names]
    assert [process.communicate()[1] for process in processes] == [""] * 4
    found = runs(client_of(root), spec)
    assert set(found) == {*names, "study"}
    assert {found[name].data.metrics["pfcn/mean_iou"] for name in names} == {0.9}


@pytest.mark.parametrize("how", ["no folder", "damaged"])
def test_a_database_that_cannot_be_opened_causes_one_warning_and_the_work_continues(root, spec, monkeypatch, how):
    if how == "damaged":
        (root / "mlflow.db").write_text("this is no database, and long enough to be taken for one " * 20)
    else:
        monkeypatch.setenv("DVC_ROOT", "/proc/nowhere")
    done = []
    with pytest.warns(UserWarning, match=r"this run is incomplete in mlflow.db \(.+\); the stage goes on") as caught:  # noqa: SIM117, PT031
        with start_run(spec) as run:
            run.log_point({"train/loss": 0.5}, step=10)
            run.log_metrics({"pfcn/mean_iou": 0.9})
            done.append("science")
    assert (done, len(caught)) == (["science"], 1)


def test_failed_writes_cause_one_warning_and_the_rest_is_written(root, spec, tmp_path):
    with pytest.warns(UserWarning, match="this run is incomplete") as caught:  # noqa: SIM117, PT031
        with start_run(spec) as run:
            run.log_artifact(tmp_path / "nothing.png")
            run.log_artifact(tmp_path / "nothing else.png")
            run.log_metrics({"pfcn/mean_iou": 0.9})
    assert len(caught) == 1
    assert runs(client_of(root), spec)["bsn"].data.metrics == {"pfcn/mean_iou": 0.9}


def test_metrics_that_a_locked_database_refuses_are_written_later(root, spec, monkeypatch):
    with pytest.warns(UserWarning, match=r"\(database is locked\)"), start_run(spec) as run:  # noqa: PT031
        write, refused = run._client.log_batch, []

        def refuse_once(*arguments, **options):
            if not refused:
                refused.append(arguments)
                raise MlflowException("database is locked")
            write(*arguments, **options)

        monkeypatch.setattr(run._client, "log_batch", refuse_once)
        run.log_metrics({"pfcn/mean_iou": 0.9})
    assert runs(client_of(root), spec)["bsn"].data.metrics == {"pfcn/mean_iou": 0.9}


def test_logging_a_model_twice_registers_it_once(root, spec, trained, tmp_path):
    np.save(tmp_path / "mean_mask.npy", np.zeros((800, 600), np.float32))
    uris = set()
    for _ in range(2):
        with start_run(spec) as run:
            run.log_model(trained, aligned_mean_mask=tmp_path / "mean_mask.npy")
        uris.add(run.model_uri)
    client = client_of(root)
    found = runs(client, spec)["bsn"]
    (model,) = client.search_logged_models([found.info.experiment_id])
    assert uris == {f"models:/{model.model_id}"}
    assert (model.name, model.status, model.source_run_id) == ("portrait_fcn", "READY", found.info.run_id)
    assert model.params == {"kernel.width": "15"}
    assert [output.model_id for output in found.outputs.model_outputs] == [model.model_id]
    assert found.data.tags[WEIGHTS_TAG] == file_fingerprint(trained / "weights.safetensors")
