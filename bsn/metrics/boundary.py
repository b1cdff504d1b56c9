"""Metrics at the contour: boundary IoU, boundary F and trimap-band IoU."""

import cv2
import numpy as np

from bsn.kernels import contour
from bsn.metrics.counts import Masks, comparable, distance_to, ratio

BOUNDARY_FRACTION = 0.02  # of the photo's diagonal: width of the rim that boundary IoU compares
BOUNDARY_TOLERANCE = 0.0075  # of the photo's diagonal: how far apart boundary F matches two contour pixels
BAND_WIDTHS = (2, 4, 6, 8, 10, 14, 20, 28, 40)  # pixels
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def boundary_iou(prediction: np.ndarray, target: np.ndarray, *, frame_is_boundary: bool = False) -> float:
    """Boundary IoU of Cheng et al. (CVPR 2021): IoU of the inner rims of the two masks.

    The inner rim of a mask is its pixels that d erosions by 3x3 remove. d is 2 % of the photo's diagonal, rounded to
    whole pixels (half to even) and at least 1, as in the authors' code.

    Args:
        prediction: (H, W) bool or uint8, portrait where not zero.
        target: (H, W) uint8 {0, 1, 255 = ignored}.
        frame_is_boundary: whether a portrait that the photo's edge cuts off has a rim there. True as in the authors'
            code, which pads the mask with background. False by default, because the cut is not the portrait's
            contour, and any prediction has it, too.

    Returns:
        Fraction in 0..1; 1.0 if neither mask has a rim.

    Raises:
        ValueError: the masks differ in size.
    """
    return rim_iou(comparable(prediction, target), frame_is_boundary=frame_is_boundary)


def rim_iou(masks: Masks, *, frame_is_boundary: bool) -> float:
    """`boundary_iou` of comparable masks."""
    depth = max(1, round(BOUNDARY_FRACTION * _diagonal(masks)))
    predicted, portrait = (_rim(mask, depth, frame_is_boundary) for mask in (masks.prediction, masks.target))
    shared = cv2.bitwise_and(cv2.bitwise_and(predicted, portrait), masks.valid)
    covered = cv2.bitwise_and(cv2.bitwise_or(predicted, portrait), masks.valid)
    return ratio(cv2.countNonZero(shared), cv2.countNonZero(covered))


def _rim(mask: np.ndarray, depth: int, frame_is_boundary: bool) -> np.ndarray:
    square = np.ones((2 * depth + 1, 2 * depth + 1), np.uint8)
    if frame_is_boundary:
        eroded = cv2.erode(mask, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    else:
        # OpenCV's default border value is the maximum, so that the photo's edge erodes nothing.
        eroded = cv2.erode(mask, square)
    return cv2.subtract(mask, eroded)


def boundary_f(prediction: np.ndarray, target: np.ndarray) -> float:
    """Boundary F of Martin et al. (PAMI 2004) as used by Perazzi et al. (CVPR 2016): 2PR / (P + R) of the contours.

    A contour pixel is a labelled portrait pixel with a background pixel above, below, left or right of it. Ignored
    pixels count as background in both masks. The photo's edge is no contour. Precision P is the share of the
    prediction's contour pixels that have one of the target's within the tolerance, recall R the share of the target's
    that have one of the prediction's.

    The tolerance is .75 % of the photo's diagonal, not rounded, and Euclidean between pixel centres: at 800x600 two
    pixels match up to 7.5 px apart. One pixel may match several, as in the code of Perazzi et al., which rounds the
    tolerance (0.8 % there) up to whole pixels; Martin et al. match one to one.

    Args:
        prediction: (H, W) bool or uint8, portrait where not zero.
        target: (H, W) uint8 {0, 1, 255 = ignored}.

    Returns:
        Fraction in 0..1; 1.0 if neither mask has a contour, 0.0 if only one has.

    Raises:
        ValueError: the masks differ in size.
    """
    return contour_f(comparable(prediction, target))


def contour_f(masks: Masks) -> float:
    """`boundary_f` of comparable masks."""
    near = _disc(BOUNDARY_TOLERANCE * _diagonal(masks))
    predicted, wanted = (_contour(cv2.bitwise_and(mask, masks.valid)) for mask in (masks.prediction, masks.target))
    if not cv2.countNonZero(predicted) or not cv2.countNonZero(wanted):
        return float(cv2.countNonZero(predicted) == cv2.countNonZero(wanted))
    precision, recall = (
        cv2.countNonZero(cv2.bitwise_and(line, cv2.dilate(other, near))) / cv2.countNonZero(line)
        for line, other in ((predicted, wanted), (wanted, predicted))
    )
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _contour(mask: np.ndarray) -> np.ndarray:
    return cv2.subtract(mask, cv2.erode(mask, _CROSS))


def _disc(radius: float) -> np.ndarray:
    """Structuring element of all offsets of at most `radius` pixels."""
    reach = int(radius + 1e-6)
    squared = np.arange(-reach, reach + 1) ** 2
    # Squared distances are whole numbers: the margin lets in one that equals the radius despite rounding.
    return (squared[:, None] + squared[None, :] <= radius**2 + 1e-6).astype(np.uint8)


def band_iou(prediction: np.ndarray, target: np.ndarray, widths: tuple[int, ...] = BAND_WIDTHS) -> dict[int, float]:
    """Trimap-band IoU: foreground IoU inside bands around the target's contour.

    The contour is the pixels with a 4-neighbour of the other class, so it is two pixels thick. The band of width w is
    the pixels nearer to it than w/2, as in the individual kernel of that width.

    Args:
        prediction: (H, W) bool or uint8, portrait where not zero.
        target: (H, W) uint8 {0, 1, 255 = ignored}.
        widths: in pixels, even, at least 2.

    Returns:
        IoU by band width; NaN where a band has no labelled pixel.

    Raises:
        ValueError: a width is odd or below 2, or the masks differ in size.
    """
    return ring_iou(comparable(prediction, target), widths)


def ring_iou(masks: Masks, widths: tuple[int, ...]) -> dict[int, float]:
    """`band_iou` of comparable masks."""
    wrong = [width for width in widths if width < 2 or width % 2]
    if wrong:
        raise ValueError(
            f"band widths {wrong} are refused; the contour is two pixels thick, so give even ones from 2 on"
        )
    reach = max(widths) // 2 - 1
    line = contour(masks.target & 1)
    if not cv2.countNonZero(line):
        return dict.fromkeys(widths, float("nan"))
    distance = distance_to(line)
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
        width: ratio(int(shared[last]), int(covered[last])) if pixels[last] else float("nan")
        for width, last in outermost.items()
    }


def _diagonal(masks: Masks) -> float:
    return float(np.hypot(*masks.target.shape))
