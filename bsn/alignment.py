"""Alignment of photos to one frame by five face points, and the mean mask of eq. (6)."""

from collections.abc import Iterable

import cv2
import numpy as np

from bsn.errors import InputError
from bsn.kernels import IGNORE

FRAME = (800, 600)  # (height, width) of the reference frame, the size of PFCN's photos
# Mean of the five points over the 1455 one-face trackers of PFCN's training list, in whole pixels and made
# symmetric about x = 300 (the means were symmetric to within 1.3 px).
REFERENCE_POINTS = np.array([[235, 308], [365, 308], [300, 381], [244, 441], [356, 441]], dtype=np.float32)
# Indices into the tracker's 49 points (SDM order): the six around each eye, the nose tip, the mouth corners.
LEFT_EYE, RIGHT_EYE = slice(19, 25), slice(25, 31)
NOSE_TIP, LEFT_MOUTH, RIGHT_MOUTH = 13, 31, 37


def five_points(tracker: np.ndarray) -> np.ndarray:
    """Reduce a face tracker's landmarks to the five that MTCNN finds.

    Args:
        tracker: (49, 2), x and y in pixels, in SDM order.

    Returns:
        (5, 2) float32: left eye and right eye (each the mean of its six landmarks), nose tip, left and right mouth
        corner; left and right are the picture's.
    """
    eyes = tracker[LEFT_EYE].mean(axis=0), tracker[RIGHT_EYE].mean(axis=0)
    return np.stack([*eyes, tracker[NOSE_TIP], tracker[LEFT_MOUTH], tracker[RIGHT_MOUTH]]).astype(np.float32)


def similarity_to_frame(points: np.ndarray) -> np.ndarray:
    """Fit the similarity that maps five face points nearest to REFERENCE_POINTS.

    Least squares over scale, rotation and shift: x' = a x - b y + c, y' = b x + a y + d. Shen et al. fit an affine map
    to 49 points; fitted to five, its shear follows their noise. Used as the prediction on PFCN's test photos, the
    aligned mean mask has a mean IoU of .819 with this fit, .815 with an affine fit to the same five points, .819 with
    an affine fit to the 49, and .765 unaligned.

    Args:
        points: (5, 2), x and y in photo pixels, ordered as by `five_points`.

    Returns:
        (2, 3) float64, from photo pixels to frame pixels.
    """
    x, y = np.asarray(points, dtype=np.float64).T
    one, zero = np.ones(5), np.zeros(5)
    equations = np.concatenate([np.stack([x, -y, one, zero], axis=1), np.stack([y, x, zero, one], axis=1)])
    a, b, c, d = np.linalg.lstsq(equations, REFERENCE_POINTS.T.reshape(-1), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])


def warp_to_frame(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Warp a mask to the reference frame, by nearest neighbour.

    Args:
        mask: (H, W) uint8 {0, 1, 255 = ignored}.
        affine: (2, 3), of `similarity_to_frame`.

    Returns:
        (800, 600) uint8, 255 (ignored) outside of the photo.
    """
    size = FRAME[::-1]
    return cv2.warpAffine(mask, affine, size, flags=cv2.INTER_NEAREST, borderValue=IGNORE)


def warp_to_photo(frame: np.ndarray, affine: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Warp a map of the reference frame, such as the aligned mean mask, to a photo, bilinearly.

    Beyond the frame the map's edge is repeated, because shoulders go on there: zeros lower the mean IoU of the mean
    mask by .1.

    Args:
        frame: (800, 600) float32 or uint8.
        affine: (2, 3), of `similarity_to_frame`.
        height, width: of the photo, pixels.

    Returns:
        (height, width), of the map's dtype.
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(frame, affine, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def mean_mask(masks: Iterable[np.ndarray]) -> np.ndarray:
    """Mean mask M of eq. (6): at each pixel, the mean over the masks that are not ignored there.

    Args:
        masks: each (800, 600) uint8 {0, 1, 255 = ignored}.

    Returns:
        (800, 600) float32 in 0..1; 0 where every mask is ignored.

    Raises:
        InputError: a mask has another size, or `masks` is empty.
    """
    portrait, counted, number = np.zeros(FRAME, np.float32), np.zeros(FRAME, np.float32), 0
    for mask in masks:
        if mask.shape != FRAME:
            raise InputError(f"a mask is {mask.shape[0]}x{mask.shape[1]}; PFCN masks are {FRAME[0]}x{FRAME[1]}")
        portrait += mask == 1
        counted += mask != IGNORE
        number += 1
    if not number:
        raise InputError("there is no mask to take the mean of; the aligned mean needs photos with a face")
    return portrait / np.maximum(counted, 1)


def aligned_mean_mask(masks: Iterable[np.ndarray], affines: Iterable[np.ndarray]) -> np.ndarray:
    """Mean mask of aligned masks: each is warped to the frame by its own affine, then as `mean_mask`.

    Args:
        masks: each (H, W) uint8 {0, 1, 255 = ignored}.
        affines: one per mask, (2, 3), of `similarity_to_frame`.

    Returns:
        (800, 600) float32 in 0..1.

    Raises:
        InputError: `masks` is empty.
        ValueError: there are more masks than affines, or fewer.
    """
    return mean_mask(warp_to_frame(mask, affine) for mask, affine in zip(masks, affines, strict=True))
