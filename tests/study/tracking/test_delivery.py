"""What MLflow holds of a journal, once and however often it is sent."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from safetensors.torch import save_file

from bsn.models import build
from study.tracking import WEIGHTS_TAG, post, send_all, waiting
from study.tracking.delivery import Delivery
from study.tracking.journal import Journal
from tests.study.tracking.conftest import runs


def told(store, card, *, metrics=None, tags=None, status="FINISHED", only_if_absent=False):
    """A run that says so much, sent."""
    journal = Journal(store, card, only_if_absent=only_if_absent)
    journal.metrics(metrics or {}, step=0)
    journal.write("tags", tags=tags or {})
    journal.close(status)
    sent = send_all(store.outbox, store.uri)
    assert sent.failed == []
    return runs(store)


def test_parameters_tags_metrics_and_files_are_there_and_the_outbox_is_empty(store, card, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    params = {"kernel.width": 10, "methods.bsn.labels": "soft", "networks.deeplab.scales": [0.5, 1.0]}
    post(
        store,
        replace(card, params=params, tags={"profile": "sketch"}),
        metrics={"pfcn/mean_iou": 0.9},
        artifacts={picture: "examples"},
    )
    sent = send_all(store.outbox, store.uri)
    assert (sent.runs, sent.failed, waiting(store.outbox)) == (1, [], {})
    found = runs(store)["bsn"]
    assert found.info.status == "FINISHED"
    assert found.data.params == {key: str(value) for key, value in params.items()}
    assert found.data.tags["profile"] == "sketch"
    assert found.data.metrics == {"pfcn/mean_iou": 0.9}
    files = MlflowClient(store.uri).list_artifacts(found.info.run_id, "examples")
    assert [file.path for file in files] == ["examples/picture.png"]


def test_a_run_hangs_under_that_of_its_study_which_is_made_once(store, card):
    told(store, replace(card, name="portrait_fcn"))
    found = told(store, card)
    assert set(found) == {"width-15", "portrait_fcn", "bsn"}
    parent = found["width-15"]
    assert parent.data.params == {"kernel.width": "15"}
    assert {found[name].data.tags["mlflow.parentRunId"] for name in ("portrait_fcn", "bsn")} == {parent.info.run_id}


def test_training_and_evaluation_of_a_method_in_a_study_are_one_run(store, card):
    told(store, card, tags={WEIGHTS_TAG: "f00d"})
    found = told(store, replace(card, weights="f00d"), metrics={"pfcn/mean_iou": 0.9})["bsn"]
    assert found.data.metrics == {"pfcn/mean_iou": 0.9}
    assert found.info.status == "FINISHED"
    assert "trained_in" not in found.data.tags


def test_weights_out_of_the_cache_get_a_run_that_names_the_one_that_trained_them(store, card):
    trained = told(store, card, tags={WEIGHTS_TAG: "f00d"})["bsn"].info
    other = replace(card.parent, study="abc/width-5", name="width-5")
    cached = replace(card, study=other.study, name="bsn again", parent=other, weights="f00d")
    linked = told(store, cached, only_if_absent=True, metrics={"pfcn/mean_iou": 0.9})["bsn again"].data
    assert linked.tags["trained_in"] == trained.run_id
    assert f"#/experiments/{trained.experiment_id}/runs/{trained.run_id}" in linked.tags["mlflow.note.content"]
    assert linked.metrics == {"pfcn/mean_iou": 0.9}


def test_a_run_that_is_there_stays_as_it_is_where_only_an_absent_one_was_to_be_made(store, card):
    told(store, card, metrics={"pfcn/mean_iou": 0.9})
    found = told(store, card, metrics={"pfcn/mean_iou": 0.1}, only_if_absent=True)
    assert found["bsn"].data.metrics == {"pfcn/mean_iou": 0.9}


def test_a_failed_run_marks_its_study_until_another_goes_on(store, card):
    found = told(store, card, status="FAILED")
    assert {name: run.info.status for name, run in found.items()} == {"bsn": "FAILED", "width-15": "FAILED"}
    found = told(store, card)
    assert {name: run.info.status for name, run in found.items()} == {"bsn": "FINISHED", "width-15": "RUNNING"}


def test_more_parameters_and_points_than_mlflow_takes_at_once(store, card):
    params = {f"key.{number}": number for number in range(250)}
    journal = Journal(store, replace(card, params=params))
    for step in range(1200):
        journal.metrics({"loss": step}, step=step)
    journal.close("FINISHED")
    assert send_all(store.outbox, store.uri).failed == []
    found = runs(store)["bsn"]
    assert found.data.params == {key: str(value) for key, value in params.items()}
    history = MlflowClient(store.uri).get_metric_history(found.info.run_id, "loss")
    assert sorted(point.value for point in history) == list(range(1200))


class Flaky:
    """A client whose every answer is lost once: the server has done what it was asked, and the sender can't know."""

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


@pytest.fixture
def trained(tmp_path):
    """A trained folder of models/."""
    folder, options = tmp_path / "portrait_fcn", {"classes": 2, "base_width": 2}
    folder.mkdir()
    save_file(build("fcn8s", **options).state_dict(), folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps({"network": "fcn8s", "options": options, "size": [64, 48]}))
    return folder


def test_what_is_sent_again_because_an_answer_was_lost_is_there_once(store, card, trained, tmp_path):
    np.save(tmp_path / "mean_mask.npy", np.zeros((800, 600), np.float32))
    journal = Journal(store, card)
    journal.metrics({"train/loss": 0.5}, step=10)
    journal.metrics({"train/loss": 0.25}, step=20)
    mean_mask = journal.keep(tmp_path / "mean_mask.npy")
    journal.write("model", method=journal.keep(trained), mean_mask=mean_mask)
    journal.close("FINISHED")
    flaky, losses = Flaky(MlflowClient(store.uri)), 0
    while True:
        delivery = Delivery(journal.folder, flaky)
        try:
            delivery.advance()
            break
        except ConnectionError:
            losses += 1
    assert losses > 10
    client = MlflowClient(store.uri)
    experiment = client.get_experiment_by_name(store.experiment).experiment_id
    everything = client.search_runs([experiment])
    assert sorted(run.info.run_name for run in everything) == ["bsn", "width-15"]
    run = runs(store)["bsn"]
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(10, 0.5), (20, 0.25)]
    (model,) = client.search_logged_models([experiment])
    assert delivery.model == f"models:/{model.model_id}"
    assert (model.name, model.status, model.source_run_id) == ("portrait_fcn", "READY", run.info.run_id)
    assert model.params == {"kernel.width": "15"}
    assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]


def test_a_run_made_only_if_absent_is_whole_though_an_answer_was_lost(store, card):
    post(store, card, metrics={"pfcn/mean_iou": 0.9}, artifacts={}, only_if_absent=True)
    (folder,) = store.outbox.glob("[0-9]*")
    flaky = Flaky(MlflowClient(store.uri))
    while True:
        try:
            Delivery(folder, flaky).advance()
            break
        except ConnectionError:
            pass
    found = runs(store)["bsn"]
    assert (found.data.metrics, found.data.params) == ({"pfcn/mean_iou": 0.9}, {"kernel.width": "15"})
    assert found.info.status == "FINISHED"


def test_a_run_that_mlflow_refuses_is_named_and_keeps_no_other_back(store, card, tmp_path):
    refused = Journal(store, replace(card, name="no network"))
    np.save(tmp_path / "mean_mask.npy", np.zeros((800, 600), np.float32))
    (tmp_path / "baseline").mkdir()
    refused.write(
        "model", method=refused.keep(tmp_path / "baseline"), mean_mask=refused.keep(tmp_path / "mean_mask.npy")
    )
    refused.close("FINISHED")
    post(store, card, metrics={"pfcn/mean_iou": 0.9}, artifacts={})
    sent = send_all(store.outbox, store.uri)
    assert sent.runs == 1
    (line,) = sent.failed
    assert line.startswith("no network of abc/width-15: ")
    assert "holds no weights.safetensors" in line
    assert waiting(store.outbox) == {store.uri: 1}
    assert runs(store)["bsn"].data.metrics == {"pfcn/mean_iou": 0.9}


def test_a_password_is_written_nowhere(card, tmp_path, store):
    secret = replace(store, uri="postgresql://me:s3cret@127.0.0.1:1/runs")
    post(secret, card, metrics={}, artifacts={})
    written = "".join(file.read_text() for file in Path(store.outbox).rglob("*") if file.is_file())
    assert "s3cret" not in written
    assert waiting(store.outbox) == {"postgresql://me@127.0.0.1:1/runs": 1}
