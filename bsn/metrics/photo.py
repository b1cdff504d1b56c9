"""Every metric of one photo."""

import numpy as np

from bsn.metrics.bands import BAND_WIDTHS, ring_iou
from bsn.metrics.boundary import contour_f, rim_iou
from bsn.metrics.masks import comparable, ratio
from bsn.metrics.overlap import overlap


def evaluate_photo(prediction: np.ndarray, target: np.ndarray, *, frame_is_boundary: bool = False) -> dict[str, float]:
    """Every number of one photo, named as the columns of `metrics/photos/<method>.csv`.

    frame_is_boundary: the convention of `boundary_iou`.
    """
    counts = overlap(prediction, target)
    masks = comparable(prediction, target)
    return {
        "iou": ratio(counts.intersection, counts.union),
        "boundary_iou": rim_iou(masks, frame_is_boundary=frame_is_boundary),
        "boundary_f": contour_f(masks),
        **counts._asdict(),
        **{f"band_{width}": value for width, value in ring_iou(masks, BAND_WIDTHS).items()},
    }
