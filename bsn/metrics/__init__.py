"""How good a predicted mask is: eq. (9), two-class mIoU, boundary IoU, boundary F, trimap-band IoU, their intervals.

One meaning of a pixel throughout. Targets are uint8 (H, W): 0 background, 1 portrait, 255 ignored.
Predictions are bool or uint8 (H, W) of the same size, portrait where not zero. Ignored pixels are never
counted, and what is predicted on them changes no number. For boundary IoU and the bands an ignored pixel takes
the class of the nearest labelled one in both masks (background in a tie), so that the void border of PASCAL
VOC has the contour in its middle; for boundary F it is background in both. All numbers are fractions in 0..1.
"""

from bsn.metrics.bands import BAND_WIDTHS, band_iou
from bsn.metrics.bootstrap import bootstrap, paired_difference
from bsn.metrics.boundary import BOUNDARY_FRACTION, BOUNDARY_TOLERANCE, boundary_f, boundary_iou
from bsn.metrics.overlap import Overlap, iou, miou_two_class, overlap
from bsn.metrics.photo import evaluate_photo
from bsn.metrics.summary import summarise

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
    "summarise",
]
