"""A photo's two masks made comparable, and what the metrics share in counting on them."""

from typing import NamedTuple

import cv2
import numpy as np

from bsn.kernels import IGNORE


class Masks(NamedTuple):
    """A photo's two masks made comparable: uint8 {0, 255} (H, W), ignored pixels filled in alike."""

    prediction: np.ndarray
    target: np.ndarray
    valid: np.ndarray


def comparable(prediction: np.ndarray, target: np.ndarray) -> Masks:
    """Both masks with every ignored pixel of the class of the nearest labelled one; background in a tie."""
    check_sizes(prediction, target)
    predicted = cv2.compare(as_bytes(prediction), 0, cv2.CMP_NE)
    portrait = cv2.compare(target, 1, cv2.CMP_EQ)
    ignored = cv2.compare(target, IGNORE, cv2.CMP_EQ)
    if cv2.countNonZero(ignored):
        nearer = distance_to(portrait) < distance_to(cv2.compare(target, 0, cv2.CMP_EQ))
        filled = cv2.bitwise_and(nearer.view(np.uint8) * 255, ignored)
        portrait = cv2.bitwise_or(portrait, filled)
        predicted = cv2.bitwise_or(cv2.bitwise_and(predicted, cv2.bitwise_not(ignored)), filled)
    return Masks(predicted, portrait, cv2.bitwise_not(ignored))


def distance_to(marked: np.ndarray) -> np.ndarray:
    """Exact Euclidean distance of each pixel to the nearest marked (nonzero) one, float32 (H, W); inf when none is."""
    if not cv2.countNonZero(marked):
        return np.full(marked.shape, np.inf, np.float32)
    return cv2.distanceTransform(cv2.compare(marked, 0, cv2.CMP_EQ), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def check_sizes(prediction: np.ndarray, target: np.ndarray) -> None:
    """Raises ValueError unless both are (H, W)."""
    if prediction.shape != target.shape or target.ndim != 2:
        raise ValueError(f"masks differ in size: prediction {prediction.shape}, target {target.shape}")


def as_bytes(mask: np.ndarray) -> np.ndarray:
    """A bool mask as the uint8 that OpenCV takes; any other as it is."""
    return mask.view(np.uint8) if mask.dtype == bool else mask


def ratio(intersection: int, union: int) -> float:
    """Their quotient; 1.0 where both are none."""
    return intersection / union if union else 1.0
