"""Recording of a finished study in mlflow.db."""

import json
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from bsn.methods.prediction import PhotoFile
from study.evaluation import Sample
from study.figures.sheet import BOUNDARY
from study.provenance import environment, write_timing
from study.tracking.recording import draw_examples, headline, record_study, results_hash
from study.tracking.runs import WEIGHTS_TAG, RunSpec, start_run
from tests.study.tracking.conftest import client_of, runs
from tests.study.tracking.test_runs import points

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


def files(root, run):
    kept = root / "mlartifacts" / run.info.run_id / "artifacts"
    return sorted(str(file.relative_to(kept)) for file in kept.rglob("*.*"))


def test_headline_is_read_from_metrics_headline(finished):
    assert headline(finished) == {"bsn/mean_iou": 0.9}


def test_results_hash_depends_on_parameters_and_method_metrics_but_not_on_tables_json(finished):
    first = results_hash({"seed": 1}, finished)
    assert results_hash({"seed": 2}, finished) != first
    (finished / "metrics/tables.json").write_text(json.dumps({"pfcn": {"bsn": {"mean_iou": 0.9}}}))
    assert results_hash({"seed": 1}, finished) == first
    (finished / "metrics/methods/bsn.json").write_text(
        json.dumps({"method": "bsn", "sets": {"pfcn": {"mean_iou": 0.8}}})
    )
    assert results_hash({"seed": 1}, finished) != first


WHOLE = RunSpec(
    experiment="bsn-sketch",
    study="abc",
    kind="study",
    name="moody-cat",
    params={"seed": 1},
    tags={"profile": "mini"},
)


def test_a_study_recorded_twice_has_its_tables_figures_and_methods_once(finished, root, monkeypatch):
    monkeypatch.chdir(finished)
    write_timing("bsn", {"pfcn": 0.5}, profile="mini", weights="f00d")
    for _ in range(2):
        record_study(WHOLE, finished, tags={"machine": "a loom"})
    client = client_of(root)
    found = runs(client, WHOLE)
    assert set(found) == {"moody-cat", "bsn"}
    study, method = found["moody-cat"], found["bsn"]
    assert study.data.metrics == {"bsn/mean_iou": 0.9}
    assert (study.data.tags["machine"], study.data.tags["results"]) == ("a loom", results_hash({"seed": 1}, finished))
    assert method.data.metrics == {"pfcn/photos": 3.0, "pfcn/mean_iou": 0.9, "pfcn/seconds_per_photo": 0.5}
    assert (method.data.tags["weights"], method.data.tags["machine"]) == ("f00d", environment()["machine"])
    assert points(client, method, "pfcn/mean_iou") == [(0, 0.9)]
    assert files(root, study) == ["figures/figure2.jpg", "tables/table1.md"]
    assert files(root, method) == ["bsn.json"]


def test_evaluation_is_logged_to_the_training_run_without_timings_of_other_weights(finished, root, monkeypatch):
    monkeypatch.chdir(finished)
    write_timing("bsn", {"pfcn": 0.5}, profile="mini", weights="beef")
    with start_run(WHOLE.child("method", "bsn", tags={"machine": "a loom"})) as run:
        run.log_point({"train/loss": 0.5}, step=10)
        run.set_tag(WEIGHTS_TAG, "f00d")
    record_study(WHOLE, finished)
    method = runs(client_of(root), WHOLE)["bsn"]
    assert method.data.metrics == {"train/loss": 0.5, "pfcn/photos": 3.0, "pfcn/mean_iou": 0.9}
    assert (method.data.tags["machine"], "trained_in" in method.data.tags) == ("a loom", False)


def test_a_study_without_figures_is_recorded_as_finished(finished, root):
    with start_run(WHOLE.child("method", "bsn", tags={})):
        pass
    assert runs(client_of(root), WHOLE)["moody-cat"].info.status == "RUNNING"
    shutil.rmtree(finished / "reports/figures")
    record_study(WHOLE, finished)
    study = runs(client_of(root), WHOLE)["moody-cat"]
    assert (study.info.status, study.data.metrics) == ("FINISHED", {"bsn/mean_iou": 0.9})
    assert files(root, study) == ["tables/table1.md"]


@pytest.mark.parametrize("orientation", [1, 6])
def test_mlflow_examples_draw_the_predicted_contour_on_the_stored_photo(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = Image.new("RGB", (120, 80), (40, 60, 80))
    photo.save(tmp_path / "a.jpg", exif=exif)
    mask = np.zeros((80, 120), np.uint8)
    mask[20:60, 30:90] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    file = PhotoFile(photo=tmp_path / "a.jpg", affine=None, mask=tmp_path / "mask.png")
    (drawn,) = draw_examples([Sample(set="pfcn", id="a", file=file, target=tmp_path / "mask.png")], tmp_path)
    picture = np.asarray(Image.open(drawn)).astype(int)
    assert picture.shape == (80, 120, 3)
    # The middle of the left side of the contour, and a place far from it.
    assert abs(picture[40, 30] - BOUNDARY).max() < 60
    assert abs(picture[40, 60] - (40, 60, 80)).max() < 12
