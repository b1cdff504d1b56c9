"""Images of `compare/` for the slider: overlays match the masks, are small and are deterministic."""

import json
import shutil
from dataclasses import asdict

import cv2
import numpy as np
import pytest
from PIL import Image

from study.page.comparison import Comparison, compare, overlay
from study.tables.results import read_results


def made(run, folder):
    results = read_results(
        run / "metrics", run / "data/portraits", profile="sketch", drawn=True, seed=1, min_face=0.1, min_on_mask=0.5
    )
    return compare(results, run / "data/portraits", run / "data/predictions", folder)


def rgba(file) -> np.ndarray:
    return np.asarray(Image.open(file).convert("RGBA"))


def test_overlay_covers_the_background_and_not_the_portrait():
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 3:] = 1
    shown = np.asarray(overlay(mask, (4, 4)).convert("RGBA"))
    # Columns of 2 pixels: all background, half of each, all portrait, all portrait.
    assert shown[0, :, 3].tolist() == [224, 149, 0, 0]
    assert (shown[0, 0, :3] == 246).all()


def test_overlay_treats_ignored_pixels_as_background():
    assert (
        np.asarray(overlay(np.full((4, 4), 255, np.uint8), (2, 2)).convert("RGBA"))[..., 3].tolist() == [[224] * 2] * 2
    )


def test_each_photo_folder_has_the_photo_the_true_mask_and_every_method_s_mask(run, tmp_path):
    comparison = made(run, tmp_path / "compare")
    assert json.loads((tmp_path / "compare/compare.json").read_text("utf-8")) == asdict(comparison)
    names = ["graph_cut", "portrait_fcn", "portrait_deeplab", "bsn_ac", "bsn_gk", "bsn_ik", "bsn"]
    assert [method["key"] for method in comparison.methods] == names
    assert len(comparison.photos) == 4
    for photo in comparison.photos:
        folder = tmp_path / "compare" / photo.id
        assert {file.name for file in folder.iterdir()} == {
            "photo.jpg",
            "truth.png",
            *(f"{name}.png" for name in names),
        }
        assert {Image.open(file).size for file in folder.iterdir()} == {(120, 160)} == {(photo.width, photo.height)}
        truth = cv2.imread(str(run / f"data/portraits/pfcn/masks/{photo.id}.png"), cv2.IMREAD_GRAYSCALE)
        assert ((rgba(folder / "truth.png")[..., 3] == 0) == (truth == 1)).all()
        bsn = cv2.imread(str(run / f"data/predictions/bsn/pfcn/{photo.id}.png"), cv2.IMREAD_GRAYSCALE)
        assert ((rgba(folder / "bsn.png")[..., 3] == 0) == (bsn == 255)).all()
        inside, outside = np.sum((truth == 1) & (bsn == 255)), np.sum((truth == 1) | (bsn == 255))
        assert photo.scores["bsn"]["iou"] == pytest.approx(inside / outside, abs=1e-6)


def test_large_photos_and_masks_are_downscaled(run, tmp_path):
    for file in (*(run / "data/portraits/pfcn").glob("*/*.png"), *(run / "data/predictions").glob("*/pfcn/*.png")):
        image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(file), cv2.resize(image, (600, 800), interpolation=cv2.INTER_NEAREST))
    photo = made(run, tmp_path / "compare").photos[0]
    assert (photo.width, photo.height) == (480, 640)
    assert Image.open(tmp_path / f"compare/{photo.id}/photo.jpg").size == (480, 640)
    assert (tmp_path / f"compare/{photo.id}/bsn.png").stat().st_size < 8_000


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    for name in ("first", "second"):
        made(run, tmp_path / name)
    files = [file for file in (tmp_path / "first").rglob("*") if file.is_file()]
    assert len(files) == 4 * 9 + 1
    for file in files:
        assert file.read_bytes() == (tmp_path / "second" / file.relative_to(tmp_path / "first")).read_bytes()


def test_a_method_without_predictions_is_left_out(run, tmp_path):
    shutil.rmtree(run / "data/predictions/bsn")
    comparison = made(run, tmp_path / "compare")
    assert comparison.subject == "bsn_ik"
    assert "bsn" not in comparison.photos[0].scores


def test_without_pfcn_the_comparison_is_empty(run, tmp_path):
    shutil.rmtree(run / "data/portraits/pfcn")
    shutil.rmtree(run / "data/predictions")
    assert made(run, tmp_path / "compare") == Comparison(methods=[], subject=None, photos=[])
