"""Drawn pictures: masks, points, and a face that a real detector finds."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from facenet_pytorch import MTCNN

from drawn.catalog import picture_of, scene_of
from drawn.painter import Picture, paint
from drawn.scene import Camera

SAMPLE = 40


@pytest.fixture(scope="module")
def portraits() -> list[Picture]:
    return [picture_of("pfcn", index, 0) for index in range(SAMPLE)]


def test_the_49_points_lie_on_the_person(portraits: list[Picture]) -> None:
    for picture in portraits:
        x, y = np.rint(picture.points[0]).astype(int).T
        assert picture.people[0][y, x].mean() > 0.97
        assert picture.points[0].shape == (49, 2)


def test_the_49_points_are_in_the_tracker_s_order(portraits: list[Picture]) -> None:
    for picture in portraits:
        p = picture.points[0]
        brows, eyes, nose, mouth = p[0:10].mean(0), p[19:31].mean(0), p[13:19].mean(0), p[31:49].mean(0)
        assert brows[1] < eyes[1] < nose[1] < mouth[1]
        assert p[19:25, 0].mean() < p[25:31, 0].mean()
        assert p[31:43, 0].argmin() == 0  # 31 is the left corner of the mouth, 37 the right one
        assert p[31:43, 0].argmax() == 6


def test_the_mask_ends_where_the_picture_changes() -> None:
    """Removing the person changes the picture inside the mask and nowhere else."""
    scene = replace(scene_of("pfcn", 5, 0), camera=Camera(grain=0.0, vignette=0.0))
    with_person, without = paint(scene), paint(replace(scene, people=[]))
    difference = np.abs(with_person.rgb.astype(int) - without.rgb).max(-1)
    mask = with_person.people[0]
    assert (difference[~mask] > 0).mean() < 0.02  # half-covered edge pixels only
    assert (difference[mask] > 8).mean() > 0.9


def test_strands_roughen_the_outline(portraits: list[Picture]) -> None:
    """Fine hair: an opening with a small disc removes something from most masks, and little of it."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    lost = [1 - cv2.morphologyEx(p.people[0].astype(np.uint8), cv2.MORPH_OPEN, disc).sum() / p.people[0].sum()
            for p in portraits]  # fmt: skip
    assert np.median(lost) > 0.0003
    assert max(lost) < 0.05


def test_the_mean_mask_predicts_drawn_portraits_only_roughly(portraits: list[Picture]) -> None:
    """The unaligned mean mask of the real photos scores .765."""
    masks = np.array([p.people[0] for p in portraits])
    guess = masks.mean(0) > 0.5
    iou = [(guess & m).sum() / (guess | m).sum() for m in masks]
    assert 0.68 < np.mean(iou) < 0.84


def test_mtcnn_finds_exactly_the_face(portraits: list[Picture]) -> None:
    detector = MTCNN(keep_all=True, min_face_size=80, device="cpu")
    found = 0
    for picture in portraits:
        boxes, probabilities = detector.detect(picture.rgb)
        boxes = [] if boxes is None else boxes[probabilities > 0.9]
        if len(boxes) == 1:
            x, y = picture.points[0].mean(0)
            x0, y0, x1, y1 = boxes[0]
            found += x0 < x < x1 and y0 < y < y1
    assert found >= 0.95 * SAMPLE
