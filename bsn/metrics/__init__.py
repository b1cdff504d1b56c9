"""Segmentation metrics, as fractions in 0..1: IoU (eq. (9)), two-class mIoU, boundary IoU, boundary F, band IoU.

Predictions are (H, W) bool or uint8, portrait where not zero; targets (H, W) uint8 {0, 1, 255 = ignored}. Ignored
pixels are never counted. For boundary IoU and bands they take the class of the nearest labelled pixel in both masks, so
that the contour is in the middle of PASCAL VOC's void border.
"""

import numpy as np

from bsn.metrics.boundary import (
    BAND_WIDTHS,
    BOUNDARY_FRACTION,
    BOUNDARY_TOLERANCE,
    band_iou,
    boundary_f,
    boundary_iou,
    contour_f,
    rim_iou,
    ring_iou,
)
from bsn.metrics.counts import Overlap, comparable, iou, miou_two_class, overlap, ratio
from bsn.metrics.intervals import bootstrap, paired_difference, pooled, summarise

__all__ = [
    "BAND_WIDTHS",
    "BOUNDARY_FRACTION",
    "BOUNDARY_TOLERANCE",
    "Overlap",
    "band_iou",
    "bootstrap",
    "boundary_f",
    "boundary_iou",
    "evaluate_photo",
    "iou",
    "miou_two_class",
    "overlap",
    "paired_difference",
    "pooled",
    "summarise",
]


def evaluate_photo(prediction: np.ndarray, target: np.ndarray, *, frame_is_boundary: bool = False) -> dict[str, float]:
    """Compute all metrics of one photo: the columns of `metrics/photos/<method>.csv`.

    Args:
        prediction: (H, W) bool or uint8, portrait where not zero.
        target: (H, W) uint8 {0, 1, 255 = ignored}.
        frame_is_boundary: as in `boundary_iou`.

    Returns:
        `iou`, `boundary_iou`, `boundary_f` and `band_<width>` in 0..1, and the pixel counts of `Overlap`.

    Raises:
        ValueError: the masks differ in size.
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
