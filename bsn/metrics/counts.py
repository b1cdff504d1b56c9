"""IoU (eq. (9)) and two-class mIoU by pixel counts, and the treatment of ignored pixels."""

from typing import NamedTuple

import cv2
import numpy as np

from bsn.kernels import IGNORE


class Overlap(NamedTuple):
    """Pixel counts of one photo, or their sums over photos."""

    intersection: int
    union: int
    background_intersection: int
    background_union: int


def overlap(prediction: np.ndarray, target: np.ndarray) -> Overlap:
    """Count the pixels in intersection and union of two masks, for portrait and for background.

    Args:
        prediction: (H, W) bool or uint8, portrait where not zero.
        target: (H, W) uint8 {0, 1, 255 = ignored}.

    Raises:
        ValueError: the masks differ in size.
    """
    check_sizes(prediction, target)
    portrait = _equal(target, 1)
    valid = cv2.bitwise_not(_equal(target, IGNORE))
    predicted = cv2.bitwise_and(_as_bytes(prediction), valid)
    counted = cv2.countNonZero(valid)
    intersection = cv2.countNonZero(cv2.bitwise_and(predicted, portrait))
    union = cv2.countNonZero(cv2.bitwise_or(predicted, portrait))
    return Overlap(intersection, union, counted - union, counted - intersection)


def iou(prediction: np.ndarray, target: np.ndarray) -> float:
    """Foreground IoU of one photo, which eq. (9) averages over photos. Arguments and errors as in `overlap`.

    Returns:
        Fraction in 0..1; 1.0 if both masks are empty.
    """
    counts = overlap(prediction, target)
    return ratio(counts.intersection, counts.union)


def miou_two_class(counts: Overlap) -> float:
    """Two-class mIoU: mean of portrait IoU and background IoU.

    Args:
        counts: of one photo; or summed over photos, for the pooled mIoU of a set.

    Returns:
        Fraction in 0..1.
    """
    portrait = ratio(counts.intersection, counts.union)
    background = ratio(counts.background_intersection, counts.background_union)
    return (portrait + background) / 2


class Masks(NamedTuple):
    """Two masks of one photo with the ignored pixels filled in, each (H, W) uint8 {0, 255}.

    Attributes:
        prediction: 255 for portrait.
        target: 255 for portrait.
        valid: 255 where the target is labelled.
    """

    prediction: np.ndarray
    target: np.ndarray
    valid: np.ndarray


def comparable(prediction: np.ndarray, target: np.ndarray) -> Masks:
    """Give each ignored pixel, in both masks, the class of the nearest labelled pixel; background in a tie.

    Arguments and errors as in `overlap`.
    """
    check_sizes(prediction, target)
    predicted = cv2.bitwise_not(_equal(_as_bytes(prediction), 0))
    portrait = _equal(target, 1)
    ignored = _equal(target, IGNORE)
    if cv2.countNonZero(ignored):
        chosen = ignored.view(bool)
        # Squared distances are whole numbers. Rounding removes the transform's small error, which depends on OpenCV's
        # number of threads and would decide ties.
        portrait_at, background_at = (
            np.rint(np.square(distance_to(marked)[chosen])) for marked in (portrait, _equal(target, 0))
        )
        filled = np.zeros_like(target)
        filled[chosen] = (portrait_at < background_at) * np.uint8(255)
        portrait = cv2.bitwise_or(portrait, filled)
        predicted = cv2.bitwise_or(cv2.bitwise_and(predicted, cv2.bitwise_not(ignored)), filled)
    return Masks(predicted, portrait, cv2.bitwise_not(ignored))


def distance_to(marked: np.ndarray) -> np.ndarray:
    """Euclidean distance of each pixel to the nearest marked one.

    Args:
        marked: (H, W) uint8, marked where nonzero.

    Returns:
        (H, W) float32, pixels; inf if no pixel is marked.
    """
    if not cv2.countNonZero(marked):
        return np.full(marked.shape, np.inf, np.float32)
    return cv2.distanceTransform(_equal(marked, 0), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def check_sizes(prediction: np.ndarray, target: np.ndarray) -> None:
    """Raise ValueError unless both masks are (H, W)."""
    if prediction.shape != target.shape or target.ndim != 2:
        raise ValueError(f"masks differ in size: prediction {prediction.shape}, target {target.shape}")


def ratio(intersection: int, union: int) -> float:
    """intersection / union; 1.0 where both are 0."""
    return intersection / union if union else 1.0


def _equal(mask: np.ndarray, value: int) -> np.ndarray:
    """255 where the uint8 mask has this value, else 0."""
    # OpenCV takes a number here; its type stubs do not know that.
    return cv2.compare(mask, value, cv2.CMP_EQ)  # pyright: ignore[reportCallIssue, reportArgumentType]


def _as_bytes(mask: np.ndarray) -> np.ndarray:
    """OpenCV takes uint8 and no bool."""
    return mask.view(np.uint8) if mask.dtype == bool else mask
