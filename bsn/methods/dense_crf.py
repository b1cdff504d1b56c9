"""Fully connected CRF (Krähenbühl and Koltun 2011), with which DeepLabv2 refines its scores."""

from typing import Any

import numpy as np

from bsn.errors import InputError
from bsn.methods.prediction import Segmenter

ITERATIONS = 10
# DeepLabv2's values for PASCAL VOC. Smoothness kernel: weight, standard deviation in pixels. Appearance kernel: weight,
# standard deviations in pixels and in grey levels.
SMOOTHNESS = {"compat": 3.0, "sxy": 1.0}
APPEARANCE = {"compat": 4.0, "sxy": 67.0, "srgb": 3.0}


class RefinedSegmenter(Segmenter):
    """A trained network whose scores the CRF refines at the photo's own size.

    Raises:
        InputError: pydensecrf2, an optional package, is not installed.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        _crf_class()  # missing, it is told before an evaluation that takes long

    def __call__(self, photo: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
        """As in `bsn.methods.prediction.Method`."""
        return refine(photo, self.score(photo, affine))


def refine(photo: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Refine a network's scores to a mask by ten iterations of mean-field inference.

    Args:
        photo: (H, W, 3) uint8 RGB.
        score: (H, W) float32, foreground logit minus background logit.

    Returns:
        (H, W) uint8 {0, 1}.

    Raises:
        InputError: pydensecrf2, an optional package, is not installed.
    """
    height, width = score.shape
    crf = _crf_class()(width, height, 2)
    # -log(sigmoid(x)) = softplus(-x), which does not overflow.
    unary = np.stack([np.logaddexp(0, score), np.logaddexp(0, -score)]).reshape(2, -1)
    crf.setUnaryEnergy(np.ascontiguousarray(unary, np.float32))
    crf.addPairwiseGaussian(**SMOOTHNESS)
    # A copy: photos from files are read-only, which the package rejects.
    crf.addPairwiseBilateral(rgbim=np.array(photo, order="C"), **APPEARANCE)
    likely = np.asarray(crf.inference(ITERATIONS)).reshape(2, height, width)
    return (likely[1] > likely[0]).astype(np.uint8)


def _crf_class() -> Any:
    try:
        # Late: an optional package.
        from pydensecrf.densecrf import DenseCRF2D  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("the CRF needs pydensecrf2: pip install -r requirements-crf.txt") from None
    return DenseCRF2D
