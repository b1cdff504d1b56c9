"""All figures of the hand-made run in tests/study/conftest.py."""

import shutil
from functools import partial
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from bsn.faces import Face
from study.figures import FIGURES, boundaries, draw_all, samples
from study.figures.material import evenly_spaced
from study.figures.sheet import MARGIN, blank, faded_background, grid, outlined


def captions(material, folder) -> dict[str, str]:
    return {entry["file"]: entry["caption"] for entry in draw_all(material, folder)}


def test_every_figure_is_drawn_and_not_blank(material, tmp_path):
    told = captions(material, tmp_path / "figures")
    assert list(told) == [figure.file for figure in FIGURES]
    for file, caption in told.items():
        picture = np.asarray(Image.open(tmp_path / "figures" / file))
        assert picture.shape[1] > 500, file
        assert picture.std() > 10, file
        assert not caption.startswith("Not drawn"), file


def test_the_same_inputs_give_the_same_bytes(material, tmp_path):
    draw_all(material, tmp_path / "a")
    draw_all(material, tmp_path / "b")
    for figure in FIGURES:
        assert (tmp_path / "a" / figure.file).read_bytes() == (tmp_path / "b" / figure.file).read_bytes()


def test_figures_of_sets_without_photos_are_placeholders_with_the_reason(material, run, tmp_path):
    for index in run.glob("data/portraits/*/index.csv"):
        index.write_text(index.read_text().splitlines(keepends=True)[0])
    shutil.rmtree(run / "data/predictions")
    shutil.rmtree(run / "models")
    shutil.rmtree(run / "metrics")
    material.margins.unlink()
    told = captions(material, tmp_path / "figures")
    assert told["figure4.jpg"] == "Not drawn. No PFCN photos in this run."
    assert told["portrait_margins.png"] == "Not drawn. No COCO, COCO-Stuff or PASCAL VOC photos in this run."
    assert told["bands.png"] == "Not drawn. No method was run on PFCN."
    assert told["scatter.png"] == "Not drawn. BSN was not run on PFCN."
    assert told["curves.png"] == "Not drawn. No network was trained in this run."
    assert Image.open(tmp_path / "figures/figure4.jpg").height == 220
    assert Image.open(tmp_path / "figures/figure5.jpg").height > 220  # One placeholder line per set, not one for all.


def test_without_a_method_s_predictions_its_cells_or_figures_are_left_out(material, run, tmp_path):
    shutil.rmtree(run / "data/predictions/bsn")
    (run / "metrics/photos/bsn.csv").unlink()
    told = captions(material, tmp_path / "figures")
    for file in ("figure7.jpg", "figure8.jpg", "figure9.jpg", "scatter.png", "extremes.jpg", "error_map.jpg"):
        assert told[file] == "Not drawn. BSN was not run on PFCN."
    assert not told["figure6.jpg"].startswith("Not drawn")
    assert "interval of PortraitDeepLabv2." in told["bands.png"]


def test_clutter_counts_edges_in_the_background_only():
    mask = np.zeros((400, 300), np.uint8)
    mask[100:, 80:220] = 1
    stripes = np.zeros((400, 300, 3), np.uint8)
    stripes[:, ::8] = 255
    plain_behind, plain_before = stripes.copy(), stripes.copy()
    plain_behind[mask == 0] = 0
    plain_before[mask == 1] = 0
    assert samples.clutter(plain_behind, mask) == 0
    assert samples.clutter(plain_before, mask) > 0.1


def test_strangers_is_the_area_of_faces_outside_the_portrait():
    mask = np.zeros((100, 100), np.uint8)
    mask[:, 50:] = 1
    on, off = np.float32([60, 10, 90, 40]), np.float32([5, 10, 25, 30])
    faces = [Face(box, 0.99, np.zeros((5, 2), np.float32)) for box in (on, off)]
    detector = SimpleNamespace(detect=lambda photo: faces)
    assert samples.strangers(np.zeros((100, 100, 3), np.uint8), mask, detector=detector) == pytest.approx(0.04)


def test_without_strangers_the_hardest_photo_is_shown_instead(material, run):
    for method in ("portrait_fcn", "portrait_deeplab"):  # One photo that both baselines miss altogether.
        cv2.imwrite(str(run / f"data/predictions/{method}/pfcn/00003.png"), np.zeros((160, 120), np.uint8))
    chosen = samples._chosen(material)
    assert [title.split(":")[0] for title in chosen] == [
        "Confusing objects",
        "Similar colours",
        "Hard for both baselines",
    ]
    assert len(set(chosen.values())) == 3
    assert "00003" in chosen.values()


def test_likeness_is_1_if_portrait_and_background_have_the_same_colour():
    mask = np.zeros((400, 300), np.uint8)
    mask[100:, 80:220] = 1
    wall = np.full((400, 300, 3), (180, 150, 130), np.uint8)
    assert samples.likeness(wall, mask) == pytest.approx(1)
    wall[mask == 1] = (20, 40, 160)
    assert samples.likeness(wall, mask) == pytest.approx(0)


def test_the_magnified_window_is_where_the_methods_differ(material, run):
    file = str(run / "data/predictions/bsn/pfcn/00004.png")
    for method in boundaries.COLUMNS:
        shutil.copy(run / "data/portraits/pfcn/masks/00004.png", run / f"data/predictions/{method}/pfcn/00004.png")
        mask = cv2.imread(file.replace("/bsn/", f"/{method}/"), cv2.IMREAD_GRAYSCALE) * 255
        if method == "bsn":
            mask[60:70, 20:45] = 0  # The left side of the head.
        cv2.imwrite(file.replace("/bsn/", f"/{method}/"), mask)
    disputed, (left, top, side) = boundaries._most_disputed(material, "00004")
    assert disputed > 0
    assert side == 32
    assert left <= 40 <= left + side
    assert top <= 60
    assert top + side >= 70


def test_photos_are_read_without_exif_rotation_to_match_their_masks(material, run):
    photo = material.ids("pfcn")[0]
    before = material.photo("pfcn", photo)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(before).save(run / f"data/portraits/pfcn/images/{photo}.png", exif=exif)
    assert (material.photo("pfcn", photo) == before).all()
    assert before.shape[:2] == material.mask("pfcn", photo).shape


def test_an_unreadable_photo_is_named_in_the_placeholder_of_its_figure(material, run, tmp_path):
    photo = material.ids("pfcn")[0]
    (run / f"data/portraits/pfcn/images/{photo}.png").write_bytes(b"")
    told = captions(material, tmp_path / "figures")
    assert told["figure4.jpg"] == f"Not drawn. {photo}.png is empty (0 bytes)."
    assert told["bands.png"].startswith("IoU")


def test_evenly_spaced_takes_the_first_the_last_and_equal_steps_between():
    assert evenly_spaced(list("abcdefghi"), 3) == ["a", "e", "i"]
    assert evenly_spaced(["a", "b"], 3) == ["a", "b"]


def test_the_outline_is_not_drawn_along_the_photo_s_edge():
    photo = np.zeros((60, 40, 3), np.uint8)
    mask = np.zeros((60, 40), np.uint8)
    mask[20:, 10:30] = 1
    drawn = outlined(photo, mask, thickness=1).any(axis=2)
    assert drawn[40, 10]
    assert drawn[20, 20]
    assert not drawn[59, 15:25].any()


def test_drawing_functions_refuse_a_mask_of_255_in_place_of_1():
    photo, mask = np.zeros((8, 8, 3), np.uint8), np.full((8, 8), 255, np.uint8)
    for show in (faded_background, partial(outlined, thickness=1)):
        with pytest.raises(ValueError, match="divide a prediction's PNG by 255"):
            show(photo, mask)


def test_grid_puts_pictures_at_whole_pixels():
    cell = np.full((50, 40, 3), (10, 20, 30), np.uint8)
    sheet = np.asarray(grid([[cell, cell]]))
    assert sheet.shape == (50 + 2 * MARGIN, 94 + 2 * MARGIN, 3)
    assert (sheet[MARGIN + 25, MARGIN : MARGIN + 40] == (10, 20, 30)).all()
    assert (sheet[MARGIN + 25, MARGIN + 40 : MARGIN + 54] == 255).all()


def test_a_blank_cell_has_the_asked_size():
    assert blank("x", (30, 20)).shape == (20, 30, 3)
