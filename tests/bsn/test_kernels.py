import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bsn.kernels import (
    FOREGROUND,
    IGNORE,
    MAX_WIDTH,
    band_squared_distance,
    code_distances,
    contour,
    global_kernel,
    label_codes,
    soft_labels,
)

# A step between the third and the fourth column: the contour is columns 2 and 3.
STEP = np.tile(np.array([0, 0, 0, 1, 1, 1, 1], np.uint8), (5, 1))
masks = arrays.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.sampled_from([0, 1]))
widths = st.sampled_from([1, 2, 3, 5, 10, 15, MAX_WIDTH])
# The same examples in every run, so that a failure here is one everywhere.
repeatable = settings(deadline=None, derandomize=True, max_examples=100)


def brute_force_squared_distance(line):
    """Squared distance of every pixel to the nearest pixel of the line, one by one."""
    points = np.argwhere(line)
    grid = np.indices(line.shape).reshape(2, -1).T
    return ((grid[:, None] - points[None]) ** 2).sum(-1).min(1).reshape(line.shape)


def test_the_contour_is_both_pixels_of_every_step():
    assert (contour(STEP) == np.tile([0, 0, 1, 1, 0, 0, 0], (5, 1))).all()


def test_every_canny_edge_of_a_drawn_mask_is_on_the_contour():
    mask = np.zeros((80, 60), np.uint8)
    cv2.ellipse(mask, (30, 40), (18, 27), 15, 0, 360, 1, -1)
    edges = cv2.Canny(mask * 255, 100, 200) > 0
    line = contour(mask) > 0
    # Canny may step over a corner pixel; nothing of it is farther than that.
    assert cv2.dilate(line.astype(np.uint8), np.ones((3, 3)))[edges].all()
    assert line[edges].mean() > 0.98
    assert cv2.dilate(edges.astype(np.uint8), np.ones((3, 3)))[line].all()


def test_the_border_of_an_ignored_region_is_no_contour():
    mask = STEP.copy()
    mask[:, 2:4] = IGNORE
    assert contour(mask).sum() == 0


@given(masks, widths)
@repeatable
def test_the_band_holds_exact_distances_and_ends_at_half_its_width(mask, width):
    line = contour(mask)
    squared = band_squared_distance(line, width).astype(np.int64)
    outside = squared == np.iinfo(band_squared_distance(line, width).dtype).max
    if not line.any():
        assert outside.all()
        return
    expected = brute_force_squared_distance(line)
    assert (outside == (expected >= width**2 / 4)).all()
    assert (squared[~outside] == expected[~outside]).all()


def test_a_band_of_ten_is_ten_pixels_wide():
    step = np.zeros((4, 40), np.uint8)
    step[:, 20:] = 1
    codes = label_codes(step, width=10)
    assert ((codes != 0) & (codes != FOREGROUND)).sum(axis=1).tolist() == [10] * 4


def test_codes_of_a_step_count_distances_from_the_contour():
    # Distances in a band of 5: 0 and 1 and 2 on either side, squared 0, 1, 4: levels 0, 1, 3 of 0, 1, 2, 4, 5.
    assert label_codes(STEP, width=5)[2].tolist() == [124, 126, 127, 128, 129, 131, 254]


def test_codes_decode_to_side_and_distance():
    distances = code_distances(5)
    assert distances[[127, 126, 124]].tolist() == [0, 1, 2]
    assert distances[[128, 129, 131]].tolist() == [0, 1, 2]
    assert np.isnan(distances[[0, 254, 255]]).all()


def test_width_zero_gives_hard_labels():
    assert label_codes(STEP, width=0)[0].tolist() == [0, 0, 0, 254, 254, 254, 254]


def test_ignored_pixels_stay_ignored_and_have_no_label():
    mask = STEP.copy()
    mask[0, 0] = IGNORE
    codes = label_codes(mask, width=5)
    assert codes[0, 0] == IGNORE
    assert soft_labels(codes, width=5, reading="distance")[:, 0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("width", [-1, MAX_WIDTH + 1])
def test_an_impossible_width_is_refused(width):
    with pytest.raises(ValueError, match=str(width)):
        label_codes(STEP, width=width)


def test_soft_labels_of_a_step_by_hand():
    # Eq. (1)-(3) on columns 0..6, band of 5: d = 2 1 0 | 0 1 2 and one foreground pixel; d_max = 2.5.
    codes = label_codes(STEP, width=5)[:1]
    expected = {
        "distance": [0.8, 0.4, 0, 0, 0.4, 0.8, 0],
        "closeness": [0.2, 0.6, 1, 1, 0.6, 0.2, 0],
        "sum": [2 / 6, 1 / 6, 0, 0, 1 / 6, 2 / 6, 0],
    }
    for reading, boundary in expected.items():
        foreground, bdry, background = soft_labels(codes, width=5, reading=reading)[:, 0]
        assert bdry == pytest.approx(boundary)
        assert background[:3] == pytest.approx(1 - np.array(boundary[:3]))
        assert foreground[3:] == pytest.approx(1 - np.array(boundary[3:]))
        assert (foreground[:3] == 0).all()
        assert (background[3:] == 0).all()


@given(masks, widths, st.sampled_from(["distance", "closeness", "sum"]))
@repeatable
def test_soft_labels_sum_to_one(mask, width, reading):
    labels = soft_labels(label_codes(mask, width=width), width=width, reading=reading)
    assert labels.sum(axis=0) == pytest.approx(np.ones(mask.shape))
    assert labels.min() >= 0


@given(masks, widths, st.sampled_from([0, 1, -1]))
@repeatable
def test_the_kernel_of_a_mirrored_mask_is_the_mirrored_kernel(mask, width, axis):
    mirrored = label_codes(np.ascontiguousarray(cv2.flip(mask, axis)), width=width)
    assert (mirrored == cv2.flip(label_codes(mask, width=width), axis)).all()


def test_an_unknown_reading_is_refused():
    with pytest.raises(ValueError, match="nearness"):
        soft_labels(label_codes(STEP, width=5), width=5, reading="nearness")


def test_codes_of_a_wider_band_than_the_width_are_refused():
    codes = label_codes(np.repeat(STEP, 3, axis=1), width=9)
    with pytest.raises(ValueError, match="wider band than 5 pixels"):
        soft_labels(codes, width=5, reading="distance")


def test_a_mean_mask_of_bytes_is_refused():
    with pytest.raises(ValueError, match="give shares from 0 to 1"):
        global_kernel(np.array([[0, 255]]), a=0.9, b=1.0, reading="text")


def test_global_kernel_by_hand_in_both_readings():
    mean_mask = np.array([[0, 0.25, 0.5, 0.75, 1]])
    # text: sure places weigh a, undecided ones b; printed: the other way round.
    assert global_kernel(mean_mask, a=0.9, b=1.0, reading="text")[0] == pytest.approx([0.9, 0.95, 1.0, 0.95, 0.9])
    assert global_kernel(mean_mask, a=0.9, b=1.0, reading="printed")[0] == pytest.approx([1.0, 0.95, 0.9, 0.95, 1.0])


def test_a_reversed_range_is_refused():
    with pytest.raises(ValueError, match="a must not be above b"):
        global_kernel(np.zeros((1, 1)), a=1.0, b=0.9, reading="text")
