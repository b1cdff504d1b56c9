"""The fully connected CRF that DeepLabv2 puts behind its network (Krähenbühl and Koltun, 2011)."""

import numpy as np

from bsn.errors import InputError
from bsn.methods.prediction import Segmenter

ITERATIONS = 10
# DeepLabv2's for PASCAL VOC: weight and standard deviation, in pixels, of the smoothness kernel; weight and standard
# deviations, in pixels and grey levels, of the appearance kernel.
SMOOTHNESS = {"compat": 3.0, "sxy": 1.0}
APPEARANCE = {"compat": 4.0, "sxy": 67.0, "srgb": 3.0}


class RefinedSegmenter(Segmenter):
    """A trained network whose score is refined by the CRF at the photo's own size."""

    def __call__(self, photo: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
        """As in `bsn.methods.prediction.Method`."""
        return refine(photo, self.score(photo, affine))


def refine(photo: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Mask of least energy by mean field, 10 iterations.

    Args:
        photo: (H, W, 3) uint8 RGB.
        score: (H, W) float32, foreground logit minus background logit.

    Returns:
        (H, W) uint8 {0, 1}.

    Raises:
        InputError: pydensecrf2, an optional package, is not installed.
    """
    try:
        from pydensecrf.densecrf import DenseCRF2D
    except ImportError:
        raise InputError("the CRF needs pydensecrf2: pip install -r requirements-crf.txt") from None
    height, width = score.shape
    crf = DenseCRF2D(width, height, 2)
    # -log of the sigmoid, without its overflow: softplus of the negated score.
    unary = np.stack([np.logaddexp(0, score), np.logaddexp(0, -score)]).reshape(2, -1)
    crf.setUnaryEnergy(np.ascontiguousarray(unary, np.float32))
    crf.addPairwiseGaussian(**SMOOTHNESS)
    # A copy, as a photo from a file is read-only, which the package refuses.
    crf.addPairwiseBilateral(rgbim=np.array(photo, order="C"), **APPEARANCE)
    likely = np.asarray(crf.inference(ITERATIONS)).reshape(2, height, width)
    return (likely[1] > likely[0]).astype(np.uint8)
