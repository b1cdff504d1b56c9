"""Both kernels on odd masks and sizes, against a reference that is written pixel by pixel."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bsn.kernels import IGNORE, MAX_WIDTH, contour, global_kernel, label_codes, soft_labels
from bsn.training.patches import working_labels

READINGS = ("distance", "closeness", "sum")
FRAME = (800, 600)
KINDS = ("empty", "full", "one pixel", "at the border", "many parts", "noise")
# The same examples in every run, so that a failure here is one everywhere.
repeatable = settings(deadline=None, derandomize=True, max_examples=100)
widths = st.sampled_from([1, 2, 3, 5, 7.5, 10, 15, 33, MAX_WIDTH])
sides = st.integers(1, 22)


@st.composite
def odd_masks(draw, sides=sides, kinds=KINDS):
    """(H, W) uint8 {0, 1}, and in half of them one or two regions of 255."""
    size = height, width = draw(sides), draw(sides)
    kind = draw(st.sampled_from(kinds))
    if kind == "noise":
        mask = draw(arrays.arrays(np.uint8, size, elements=st.integers(0, 1)))
    else:
        mask = np.full(size, kind == "full", np.uint8)
    for _ in range({"one pixel": 1, "at the border": 1, "many parts": 5}.get(kind, 0)):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
        if kind == "one pixel":
            mask[top, left] = 1
        elif kind == "at the border":
            mask[:bottom, :right] = 1
        else:
            mask[top:bottom, left:right] ^= 1
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        mask[top : draw(st.integers(top + 1, height)), left : draw(st.integers(left + 1, width))] = IGNORE
    return mask


def reference_contour(mask):
    line = np.zeros(mask.shape, bool)
    for y, x in np.ndindex(mask.shape):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [mask[v, u] for v, u in around if 0 <= v < mask.shape[0] and 0 <= u < mask.shape[1]]
        line[y, x] = mask[y, x] != IGNORE and 1 - int(mask[y, x]) in inside
    return line


def reference_labels(mask, width, reading):
    """Eq. (1)-(3) at each pixel of its own, (3, H, W) float64."""
    distance, points = np.full(mask.shape, np.inf), np.argwhere(reference_contour(mask))
    for place in np.ndindex(mask.shape if len(points) else (0, 0)):
        distance[place] = np.sqrt(((points - place) ** 2).sum(axis=1).min())
    band = (distance < width / 2) & (mask != IGNORE)
    # A band that is narrower than the contour itself has no distance but zero.
    total = {"sum": distance[band].sum()}.get(reading, width / 2)
    labels = np.zeros((3, *mask.shape))
    for place in np.argwhere(mask != IGNORE):
        y, x = place
        share = distance[y, x] / total if band[y, x] and total >= 1 else 0.0
        boundary = 1 - share if reading == "closeness" and band[y, x] else share
        labels[1, y, x] = boundary
        labels[0 if mask[y, x] == 1 else 2, y, x] = 1 - boundary
    return labels


@given(odd_masks())
@repeatable
def test_the_contour_of_any_mask_is_that_of_the_reference(mask):
    assert (contour(mask) == reference_contour(mask)).all()


@given(odd_masks(), widths, st.sampled_from(READINGS))
@repeatable
def test_the_soft_labels_of_any_mask_are_those_of_the_reference(mask, width, reading):
    labels = soft_labels(label_codes(mask, width=width), width=width, reading=reading)
    assert labels == pytest.approx(reference_labels(mask, width, reading), abs=1e-6)


@given(odd_masks(), widths, st.sampled_from(READINGS))
@repeatable
def test_soft_labels_sum_to_one_where_there_is_a_label_and_are_zero_where_there_is_none(mask, width, reading):
    codes = label_codes(mask, width=width)
    labels = soft_labels(codes, width=width, reading=reading)
    assert labels.dtype == np.float32
    assert ((codes == IGNORE) == (mask == IGNORE)).all()
    assert (labels[:, mask == IGNORE] == 0).all()
    assert labels.sum(axis=0)[mask != IGNORE] == pytest.approx(1, abs=1e-6)
    assert labels.min() >= 0
    # No pixel is both foreground and background.
    assert (labels[0, mask == 0] == 0).all()
    assert (labels[2, mask == 1] == 0).all()


@pytest.mark.parametrize("value", [0, 1, IGNORE])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (7, 5)])
def test_a_mask_of_one_value_has_no_band(value, size):
    codes = label_codes(np.full(size, value, np.uint8), width=10)
    for reading in READINGS:
        labels = soft_labels(codes, width=10, reading=reading)
        assert labels[:, 0, 0].tolist() == {0: [0, 0, 1], 1: [1, 0, 0], IGNORE: [0, 0, 0]}[value]
        assert (labels == labels[:, :1, :1]).all()


def test_the_band_of_a_single_pixel_by_hand():
    mask = np.zeros((1, 7), np.uint8)
    mask[0, 3] = 1
    # Columns 2, 3, 4 are the contour; in a band of 4, d_max = 2, columns 1 and 5 are at 1 and the ends at 2: outside.
    labels = soft_labels(label_codes(mask, width=4), width=4, reading="closeness")[:, 0]
    assert labels[1].tolist() == [0, 0.5, 1, 1, 1, 0.5, 0]
    assert labels[0].tolist() == [0] * 7
    assert labels[2].tolist() == [1, 0.5, 0, 0, 0, 0.5, 1]


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7.5, 10, 15, 32, 33, MAX_WIDTH])
def test_a_band_has_equally_many_pixels_on_both_sides_of_the_contour(width):
    # Both pixels of a step are contour, so a band is even: the width itself, or the even number above it.
    step = np.repeat(np.array([0, 1], np.uint8), 40)[None]
    boundary = soft_labels(label_codes(step, width=width), width=width, reading="closeness")[1, 0]
    assert np.flatnonzero(boundary).tolist() == list(range(40 - int(np.ceil(width / 2)), 40 + int(np.ceil(width / 2))))


@given(odd_masks(), widths, st.sampled_from(["up", "left", "both", "transposed"]))
@repeatable
def test_flips_commute_with_the_kernel_whatever_the_memory_looks_like(mask, width, flip):
    turn = {"up": np.flipud, "left": np.fliplr, "both": lambda m: m[::-1, ::-1], "transposed": np.transpose}[flip]
    # A view of the same memory, with strides of its own, and not a copy.
    assert (label_codes(turn(mask), width=width) == turn(label_codes(mask, width=width))).all()


@given(odd_masks(sides=st.integers(1, 40)), st.sampled_from([1, 2, 5, 7.5, 10]), st.data())
@repeatable
def test_crops_commute_with_the_kernel_away_from_the_cut(mask, width, data):
    height, wide = mask.shape
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, wide - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, wide))
    cropped = label_codes(mask[top:bottom, left:right], width=width)
    whole = label_codes(mask, width=width)[top:bottom, left:right]
    # The band reaches less than half its width from the contour, and a contour pixel needs one neighbour more. Where
    # the crop ends with the mask itself nothing was cut off.
    reach = int(np.ceil(width / 2))
    rows = slice(reach if top else 0, (bottom - top) - (reach if bottom < height else 0))
    columns = slice(reach if left else 0, (right - left) - (reach if right < wide else 0))
    if rows.stop > rows.start and columns.stop > columns.start:
        assert (cropped[rows, columns] == whole[rows, columns]).all()


@pytest.mark.parametrize("size", [(800, 600), (400, 300), (192, 144), (160, 120), (224, 224)])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_band_keeps_its_width_in_pixels_of_the_frame_at_any_working_size(size, axis):
    mask = np.zeros(FRAME, np.uint8)
    middle = FRAME[axis] // 2
    np.moveaxis(mask, axis, 0)[middle:] = 1
    labels = working_labels(label_codes(mask, width=10), size, width=10, reading="closeness").astype(float)
    assert labels.sum(axis=2) == pytest.approx(np.ones(size), abs=2e-3)
    across = np.moveaxis(labels[..., 1], axis, 0)[:, 0]
    pixel = FRAME[axis] / size[axis]  # frame pixels under one working pixel
    # d = 0 1 2 3 4 on both sides with d_max = 5: 2 (1 + .8 + .6 + .4 + .2) frame pixels' worth of boundary.
    assert across.sum() * pixel == pytest.approx(6, abs=0.02)
    first, last = (middle - 5) / pixel, (middle + 5) / pixel
    assert np.flatnonzero(across > 1e-3).tolist() == list(range(int(first), int(np.ceil(last))))


@given(st.integers(0, 2**32 - 1), st.sampled_from([(192, 144), (160, 120), (101, 77)]), st.sampled_from(READINGS))
@settings(deadline=None, derandomize=True, max_examples=8)
def test_a_working_size_keeps_the_share_of_every_class(seed, size, reading):
    noise = np.random.default_rng(seed).normal(size=FRAME)
    mask = (cv2.GaussianBlur(noise, (0, 0), 25) > 0).astype(np.uint8)
    codes = label_codes(mask, width=10)
    shares = soft_labels(codes, width=10, reading=reading).mean(axis=(1, 2))
    working = working_labels(codes, size, width=10, reading=reading).astype(float).mean(axis=(0, 1))
    assert working == pytest.approx(shares, abs=2e-4)


def test_a_working_pixel_has_as_much_label_as_its_part_that_is_not_ignored():
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 5:] = IGNORE
    labels = working_labels(label_codes(mask, width=10), (4, 4), width=10, reading="distance").astype(float)
    # Columns 4 and 5 make the third working pixel: half of it has a label.
    assert labels.sum(axis=2).tolist() == [[1, 1, 0.5, 0]] * 4


@given(
    st.integers(0, 2**32 - 1),
    st.floats(3, 9),
)
@settings(deadline=None, derandomize=True, max_examples=30)
def test_canny_marks_only_the_contour_except_at_one_corner_in_a_hundred(seed, blur):
    noise = np.random.default_rng(seed).normal(size=(90, 70))
    mask = (cv2.GaussianBlur(noise, (0, 0), blur) > 0).astype(np.uint8)
    edges = cv2.Canny(mask * 255, 100, 200) > 0
    # At a corner Canny may take the pixel that touches the other label across it: not a neighbour, and no farther.
    square = np.ones((3, 3), np.uint8)
    touches = ((mask == 1) & (cv2.dilate(1 - mask, square) > 0)) | ((mask == 0) & (cv2.dilate(mask, square) > 0))
    assert touches[edges].all()
    assert (edges & (contour(mask) == 0)).sum() <= max(1, 0.02 * edges.sum())


@pytest.mark.parametrize("transposed", [False, True])
def test_along_a_straight_line_canny_takes_one_of_the_two_pixels_of_the_contour(transposed):
    mask = np.zeros((40, 30), np.uint8)
    mask[:, 12:] = 1
    mask = mask.T if transposed else mask
    edges = cv2.Canny(np.ascontiguousarray(mask) * 255, 100, 200) > 0
    assert (contour(mask)[edges] == 1).all()
    assert edges.sum() == contour(mask).sum() / 2


mean_masks = arrays.arrays(np.float32, st.tuples(sides, sides), elements=st.floats(0, 1, width=32))


@given(mean_masks, st.floats(0, 2), st.floats(0, 2))
@repeatable
def test_the_global_kernel_lies_in_its_range_and_the_readings_mirror_each_other(mean_mask, one, other):
    a, b = sorted([one, other])
    text, printed = (global_kernel(mean_mask, a=a, b=b, reading=reading) for reading in ("text", "printed"))
    assert text.dtype == printed.dtype == np.float32
    for kernel in (text, printed):
        assert kernel.shape == mean_mask.shape
        assert kernel.min() >= np.float32(a) - 1e-6
        assert kernel.max() <= np.float32(b) + 1e-6
    assert text.astype(float) + printed == pytest.approx(a + b, abs=1e-5)
    # Foreground and background are alike to it: where M portraits of a hundred agree, or all but M.
    assert global_kernel(1 - mean_mask, a=a, b=b, reading="text") == pytest.approx(text, abs=1e-6)


def test_the_global_kernel_by_hand_at_the_places_that_the_paper_names():
    mean_mask = np.array([[0.0, 0.1, 0.5, 0.8, 1.0]])
    # c = |M - .5| / .5 = 1, .8, 0, .6, 1; with [a, b] = [1, 3] the text gives 3 - 2c and the print 1 + 2c.
    assert global_kernel(mean_mask, a=1, b=3, reading="text")[0] == pytest.approx([1, 1.4, 3, 1.8, 1])
    assert global_kernel(mean_mask, a=1, b=3, reading="printed")[0] == pytest.approx([3, 2.6, 1, 2.2, 3])
    assert (global_kernel(mean_mask, a=2, b=2, reading="text") == 2).all()
