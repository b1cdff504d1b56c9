import json
import time
import warnings

import numpy as np
import pytest
from mlflow import MlflowClient
from safetensors.torch import save_file

from bsn.models import build
from bsn.tracking import EVALUATED_TAG, WEIGHTS_TAG, Store, tracked_run


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """One empty MLflow database; creating it takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return folder


@pytest.fixture
def store(database, request):
    return Store(uri=f"sqlite:///{database}/mlflow.db", experiment=request.node.name, artifacts=database / "artifacts")


def runs(store):
    client = MlflowClient(store.uri)
    return client.search_runs([client.get_experiment_by_name(store.experiment).experiment_id])


def test_a_run_holds_parameters_tags_curves_metrics_and_files(store, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    params = {"kernel.width": 10, "methods.bsn.labels": "soft", "networks.deeplab.scales": [0.5, 1.0]}
    with tracked_run(store, name="bsn", params=params, tags={"profile": "sketch"}) as run:
        run.point({"train/loss": 0.5}, step=10)
        run.point({"train/loss": 0.25}, step=20)
        run.metrics({"pfcn/mean_iou": 0.9})
        run.artifact(picture, "examples")
    (found,) = runs(store)
    assert found.info.run_name == "bsn"
    assert found.info.status == "FINISHED"
    assert found.data.params == {key: str(value) for key, value in params.items()}
    assert found.data.tags["profile"] == "sketch"
    assert found.data.metrics["pfcn/mean_iou"] == 0.9
    client = MlflowClient(store.uri)
    history = client.get_metric_history(found.info.run_id, "train/loss")
    assert [(metric.step, metric.value) for metric in history] == [(10, 0.5), (20, 0.25)]
    assert [file.path for file in client.list_artifacts(found.info.run_id, "examples")] == ["examples/picture.png"]


def test_the_evaluation_goes_on_in_the_run_that_trained_the_weights(store):
    with tracked_run(store, name="bsn", params={}, tags={}) as run:
        run.tag(WEIGHTS_TAG, "abc")
    with tracked_run(store, name="bsn", params={}, tags={}, weights="abc") as run:
        run.metrics({"pfcn/mean_iou": 0.9})
        run.tag(EVALUATED_TAG, "yes")
    (found,) = runs(store)
    assert found.data.metrics == {"pfcn/mean_iou": 0.9}
    assert found.info.status == "FINISHED"


def test_an_evaluation_under_changed_parameters_keeps_its_metrics_and_tells_the_change(store):
    trained, evaluated = {"seed": 1, "min_face": 0.1}, {"seed": 1, "min_face": 0.2, "year": None}
    with tracked_run(store, name="bsn", params=trained, tags={}) as run:
        run.tag(WEIGHTS_TAG, "abc")
    # Broken off and begun again under a third value: a tag, unlike a parameter, can change.
    for min_face in (0.3, 0.2):
        with tracked_run(store, name="bsn", params={**evaluated, "min_face": min_face}, tags={}, weights="abc") as run:
            run.metrics({"pfcn/mean_iou": 0.9})
    (found,) = runs(store)
    assert found.data.metrics == {"pfcn/mean_iou": 0.9}
    assert found.data.params == {"seed": "1", "min_face": "0.1", "year": "None"}
    assert {key: value for key, value in found.data.tags.items() if key.startswith(EVALUATED_TAG)} == {
        "evaluated.min_face": "0.2"
    }


def test_a_run_takes_more_parameters_than_mlflow_takes_at_once(store):
    params = {f"key.{number}": number for number in range(250)}
    with tracked_run(store, name="bsn", params=params, tags={}):
        pass
    assert runs(store)[0].data.params == {key: str(value) for key, value in params.items()}


def test_weights_that_were_evaluated_before_get_a_new_run(store):
    for _ in range(2):
        with tracked_run(store, name="bsn", params={}, tags={WEIGHTS_TAG: "abc"}, weights="abc") as run:
            run.tag(EVALUATED_TAG, "yes")
    assert len(runs(store)) == 2


def test_a_run_whose_work_fails_is_marked_failed_and_the_error_goes_on(store):
    with pytest.raises(KeyError), tracked_run(store, name="bsn", params={}, tags={}):
        raise KeyError("science")
    assert runs(store)[0].info.status == "FAILED"


def test_a_dead_server_costs_one_warning_and_a_few_seconds():
    # Port 9 is nobody's: the connection is refused at once, as by a server that is down.
    store, done = Store(uri="http://127.0.0.1:9", experiment="any"), []
    started = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with tracked_run(store, name="bsn", params={"seed": 1}, tags={}) as run:
            run.point({"loss": 1.0}, step=1)
            run.metrics({"mean_iou": 0.9})
            done.append("science")
    ours = [str(warning.message) for warning in caught if "MLflow does not take this run" in str(warning.message)]
    assert len(ours) == 1
    assert done == ["science"]
    assert time.monotonic() - started < 10


def test_a_model_that_can_not_be_made_costs_one_warning_and_the_run_goes_on(store, tmp_path):
    (tmp_path / "model.json").write_text('{"network": "graph_cut", "options": {}}')
    with tracked_run(store, name="graph_cut", params={}, tags={}) as run:
        with pytest.warns(UserWarning, match=f"does not take the model of {tmp_path.name} .*has no network"):
            assert run.model(tmp_path, aligned_mean_mask=np.zeros((800, 600), np.float32)) is None
        run.metrics({"pfcn/mean_iou": 0.8})
    (found,) = runs(store)
    assert found.data.metrics == {"pfcn/mean_iou": 0.8}
    assert found.info.status == "FINISHED"
    assert MlflowClient(store.uri).search_logged_models([found.info.experiment_id]) == []


def test_a_trained_method_is_logged_as_a_model_of_its_run(store, tmp_path):
    folder, options = tmp_path / "portrait_fcn", {"classes": 2, "base_width": 2}
    folder.mkdir()
    save_file(build("fcn8s", **options).state_dict(), folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps({"network": "fcn8s", "options": options, "size": [64, 48]}))
    with tracked_run(store, name="portrait_fcn", params={"seed": 1}, tags={}) as run:
        uri = run.model(folder, aligned_mean_mask=np.zeros((800, 600), np.float32))
    (found,) = runs(store)
    client = MlflowClient(store.uri)
    (logged,) = client.search_logged_models([found.info.experiment_id])
    assert uri == f"models:/{logged.model_id}"
    assert (logged.name, logged.status, logged.source_run_id) == ("portrait_fcn", "READY", found.info.run_id)
    assert logged.params == {"seed": "1"}
    assert [output.model_id for output in found.outputs.model_outputs] == [logged.model_id]
