"""How good a predicted mask is: eq. (9), two-class mIoU, boundary IoU, trimap-band IoU, and their intervals.

One meaning of a pixel throughout. Targets are uint8 (H, W): 0 background, 1 portrait, 255 ignored.
Predictions are bool or uint8 (H, W) of the same size, portrait where not zero. Ignored pixels are never
counted, and what is predicted on them changes no number. Where a contour is needed, an ignored pixel takes
the class of the nearest labelled one in both masks (background in a tie), so that the void border of PASCAL
VOC has the contour in its middle. All numbers are fractions in 0..1.
"""

from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from bsn.kernels import IGNORE, contour

BAND_WIDTHS = (2, 4, 6, 8, 10, 14, 20, 28, 40)
BOUNDARY_FRACTION = 0.02


class Overlap(NamedTuple):
    """Pixel counts of one photo, or summed over photos."""

    intersection: int
    union: int
    background_intersection: int
    background_union: int


class Masks(NamedTuple):
    """A photo's two masks made comparable: uint8 {0, 255} (H, W), ignored pixels filled in alike."""

    prediction: np.ndarray
    target: np.ndarray
    valid: np.ndarray


def overlap(prediction: np.ndarray, target: np.ndarray) -> Overlap:
    """Count the pixels shared and covered by the two masks, for portrait and background."""
    _check(prediction, target)
    portrait = cv2.compare(target, 1, cv2.CMP_EQ)
    valid = cv2.compare(target, IGNORE, cv2.CMP_NE)
    predicted = cv2.bitwise_and(_bytes(prediction), valid)
    counted = cv2.countNonZero(valid)
    intersection = cv2.countNonZero(cv2.bitwise_and(predicted, portrait))
    union = cv2.countNonZero(cv2.bitwise_or(predicted, portrait))
    return Overlap(intersection, union, counted - union, counted - intersection)


def iou(prediction: np.ndarray, target: np.ndarray) -> float:
    """Foreground IoU of one photo, the term under the sum of eq. (9); 1.0 when both masks are empty."""
    counts = overlap(prediction, target)
    return _ratio(counts.intersection, counts.union)


def miou_two_class(counts: Overlap) -> float:
    """Mean of portrait and background IoU from pixel counts; pooled over a set when the counts are sums."""
    portrait = _ratio(counts.intersection, counts.union)
    background = _ratio(counts.background_intersection, counts.background_union)
    return (portrait + background) / 2


def boundary_iou(prediction: np.ndarray, target: np.ndarray) -> float:
    """Boundary IoU of Cheng et al. (CVPR 2021): IoU of the two masks' inner rims.

    A rim is what d erosions by 3x3 take off, d = 2 % of the photo's diagonal. The edge of the photo is no
    boundary: a portrait cut off by the frame has no rim there. 1.0 when neither mask has a rim.
    """
    return _boundary_iou(_masks(prediction, target))


def band_iou(prediction: np.ndarray, target: np.ndarray, widths: tuple[int, ...] = BAND_WIDTHS) -> dict[int, float]:
    """Foreground IoU inside the bands around the target's contour, by band width in pixels.

    The contour is the pixels that have a 4-neighbour of the other class, so it is two pixels wide; the band
    of (even) width w holds the pixels nearer to it than w/2, as the individual kernel of that width does.
    NaN where a band has no pixel that counts.
    """
    return _band_iou(_masks(prediction, target), widths)


def evaluate_photo(prediction: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Every number of one photo, named as the columns of `metrics/photos/<method>.csv`."""
    counts = overlap(prediction, target)
    masks = _masks(prediction, target)
    bands = _band_iou(masks, BAND_WIDTHS)
    return {
        "iou": _ratio(counts.intersection, counts.union),
        "boundary_iou": _boundary_iou(masks),
        **counts._asdict(),
        **{f"band_{width}": value for width, value in bands.items()},
    }


def summarise(rows: pd.DataFrame, *, seed: int = 0) -> dict:
    """One set's entry of `metrics/<method>.json` from its rows of the photos CSV; `rows` must not be empty.

    `mean_iou` is eq. (9), with the 95 % bootstrap interval over photos; `miou_two_class` is pooled over all
    pixels of the set. Seconds are left out: they differ with every run, and the summary is kept in git.
    """
    low, high = bootstrap(rows["iou"].to_numpy(), seed=seed)
    counts = Overlap(*(int(rows[name].sum()) for name in Overlap._fields))
    summary = {
        "photos": len(rows),
        "mean_iou": rows["iou"].mean(),
        "mean_iou_low": low,
        "mean_iou_high": high,
        "miou_two_class": miou_two_class(counts),
        "boundary_iou": rows["boundary_iou"].mean(),
        "band": {str(width): _rounded(rows[f"band_{width}"].mean()) for width in BAND_WIDTHS},
    }
    return {key: _rounded(value) if isinstance(value, float) else value for key, value in summary.items()}


def bootstrap(values: np.ndarray, *, seed: int, samples: int = 2000, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over photos; NaN photos are left out.

    `values` float (N,); NaN twice when fewer than two are left, for one photo says nothing of others.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(len(values), size=(samples, len(values)))
    means = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(
    values: np.ndarray, baseline: np.ndarray, *, seed: int, samples: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean of `values - baseline` over the same photos in the same order, and its bootstrap interval."""
    if len(values) != len(baseline):
        raise ValueError(f"paired values need the same photos: {len(values)} against {len(baseline)}")
    difference = np.asarray(values, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    low, high = bootstrap(difference, seed=seed, samples=samples, level=level)
    known = difference[~np.isnan(difference)]
    return (float(known.mean()) if len(known) else float("nan")), low, high


def _check(prediction: np.ndarray, target: np.ndarray) -> None:
    if prediction.shape != target.shape or target.ndim != 2:
        raise ValueError(f"masks differ in size: prediction {prediction.shape}, target {target.shape}")


def _bytes(mask: np.ndarray) -> np.ndarray:
    return mask.view(np.uint8) if mask.dtype == bool else mask


def _ratio(intersection: int, union: int) -> float:
    return intersection / union if union else 1.0


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def _masks(prediction: np.ndarray, target: np.ndarray) -> Masks:
    _check(prediction, target)
    predicted = cv2.compare(_bytes(prediction), 0, cv2.CMP_NE)
    portrait = cv2.compare(target, 1, cv2.CMP_EQ)
    ignored = cv2.compare(target, IGNORE, cv2.CMP_EQ)
    if cv2.countNonZero(ignored):
        nearer = _distance_to(portrait) < _distance_to(cv2.compare(target, 0, cv2.CMP_EQ))
        filled = cv2.bitwise_and(nearer.view(np.uint8) * 255, ignored)
        portrait = cv2.bitwise_or(portrait, filled)
        predicted = cv2.bitwise_or(cv2.bitwise_and(predicted, cv2.bitwise_not(ignored)), filled)
    return Masks(predicted, portrait, cv2.bitwise_not(ignored))


def _distance_to(marked: np.ndarray) -> np.ndarray:
    """Exact Euclidean distance of each pixel to the nearest marked (nonzero) one, float32 (H, W); inf when none is."""
    if not cv2.countNonZero(marked):
        return np.full(marked.shape, np.inf, np.float32)
    return cv2.distanceTransform(cv2.compare(marked, 0, cv2.CMP_EQ), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def _boundary_iou(masks: Masks) -> float:
    height, width = masks.target.shape
    depth = max(1, round(BOUNDARY_FRACTION * float(np.hypot(height, width))))
    predicted, portrait = _rim(masks.prediction, depth), _rim(masks.target, depth)
    shared = cv2.bitwise_and(cv2.bitwise_and(predicted, portrait), masks.valid)
    covered = cv2.bitwise_and(cv2.bitwise_or(predicted, portrait), masks.valid)
    return _ratio(cv2.countNonZero(shared), cv2.countNonZero(covered))


def _rim(mask: np.ndarray, depth: int) -> np.ndarray:
    # OpenCV's own border value never wins the minimum, so the photo's edge erodes nothing.
    square = np.ones((2 * depth + 1, 2 * depth + 1), np.uint8)
    return cv2.subtract(mask, cv2.erode(mask, square))


def _band_iou(masks: Masks, widths: tuple[int, ...]) -> dict[int, float]:
    reach = max(widths) // 2 - 1
    line = contour(cv2.min(masks.target, 1))
    if not cv2.countNonZero(line):
        return dict.fromkeys(widths, float("nan"))
    distance = _distance_to(line)
    # Squared distances are whole numbers: .005 px is more than the transform's error and less than the gap
    # below the next whole distance.
    counted = (distance < reach + 0.995) & masks.valid.view(bool)
    ring = (distance[counted] + 0.005).astype(np.intp)
    predicted, portrait = masks.prediction[counted] > 0, masks.target[counted] > 0
    # Pixels, shared and covered ones of each one-pixel ring; a band is the sum of its rings.
    pixels, shared, covered = (
        np.cumsum(np.bincount(ring[chosen], minlength=reach + 1))
        for chosen in (slice(None), predicted & portrait, predicted | portrait)
    )
    outermost = {width: width // 2 - 1 for width in widths}
    return {
        width: _ratio(int(shared[last]), int(covered[last])) if pixels[last] else float("nan")
        for width, last in outermost.items()
    }
