import os
from pathlib import Path

import numpy as np
import pytest

from bsn.alignment import (
    FRAME,
    REFERENCE_POINTS,
    aligned_mean_mask,
    five_points,
    mean_mask,
    similarity_to_frame,
    warp_to_frame,
    warp_to_photo,
)
from bsn.errors import InputError
from study.datasets import pfcn

REAL = os.environ.get("BSN_REAL_DATA")


def mapped(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ affine[:, :2].T + affine[:, 2]


def test_reference_points_are_symmetric_about_the_middle_of_the_frame():
    mirrored = REFERENCE_POINTS[[1, 0, 2, 4, 3]] * [-1, 1] + [600, 0]
    np.testing.assert_array_equal(mirrored, REFERENCE_POINTS)


def test_five_points_are_picked_from_the_49_in_sdm_order():
    tracker = np.zeros((49, 2))
    tracker[19:25] = [[0, 0], [2, 3], [4, 3], [6, 0], [4, -3], [2, -3]]
    tracker[25:31] = tracker[19:25] + np.array([100, 0])
    tracker[13], tracker[31], tracker[37] = (50, 40), (20, 80), (80, 81)
    assert five_points(tracker).tolist() == [[3, 0], [103, 0], [50, 40], [20, 80], [80, 81]]


def test_alignment_undoes_scale_rotation_and_shift():
    angle, scale = 0.4, 0.5
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = REFERENCE_POINTS @ turn.T + [70, -20]
    np.testing.assert_allclose(mapped(similarity_to_frame(points), points), REFERENCE_POINTS, atol=1e-3)


def test_alignment_has_no_shear_and_no_mirror():
    points = REFERENCE_POINTS * [2, 1]
    affine = similarity_to_frame(points)
    assert affine[0, 0] == pytest.approx(affine[1, 1])
    assert affine[0, 1] == pytest.approx(-affine[1, 0])
    # The centre of the points goes to the centre of the reference.
    np.testing.assert_allclose(mapped(affine, points.mean(axis=0)), REFERENCE_POINTS.mean(axis=0), atol=1e-3)


def test_outside_of_the_photo_is_ignored_in_the_frame():
    shift = np.array([[1.0, 0, 100], [0, 1, 50]])
    warped = warp_to_frame(np.ones((200, 300), np.uint8), shift)
    assert warped.shape == FRAME
    assert (warped[50:250, 100:400] == 1).all()
    assert (warped == 1).sum() == 200 * 300
    assert (warped == 255).sum() == 800 * 600 - 200 * 300


def test_map_of_the_frame_is_warped_to_the_photo_and_its_edge_repeated():
    frame = np.zeros(FRAME, np.float32)
    frame[700:, 200:400] = 1
    # The photo shows the frame at half its size, 20 pixels further right; it ends 50 rows below the frame.
    affine = np.array([[2.0, 0, -40], [0, 2, 0]])
    seen = warp_to_photo(frame, affine, height=450, width=340)
    assert seen.dtype == np.float32
    assert seen.shape == (450, 340)
    assert (seen[351:, 121:219] == 1).all()
    assert (seen[:349] == 0).all()
    assert (seen[:, :118] == 0).all()


def test_mean_mask_counts_no_ignored_pixel():
    masks = np.zeros((4, *FRAME), np.uint8)
    masks[0, 0, 0] = 1
    masks[:3, 1, 1], masks[3, 1, 1] = [1, 0, 1], 255
    masks[:, 2, 2] = 255
    mean = mean_mask(masks)
    assert mean.dtype == np.float32
    assert mean[0, 0] == 0.25
    assert mean[1, 1] == pytest.approx(2 / 3)
    assert mean[2, 2] == 0
    assert mean.sum() == pytest.approx(0.25 + 2 / 3)


def test_mask_of_another_size_is_refused():
    with pytest.raises(InputError, match="600x800"):
        mean_mask([np.zeros((600, 800), np.uint8)])


def test_the_mean_of_no_mask_is_refused():
    with pytest.raises(InputError, match="no mask to take the mean of"):
        aligned_mean_mask([], [])


def test_aligned_mean_mask_brings_each_mask_to_the_frame_first():
    one, other = np.zeros(FRAME, np.uint8), np.zeros(FRAME, np.uint8)
    one[100:200, 100:200] = 1
    other[130:230, 150:250] = 1
    still, moved = np.eye(2, 3), np.array([[1.0, 0, -50], [0, 1, -30]])
    mean = aligned_mean_mask([one, other], [still, moved])
    np.testing.assert_array_equal(mean, one)


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_alignment_makes_the_real_mean_mask_a_better_prediction():
    root = Path(REAL) / "pfcn"
    found = [c for c in pfcn.candidates(root) if c.photo.is_file()]
    masks, affines = {}, {}
    for split, step in (("train", 6), ("test", 3)):
        for candidate in [c for c in found if c.split == split][::step]:
            points = pfcn.tracker(root, candidate.id)
            if points is not None:
                masks.setdefault(split, []).append(candidate.load_mask())
                affines.setdefault(split, []).append(similarity_to_frame(five_points(points)))
    plain, aligned = mean_mask(masks["train"]), aligned_mean_mask(masks["train"], affines["train"])

    def iou(answer: np.ndarray, mask: np.ndarray) -> float:
        return ((answer > 0.5) & (mask == 1)).sum() / ((answer > 0.5) | (mask == 1)).sum()

    def seen(affine: np.ndarray) -> np.ndarray:
        return warp_to_photo(aligned, affine, height=800, width=600)

    unaligned = np.mean([iou(plain, mask) for mask in masks["test"]])
    better = np.mean([iou(seen(a), mask) for mask, a in zip(masks["test"], affines["test"], strict=True)])
    assert 0.74 < unaligned < 0.79
    assert better > unaligned + 0.03
