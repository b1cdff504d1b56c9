"""Metrics against hand-counted masks, slow, obvious references, and public implementations."""

import math

import cv2
import numpy as np
import pandas as pd
import pytest
from faster_coco_eval.core import mask as coco_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics.utils import get_mask_edges, get_surface_distance
from scipy.ndimage import distance_transform_edt
from sklearn.metrics import jaccard_score

from bsn import metrics
from bsn.metrics.counts import comparable

SHAPE = (17, 13)
thoroughly = settings(max_examples=40, deadline=None)
predictions = arrays(np.uint8, SHAPE, elements=st.integers(0, 1))
labels = arrays(np.uint8, SHAPE, elements=st.integers(0, 1))
FRACTIONS = ("iou", "boundary", "band")
targets = arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 0, 1, 1, 255]))


def mask(text: str) -> np.ndarray:
    """Rows of '.', '#' and '?' as 0, 1 and 255."""
    return np.array([[{".": 0, "#": 1, "?": 255}[c] for c in row] for row in text.split()], np.uint8)


# ---- slow references ------------------------------------------------------------------------------------


def filled(prediction, target):
    """Ignored pixels take the nearest labelled pixel's class in both masks, background in a tie."""
    prediction, portrait = prediction.copy(), target.copy()
    known = np.argwhere(target != 255)
    for y, x in np.argwhere(target == 255):
        squared = {0: math.inf, 1: math.inf}
        for j, i in known:
            squared[target[j, i]] = min(squared[target[j, i]], (y - j) ** 2 + (x - i) ** 2)
        prediction[y, x] = portrait[y, x] = 1 if squared[1] < squared[0] else 0
    return prediction, portrait


def slow_overlap(prediction, target):
    counts = [0, 0, 0, 0]
    for predicted, wanted in zip(prediction.ravel(), target.ravel(), strict=True):
        if wanted != 255:
            counts[0] += predicted == 1 and wanted == 1
            counts[1] += predicted == 1 or wanted == 1
            counts[2] += predicted == 0 and wanted == 0
            counts[3] += predicted == 0 or wanted == 0
    return tuple(counts)


def slow_rim(portrait, depth, frame_is_boundary=False):
    """Portrait pixels with background in the square around them; beyond the photo's edge too, where that is one."""
    height, width = portrait.shape
    rim = np.zeros(portrait.shape, bool)
    for y, x in np.argwhere(portrait == 1):
        for j in range(y - depth, y + depth + 1):
            for i in range(x - depth, x + depth + 1):
                inside = 0 <= j < height and 0 <= i < width
                rim[y, x] |= portrait[j, i] == 0 if inside else frame_is_boundary
    return rim


def slow_boundary_iou(prediction, target, frame_is_boundary=False):
    depth = max(1, round(0.02 * math.hypot(*target.shape)))
    a, b = (slow_rim(m, depth, frame_is_boundary) & (target != 255) for m in filled(prediction, target))
    return (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0


def slow_contour(portrait):
    """Portrait pixels beside a background pixel, as a list of (y, x)."""
    height, width = portrait.shape
    return [
        (y, x)
        for y, x in np.argwhere(portrait)
        if any(
            0 <= j < height and 0 <= i < width and not portrait[j, i]
            for j, i in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
        )
    ]


def slow_boundary_f(prediction, target):
    predicted, wanted = slow_contour((prediction == 1) & (target != 255)), slow_contour(target == 1)
    if not predicted or not wanted:
        return 1.0 if not predicted and not wanted else 0.0

    def matched(line, other):
        tolerance = 0.0075 * math.hypot(*target.shape)
        return sum(any(math.hypot(y - j, x - i) <= tolerance for j, i in other) for y, x in line) / len(line)

    precision, recall = matched(predicted, wanted), matched(wanted, predicted)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def slow_band_iou(prediction, target, width):
    prediction, portrait = filled(prediction, target)
    height, wide = portrait.shape
    contour = [
        (y, x)
        for y in range(height)
        for x in range(wide)
        for j, i in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
        if 0 <= j < height and 0 <= i < wide and portrait[j, i] != portrait[y, x]
    ]
    band = np.zeros(portrait.shape, bool)
    for y in range(height):
        for x in range(wide):
            band[y, x] = any(math.hypot(y - j, x - i) < width / 2 for j, i in contour)
    band &= target != 255
    if not band.any():
        return math.nan
    a, b = (prediction == 1) & band, (portrait == 1) & band
    return (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0


def blobs(seed, *, shape=(240, 320), void=False):
    """A smooth made-up portrait that the frame may cut, and a prediction near it; with a void border if asked for."""
    rng = np.random.default_rng(seed)
    shared, own = (cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), s) for s in (14, 5))
    shared, own = shared / shared.std(), own / own.std()
    target = (shared > 0.3).astype(np.uint8)
    prediction = (shared + 0.2 * own > 0.3).astype(np.uint8)
    if void:
        square = np.ones((3, 3), np.uint8)
        target[cv2.dilate(target, square) != cv2.erode(target, square)] = 255
    return prediction, target


def public_rim(mask, fraction):
    """The rim of Cheng et al.'s code, as faster-coco-eval keeps it; beyond the photo's edge is background."""
    encoded = coco_mask.encode(np.asfortranarray(mask))
    return coco_mask.decode(coco_mask.rleToBoundary(encoded, fraction)) == 1


# ---- eq. (9) and the pooled mIoU ------------------------------------------------------------------------


def test_iou_by_hand():
    target = mask(".##. .##. .##?")
    prediction = mask(".#.. .### .#.#")
    assert metrics.overlap(prediction, target) == (4, 7, 4, 7)
    assert metrics.iou(prediction, target) == pytest.approx(4 / 7)


def test_iou_of_two_empty_masks_is_one():
    empty = np.zeros(SHAPE, np.uint8)
    assert metrics.iou(empty, empty) == 1.0
    assert metrics.iou(np.ones(SHAPE, bool), empty) == 0.0


def test_prediction_may_be_bool_or_any_nonzero():
    target, prediction = mask(".#. .## ..?"), mask("##. .#. ..#")
    expected = metrics.evaluate_photo(prediction, target)
    for other in (prediction.astype(bool), prediction * 255):
        assert metrics.evaluate_photo(other, target) == pytest.approx(expected, nan_ok=True)


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="differ in size"):
        metrics.iou(np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8))


def test_two_class_miou_is_pooled_from_sums():
    # Portrait 30/40 and background 50/100, whatever the photos were.
    assert metrics.miou_two_class(metrics.Overlap(30, 40, 50, 100)) == pytest.approx((0.75 + 0.5) / 2)


@thoroughly
@given(predictions, targets)
def test_overlap_agrees_with_the_slow_reference(prediction, target):
    assert metrics.overlap(prediction, target) == slow_overlap(prediction, target)


@pytest.mark.parametrize("void", [False, True])
def test_iou_and_the_pooled_miou_are_scikit_learns(void):
    pooled, labelled = np.zeros(4, int), []
    for seed in range(4):
        prediction, target = blobs(seed, void=void)
        known = target != 255
        assert metrics.iou(prediction, target) == pytest.approx(jaccard_score(target[known], prediction[known]))
        pooled += metrics.overlap(prediction, target)
        labelled.append((target[known], prediction[known]))
    wanted, predicted = (np.concatenate(parts) for parts in zip(*labelled, strict=True))
    expected = jaccard_score(wanted, predicted, average="macro")
    assert metrics.miou_two_class(metrics.Overlap(*pooled)) == pytest.approx(expected)


@thoroughly
@given(labels, labels)
def test_iou_is_symmetric(a, b):
    assert metrics.iou(a, b) == metrics.iou(b, a)
    assert metrics.boundary_iou(a, b) == metrics.boundary_iou(b, a)
    assert metrics.boundary_f(a, b) == pytest.approx(metrics.boundary_f(b, a))


@thoroughly
@given(predictions, targets)
def test_all_numbers_lie_in_range_and_a_perfect_mask_scores_one(prediction, target):
    for name, value in metrics.evaluate_photo(prediction, target).items():
        assert math.isnan(value) or (0 <= value <= 1 if name.startswith(FRACTIONS) else value >= 0), name
    perfect = metrics.evaluate_photo((target == 1).astype(np.uint8), target)
    assert perfect["iou"] == perfect["boundary_iou"] == perfect["boundary_f"] == 1.0
    assert all(perfect[f"band_{w}"] in (1.0,) or math.isnan(perfect[f"band_{w}"]) for w in metrics.BAND_WIDTHS)


@thoroughly
@given(predictions, predictions, targets)
def test_what_is_predicted_on_ignored_pixels_changes_nothing(prediction, other, target):
    changed = np.where(target == 255, other, prediction)
    before, after = metrics.evaluate_photo(prediction, target), metrics.evaluate_photo(changed, target)
    assert after == pytest.approx(before, nan_ok=True)


@thoroughly
@given(predictions, targets)
def test_counts_add_up_to_the_labelled_pixels(prediction, target):
    counts = metrics.overlap(prediction, target)
    labelled = int((target != 255).sum())
    assert counts.union + counts.background_intersection == labelled
    assert counts.background_union + counts.intersection == labelled


# ---- boundary IoU and bands -----------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [False, True])
@thoroughly
@given(prediction=predictions, target=targets)
def test_boundary_iou_agrees_with_the_slow_reference(frame, prediction, target):
    expected = slow_boundary_iou(prediction, target, frame)
    assert metrics.boundary_iou(prediction, target, frame_is_boundary=frame) == pytest.approx(expected)
    assert metrics.evaluate_photo(prediction, target, frame_is_boundary=frame)["boundary_iou"] == pytest.approx(
        expected
    )


@pytest.mark.parametrize("shape", [(240, 320), (97, 63), (70, 90)])
def test_with_the_frame_a_boundary_it_is_that_of_the_public_code(shape):
    for seed in range(5):
        prediction, target = blobs(seed, shape=shape)
        a, b = public_rim(prediction, 0.02), public_rim(target, 0.02)
        expected = (a & b).sum() / (a | b).sum()
        assert metrics.boundary_iou(prediction, target, frame_is_boundary=True) == pytest.approx(expected)


def test_without_it_only_the_rims_along_the_frame_are_missing():
    # The public code again, on photos carried on beyond their edges: their own rims are as deep, 2 % of 400 px.
    depth, beyond = 8, 16
    inner = (slice(beyond, -beyond), slice(beyond, -beyond))
    for seed in range(5):
        masks = blobs(seed, shape=(240, 320))
        carried = [np.pad(mask, beyond, mode="edge") for mask in masks]
        a, b = (public_rim(mask, depth / math.hypot(*mask.shape))[inner] for mask in carried)
        assert metrics.boundary_iou(*masks) == pytest.approx((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("shape", [(17, 13), (120, 160)])
def test_boundary_f_agrees_with_the_slow_reference(shape):
    # At 120x160 the tolerance is 1.5 px, at 17x13 a pixel has to lie upon another.
    for seed in range(3):
        for void in (False, True):
            prediction, target = blobs(seed, shape=shape, void=void)
            expected = slow_boundary_f(prediction, target)
            assert metrics.boundary_f(prediction, target) == pytest.approx(expected)
            assert metrics.evaluate_photo(prediction, target)["boundary_f"] == pytest.approx(expected)


@thoroughly
@given(predictions, targets)
def test_boundary_f_agrees_with_the_slow_reference_on_noise(prediction, target):
    assert metrics.boundary_f(prediction, target) == pytest.approx(slow_boundary_f(prediction, target))


@pytest.mark.parametrize("void", [False, True])
@pytest.mark.parametrize("shape", [(240, 320), (480, 640), (333, 217)])
def test_boundary_f_has_the_edges_and_distances_of_monai(shape, void):
    # MONAI has no boundary F, but its edges (pixels of the mask with a 4-neighbour outside) and their Euclidean
    # distances give precision and recall. To it the photo's edge is one; the masks are carried on beyond it.
    for seed in range(3):
        prediction, target = blobs(seed, shape=shape, void=void)
        masks = ((prediction == 1) & (target != 255), target == 1)
        edges = get_mask_edges(*(np.pad(m, 1, mode="edge") for m in masks), crop=False)
        a, b = (edge[1:-1, 1:-1] for edge in edges)
        tolerance = 0.0075 * math.hypot(*shape)
        precision = (get_surface_distance(a, b) <= tolerance).mean()
        recall = (get_surface_distance(b, a) <= tolerance).mean()
        expected = 2 * precision * recall / (precision + recall)
        assert 0.3 < expected < 1
        assert metrics.boundary_f(prediction, target) == pytest.approx(expected)


@pytest.mark.parametrize(("shift", "expected"), [(6, 1.0), (7, 0.0)])
def test_a_contour_matches_up_to_the_tolerance_itself(shift, expected):
    # 640x480: the tolerance is exactly 6 px.
    target, prediction = np.zeros((480, 640), np.uint8), np.zeros((480, 640), np.uint8)
    target[:, 300:], prediction[:, 300 + shift :] = 1, 1
    assert metrics.boundary_f(prediction, target) == expected


def test_boundary_f_is_the_harmonic_mean_of_precision_and_recall():
    # Contours: columns 300 and 599 of the target, 300 alone of the prediction, which reaches the photo's edge.
    target, prediction = np.zeros((480, 640), np.uint8), np.zeros((480, 640), np.uint8)
    target[:, 300:600], prediction[:, 300:] = 1, 1
    assert metrics.boundary_f(prediction, target) == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_boundary_f_without_a_contour():
    empty, half = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    half[:, 6:] = 1
    assert metrics.boundary_f(empty, empty) == metrics.boundary_f(empty, np.ones_like(empty)) == 1.0
    assert metrics.boundary_f(empty, half) == metrics.boundary_f(half, empty) == 0.0


def test_a_void_border_hides_no_missing_portrait():
    _, target = blobs(0, void=True)
    assert metrics.boundary_f((target == 1).astype(np.uint8), target) == 1.0
    assert metrics.boundary_f(np.zeros_like(target), target) == 0.0


def test_a_portrait_cut_by_the_frame_has_a_rim_there_when_asked_for():
    # 800x600, d = 20. Target: the frame right of column 300; prediction: all of it.
    target, prediction = np.zeros((800, 600), np.uint8), np.ones((800, 600), np.uint8)
    target[:, 300:] = 1
    assert metrics.boundary_iou(prediction, target) == 0.0
    # Rims: the target's 800x300 less 760x260, the prediction's 800x600 less 760x560; shared without its left side.
    shared = 800 * 300 - 760 * 280
    covered = (800 * 300 - 760 * 260) + (800 * 600 - 760 * 560) - shared
    assert metrics.boundary_iou(prediction, target, frame_is_boundary=True) == pytest.approx(shared / covered)


@thoroughly
@given(predictions, targets)
def test_band_iou_agrees_with_the_slow_reference(prediction, target):
    got = metrics.band_iou(prediction, target, (2, 6, 10))
    for width, value in got.items():
        assert value == pytest.approx(slow_band_iou(prediction, target, width), nan_ok=True), width


def test_boundary_is_two_percent_of_the_diagonal_thick_and_spares_the_photo_edge():
    # 800x600: the diagonal is 1000, so d = 20. The portrait fills the frame right of x = 300.
    target = np.zeros((800, 600), np.uint8)
    target[:, 300:] = 1
    prediction = np.zeros_like(target)
    prediction[:, 310:] = 1
    # Rims: columns 300..319 and 310..329: 10 shared of 30, with no rim along the frame.
    assert metrics.boundary_iou(prediction, target) == pytest.approx(10 / 30)
    assert metrics.boundary_iou(np.ones_like(target), np.ones_like(target)) == 1.0


def test_band_is_as_wide_as_it_says_around_a_straight_contour():
    target = np.zeros((100, 100), np.uint8)
    target[:, 50:] = 1
    prediction = np.zeros_like(target)
    prediction[:, 53:] = 1
    # Band w has w/2 portrait columns, of which three are missed.
    got = metrics.band_iou(prediction, target)
    assert got[2] == got[4] == got[6] == 0.0
    assert got[8] == pytest.approx(1 / 4)
    assert got[40] == pytest.approx(17 / 20)


def test_void_border_has_its_contour_in_the_middle():
    # Columns 0-9 background, 10-13 void, 14- portrait: contour between 11 and 12.
    target = np.zeros((30, 30), np.uint8)
    target[:, 10:14], target[:, 14:] = 255, 1
    prediction = np.zeros_like(target)
    prediction[:, 15:] = 1
    got = metrics.band_iou(prediction, target, (4, 6, 8))
    assert math.isnan(got[4])  # All void.
    assert got[6] == 0.0  # Columns 9 and 14 count; 14 is missed.
    assert got[8] == pytest.approx(1 / 2)


@pytest.fixture(params=[1, 2])
def threads(request):
    """OpenCV on one thread and on two."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(request.param)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("width", [15, 31])
def test_a_tie_of_an_ignored_pixel_goes_to_the_background_on_any_number_of_threads(width):
    # OpenCV's float32 distances of a tie differ in their last digits, and not alike on one thread and on two.
    for seed in range(2):
        _, target = blobs(seed, shape=(800, 600))
        square = np.ones((width, width), np.uint8)
        target[cv2.dilate(target, square) != cv2.erode(target, square)] = 255
        squared = []
        for label in (0, 1):
            nearest = distance_transform_edt(target != label, return_distances=False, return_indices=True)
            squared.append(((nearest - np.indices(target.shape)) ** 2).sum(axis=0))
        expected = (squared[1] < squared[0]) & (target == 255)
        assert ((squared[0] == squared[1]) & (target == 255)).any()
        filled = comparable(np.zeros_like(target), target)
        np.testing.assert_array_equal(filled.prediction == 255, expected)
        np.testing.assert_array_equal(filled.target == 255, expected | (target == 1))


def test_no_contour_no_band():
    assert all(math.isnan(v) for v in metrics.band_iou(np.ones(SHAPE, bool), np.ones(SHAPE, np.uint8)).values())


# ---- sets and intervals ---------------------------------------------------------------------------------


def rows() -> pd.DataFrame:
    first, second = mask("##.. ##.. ##.."), mask("#... #... ....")
    photos = [metrics.evaluate_photo(first, first), metrics.evaluate_photo(second, first)]
    return pd.DataFrame(photos).assign(set="pfcn", id=["a", "b"])


def test_summary_of_two_photos():
    summary = metrics.summarise(rows())
    assert summary["photos"] == 2
    assert summary["mean_iou"] == pytest.approx((1 + 2 / 6) / 2, abs=1e-6)
    # Pooled: portrait (6 + 2) / 12, background (6 + 6) / (6 + 10).
    assert summary["miou_two_class"] == pytest.approx((8 / 12 + 12 / 16) / 2, abs=1e-6)
    assert summary["boundary_iou"] == pytest.approx(rows()["boundary_iou"].mean(), abs=1e-6)
    # Contours: the target's column of three; the prediction's two pixels lie off it and the tolerance is below one.
    assert summary["boundary_f"] == pytest.approx((1 + 0) / 2)
    assert summary["mean_iou_low"] == pytest.approx(2 / 6, abs=1e-6)
    assert summary["mean_iou_high"] == pytest.approx(1.0)
    assert list(summary["band"]) == [str(w) for w in metrics.BAND_WIDTHS]


def test_photos_without_a_contour_leave_the_bands_to_the_others():
    table = rows()
    table.loc[0, "band_2"] = math.nan
    assert metrics.summarise(table)["band"]["2"] == pytest.approx(table.loc[1, "band_2"], abs=1e-6)
    table["band_2"] = math.nan
    assert metrics.summarise(table)["band"]["2"] is None


def test_a_set_without_photos_has_no_summary():
    with pytest.raises(ValueError, match="no photos to summarise"):
        metrics.summarise(rows()[:0])


@pytest.mark.parametrize("widths", [(0,), (4, 5), (-2, 2)])
def test_a_band_that_cannot_lie_evenly_about_the_contour_is_refused(widths):
    first = mask("##.. ##.. ##..")
    with pytest.raises(ValueError, match=r"band widths \[.*\] are refused"):
        metrics.band_iou(first, first, widths)


def test_bootstrap_interval_is_that_of_the_mean():
    values = np.random.default_rng(0).normal(0.9, 0.05, 400)
    low, high = metrics.bootstrap(values, seed=1)
    half = 1.96 * values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=half / 8)
    assert high == pytest.approx(values.mean() + half, abs=half / 8)
    assert metrics.bootstrap(values, seed=1) == (low, high)
    narrow = metrics.bootstrap(values, seed=1, level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_bootstrap_leaves_out_photos_without_a_value():
    assert metrics.bootstrap(np.array([0.5, math.nan, 0.5]), seed=0) == (0.5, 0.5)


@pytest.mark.parametrize("values", [[], [math.nan], [0.5], [0.5, math.nan]])
def test_one_photo_or_none_has_no_interval(values):
    assert all(math.isnan(bound) for bound in metrics.bootstrap(np.array(values), seed=0))


def test_paired_difference_sees_what_unpaired_intervals_hide():
    baseline = np.linspace(0.5, 1.0, 50)
    mean, low, high = metrics.paired_difference(baseline + 0.01, baseline, seed=0)
    assert (mean, low, high) == pytest.approx((0.01, 0.01, 0.01))
    with pytest.raises(ValueError, match="same photos"):
        metrics.paired_difference(baseline, baseline[1:], seed=0)
