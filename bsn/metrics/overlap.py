"""Pixels shared and covered: eq. (9) and the two-class mIoU."""

from typing import NamedTuple

import cv2
import numpy as np

from bsn.kernels import IGNORE
from bsn.metrics.masks import as_bytes, check_sizes, ratio


class Overlap(NamedTuple):
    """Pixel counts of one photo, or summed over photos."""

    intersection: int
    union: int
    background_intersection: int
    background_union: int


def overlap(prediction: np.ndarray, target: np.ndarray) -> Overlap:
    """Count the pixels shared and covered by the two masks, for portrait and background."""
    check_sizes(prediction, target)
    portrait = cv2.compare(target, 1, cv2.CMP_EQ)
    valid = cv2.compare(target, IGNORE, cv2.CMP_NE)
    predicted = cv2.bitwise_and(as_bytes(prediction), valid)
    counted = cv2.countNonZero(valid)
    intersection = cv2.countNonZero(cv2.bitwise_and(predicted, portrait))
    union = cv2.countNonZero(cv2.bitwise_or(predicted, portrait))
    return Overlap(intersection, union, counted - union, counted - intersection)


def iou(prediction: np.ndarray, target: np.ndarray) -> float:
    """Foreground IoU of one photo, the term under the sum of eq. (9); 1.0 when both masks are empty."""
    counts = overlap(prediction, target)
    return ratio(counts.intersection, counts.union)


def miou_two_class(counts: Overlap) -> float:
    """Mean of portrait and background IoU from pixel counts; pooled over a set when the counts are sums."""
    portrait = ratio(counts.intersection, counts.union)
    background = ratio(counts.background_intersection, counts.background_union)
    return (portrait + background) / 2
