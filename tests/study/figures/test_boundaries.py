"""Effects of Figure 9 on a red disc before a green background, and the trimaps of Figure 8."""

import cv2
import numpy as np
import pytest

from bsn.cutout.cutout import Cutout
from bsn.cutout.matting import trimap
from study.figures import boundaries
from study.figures.boundaries import applied, evening, sunburst


@pytest.fixture(scope="module")
def cutout() -> Cutout:
    mask = np.zeros((200, 150), np.uint8)
    cv2.circle(mask, (75, 100), 45, 1, -1)
    share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2)[..., None]
    photo = share * np.float32([220, 30, 30]) + (1 - share) * np.float32([30, 200, 40])
    # 40 pixels at 800x600 are 10 pixels of this 200x150 photo.
    return Cutout(photo=photo.astype(np.uint8), mask=mask, faces=1, band=40)


def test_background_replacement_keeps_the_portrait_and_removes_the_green(cutout):
    out = applied(cutout)["Background replaced"].astype(int)
    inside = cv2.erode(cutout.mask, np.ones((15, 15), np.uint8)) == 1
    assert abs(out[inside] - cutout.photo[inside]).max() <= 2
    # In the evening background and in the disc, green exceeds red only in the sky's blue, by less than 40.
    behind = evening(200, 150).astype(int)
    assert (behind[..., 1] - behind[..., 0]).max() < 40
    assert (out[..., 1] - out[..., 0]).max() < 40


def test_depth_of_field_leaves_the_portrait_sharp(cutout):
    out = applied(cutout)["Depth of field"].astype(int)
    inside = cv2.erode(cutout.mask, np.ones((15, 15), np.uint8)) == 1
    assert abs(out[inside] - cutout.photo[inside]).max() <= 2


def test_each_effect_has_the_photo_s_size(cutout):
    pictures = applied(cutout)
    assert list(pictures) == ["Background replaced", "Depth of field", "Cartoon", "Stylised"]
    for picture in pictures.values():
        assert (picture.shape, picture.dtype) == (cutout.photo.shape, np.uint8)


def test_painting_reduces_noise():
    noisy = np.clip(128 + np.random.default_rng(0).normal(0, 12, (100, 100, 3)), 0, 255).astype(np.uint8)
    assert boundaries.painting(noisy).std() < noisy.std()


def test_pencil_darkens_edges_and_leaves_flat_areas_paper_coloured():
    step = np.full((60, 60, 3), 200, np.uint8)
    step[:, 30:] = 60
    drawn = boundaries.pencil(step)
    assert (drawn[:, 5] == (250, 246, 236)).all()
    assert drawn[:, 30].max() < 200  # The dark side of the step.


def test_sunburst_has_two_tones():
    rays = sunburst(400, 300)
    tones = {tuple(rays[y, x]) for y in (5, 395) for x in range(300)}
    assert {(255, 205, 86), (255, 186, 60)} <= tones
    assert rays[..., 1].min() >= 186


def test_figure_8_shows_the_trimap_of_the_segment_command(material):
    photo = material.ids("pfcn")[0]
    mask = material.prediction("bsn", "pfcn", photo)
    # 10 pixels of an 800x600 photo are 2 of a 160x120 one.
    assert (material.cutout("bsn", "pfcn", photo).trimap == trimap(mask, band=2)).all()
    sheet = np.asarray(boundaries.draw_trimaps(material)[0])
    lower = sheet[sheet.shape[0] // 2 + 20 : -40]
    assert set(np.unique(lower)) >= {0, 128, 255}
