"""Trimap-band IoU: the masks compared only so near to the target's contour."""

import cv2
import numpy as np

from bsn.kernels import contour
from bsn.metrics.masks import Masks, comparable, distance_to, ratio

BAND_WIDTHS = (2, 4, 6, 8, 10, 14, 20, 28, 40)


def band_iou(prediction: np.ndarray, target: np.ndarray, widths: tuple[int, ...] = BAND_WIDTHS) -> dict[int, float]:
    """Foreground IoU inside the bands around the target's contour, by band width in pixels.

    The contour is the pixels that have a 4-neighbour of the other class, so it is two pixels wide; the band
    of (even) width w holds the pixels nearer to it than w/2, as the individual kernel of that width does.
    NaN where a band has no pixel that counts. Raises ValueError for a width that is odd or below 2.
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
    line = contour(cv2.min(masks.target, 1))
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
