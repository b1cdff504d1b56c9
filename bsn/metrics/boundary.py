"""Boundary IoU and boundary F: how well the contour of the mask lies."""

import cv2
import numpy as np

from bsn.metrics.masks import Masks, comparable, ratio

BOUNDARY_FRACTION = 0.02
BOUNDARY_TOLERANCE = 0.0075
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def boundary_iou(prediction: np.ndarray, target: np.ndarray, *, frame_is_boundary: bool = False) -> float:
    """Boundary IoU of Cheng et al. (CVPR 2021): IoU of the two masks' inner rims.

    A rim is what d erosions by 3x3 take off. d is 2 % of the photo's diagonal, rounded to whole pixels (half to
    even) and at least 1, as in the authors' code.

    frame_is_boundary: whether a portrait that the photo's edge cuts off has a rim there. The authors' code pads the
    mask with background, so there it has one (true). Here it has none unless asked for: the cut is nobody's
    contour, and both masks would agree on it for nothing.
    Returns 1.0 when neither mask has a rim.
    """
    return rim_iou(comparable(prediction, target), frame_is_boundary=frame_is_boundary)


def boundary_f(prediction: np.ndarray, target: np.ndarray) -> float:
    """Boundary F of Martin et al. (PAMI 2004) as Perazzi et al. (CVPR 2016) use it: 2PR / (P + R) of the contours.

    A contour pixel is a labelled portrait pixel with a background pixel above, below, left or right of it. Ignored
    pixels are background in both masks: they are no contour pixels themselves, and a portrait ends where they begin.
    The photo's edge is no contour. Precision P is the share of the prediction's contour pixels that have one of the
    target's within the tolerance, recall R the share of the target's that have one of the prediction's.

    The tolerance is .75 % of the photo's diagonal, not rounded, and Euclidean from centre to centre of the pixels: at
    800x600 two pixels match up to 7.5 px apart. One pixel may match many, as in the code of Perazzi et al., which
    rounds the tolerance (0.8 % there) up to whole pixels; Martin et al. match them one to one.
    Returns 1.0 when neither mask has a contour and 0.0 when just one has.
    """
    return contour_f(comparable(prediction, target))


def rim_iou(masks: Masks, *, frame_is_boundary: bool) -> float:
    """`boundary_iou` of comparable masks."""
    depth = max(1, round(BOUNDARY_FRACTION * float(np.hypot(*masks.target.shape))))
    predicted, portrait = (_rim(mask, depth, frame_is_boundary) for mask in (masks.prediction, masks.target))
    shared = cv2.bitwise_and(cv2.bitwise_and(predicted, portrait), masks.valid)
    covered = cv2.bitwise_and(cv2.bitwise_or(predicted, portrait), masks.valid)
    return ratio(cv2.countNonZero(shared), cv2.countNonZero(covered))


def contour_f(masks: Masks) -> float:
    """`boundary_f` of comparable masks."""
    near = _disc(BOUNDARY_TOLERANCE * float(np.hypot(*masks.target.shape)))
    predicted, wanted = (_contour(cv2.bitwise_and(mask, masks.valid)) for mask in (masks.prediction, masks.target))
    if not cv2.countNonZero(predicted) or not cv2.countNonZero(wanted):
        return float(cv2.countNonZero(predicted) == cv2.countNonZero(wanted))
    precision, recall = (
        cv2.countNonZero(cv2.bitwise_and(line, cv2.dilate(other, near))) / cv2.countNonZero(line)
        for line, other in ((predicted, wanted), (wanted, predicted))
    )
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _rim(mask: np.ndarray, depth: int, frame_is_boundary: bool) -> np.ndarray:
    square = np.ones((2 * depth + 1, 2 * depth + 1), np.uint8)
    # Without a value for what lies outside, OpenCV's own never wins the minimum, so the photo's edge erodes nothing.
    outside = {"borderType": cv2.BORDER_CONSTANT, "borderValue": 0} if frame_is_boundary else {}
    return cv2.subtract(mask, cv2.erode(mask, square, **outside))


def _contour(mask: np.ndarray) -> np.ndarray:
    return cv2.subtract(mask, cv2.erode(mask, _CROSS))


def _disc(radius: float) -> np.ndarray:
    """Every offset of at most `radius` pixels, so that a dilation by it marks what is that near, exactly."""
    reach = int(radius + 1e-6)
    squared = np.arange(-reach, reach + 1) ** 2
    # Squared distances are whole numbers: the margin lets in one that equals the radius, whatever floats make of it.
    return (squared[:, None] + squared[None, :] <= radius**2 + 1e-6).astype(np.uint8)
