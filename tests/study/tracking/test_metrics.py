import json
import shutil

import pytest

from study.tracking import Card, Store, post, send_all
from study.tracking.metrics import flat_metrics, headline, post_study, results
from study.tracking.stages import part
from tests.study.tracking.conftest import runs

SETS = {"pfcn": {"photos": 3, "mean_iou": 0.9, "band": {"2": 0.3}}, "coco": {"absent": "no photo"}}


@pytest.fixture
def finished(tmp_path):
    """metrics/ and reports/ of a study of one trained method."""
    folder = tmp_path / "study"
    (folder / "metrics/headline").mkdir(parents=True)
    (folder / "metrics/methods").mkdir()
    (folder / "reports/figures").mkdir(parents=True)
    (folder / "metrics/methods/bsn.json").write_text(json.dumps({"method": "bsn", "weights": "f00d", "sets": SETS}))
    (folder / "metrics/headline/bsn.json").write_text(json.dumps({"bsn": {"mean_iou": 0.9}}))
    (folder / "reports/table1.md").write_text("| BSN |")
    (folder / "reports/figures/figure2.jpg").write_bytes(b"jpg")
    return folder


def test_metrics_are_grouped_by_set_and_only_what_one_number_tells_is_there():
    assert flat_metrics(SETS) == {"pfcn/photos": 3.0, "pfcn/mean_iou": 0.9}


def test_the_headline_is_what_dvc_shows(finished):
    assert headline(finished) == {"bsn/mean_iou": 0.9}


def test_results_change_with_any_parameter_and_any_measured_number_and_with_nothing_else(finished):
    first = results({"seed": 1}, finished)
    assert results({"seed": 2}, finished) != first
    (finished / "metrics/tables.json").write_text(json.dumps({"pfcn": {"bsn": {"mean_iou": 0.9}}}))
    assert results({"seed": 1}, finished) == first
    (finished / "metrics/methods/bsn.json").write_text(
        json.dumps({"method": "bsn", "sets": {"pfcn": {"mean_iou": 0.8}}})
    )
    assert results({"seed": 1}, finished) != first


@pytest.fixture
def store(tmp_path):
    return Store(
        uri=f"sqlite:///{tmp_path}/mlflow.db",
        experiment="bsn-sketch",
        outbox=tmp_path / "outbox",
        artifacts=tmp_path / "artifacts",
    )


WHOLE = Card(study="abc", kind="study", name="moody-cat", params={"seed": 1})


def test_a_study_is_told_with_its_tables_figures_and_methods(finished, store, tmp_path):
    post_study(store, WHOLE, finished, tags={"machine": "a loom"})
    assert send_all(store.outbox, store.uri).failed == []
    found = runs(store)
    assert set(found) == {"moody-cat", "bsn"}
    told, method = found["moody-cat"], found["bsn"]
    assert told.data.metrics == {"bsn/mean_iou": 0.9}
    assert (told.data.tags["machine"], told.data.tags["results"]) == ("a loom", results({"seed": 1}, finished))
    assert method.data.metrics == {"pfcn/photos": 3.0, "pfcn/mean_iou": 0.9}
    assert method.data.tags["weights"] == "f00d"
    kept = tmp_path / "artifacts" / told.info.run_id / "artifacts"
    assert sorted(str(file.relative_to(kept)) for file in kept.rglob("*.*")) == [
        "figures/figure2.jpg",
        "tables/table1.md",
    ]


def test_a_study_that_one_of_its_methods_has_begun_is_finished_from_a_commit_which_holds_no_figures(finished, store):
    post(store, part(WHOLE, "bsn"), metrics={}, artifacts={})  # as by a stage; the study's run is made, and left open
    shutil.rmtree(finished / "reports/figures")
    post_study(store, WHOLE, finished)
    assert send_all(store.outbox, store.uri).failed == []
    study = runs(store)["moody-cat"]
    assert (study.info.status, study.data.metrics) == ("FINISHED", {"bsn/mean_iou": 0.9})
    kept = store.artifacts / study.info.run_id / "artifacts"
    assert [str(file.relative_to(kept)) for file in kept.rglob("*.*")] == ["tables/table1.md"]
