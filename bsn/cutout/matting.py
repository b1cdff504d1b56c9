"""Soft edges from a hard mask: trimap, closed-form matte and foreground estimation (PyMatting).

PyMatting is imported late, because it compiles itself at its first import in an environment, for about a minute.
"""

import logging
import sys
from threading import Timer
from types import ModuleType

import cv2
import numpy as np

from bsn.alignment import FRAME
from bsn.errors import InputError
from bsn.kernels import contour

FOREGROUND, UNKNOWN, BACKGROUND = 255, 128, 0
# Larger mattes are solved on a shrunken photo, because the equations take more than 1.3 GB per million pixels.
MATTE_PIXELS = FRAME[0] * FRAME[1]
# Alpha is modelled as linear in the colour within small windows, regularised by this variance of colours in 0..1. With
# PyMatting's own 1e-7 the 8x8 blocks of JPEG photos show in the matte; from 1e-5 on they do not.
_FLAT = 1e-4
_SMALLEST = 3  # pixels: shortest side of a photo, that of closed-form matting's windows
_STRIP = 512  # rows of a large photo whose layers are computed at once
_WINDOW = 2  # half the side of the windows in which a matte is enlarged
_IMPORT_SECONDS = 8.0  # the import of a compiled PyMatting takes less, even on a busy machine


def frame_scale(height: int, width: int) -> float:
    """Scale of lengths in a photo relative to 800x600, the size for which the paper gives widths in pixels.

    Args:
        height: of the photo, pixels.
        width: of the photo, pixels.

    Returns:
        1 for as many pixels as 800x600 has, 2 for four times as many.
    """
    return (height * width / (FRAME[0] * FRAME[1])) ** 0.5


def shrunk_size(height: int, width: int) -> tuple[int, int]:
    """Size of a photo's copy with at most MATTE_PIXELS.

    Args:
        height: of the photo, pixels.
        width: of the photo, pixels.

    Returns:
        (width, height), the order of cv2.resize; unchanged for a smaller photo.
    """
    scale = min(1.0, (MATTE_PIXELS / (height * width)) ** 0.5)
    return max(1, round(width * scale)), max(1, round(height * scale))


def trimap(mask: np.ndarray, *, band: float) -> np.ndarray:
    """Trimap of section 4.4.3: unknown in the band of `band` pixels around the contour, that of the individual kernel.

    Args:
        mask: (H, W) uint8 {0, 1}.
        band: width in pixels of this mask.

    Returns:
        (H, W) uint8: 0 background, 128 unknown, 255 foreground.
    """
    # Without a contour the distance is infinite everywhere.
    distance = cv2.distanceTransform(1 - contour(mask), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    unknown = distance < band / 2
    return np.where(unknown, UNKNOWN, np.where(mask == 1, FOREGROUND, BACKGROUND)).astype(np.uint8)


def matte(photo: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Closed-form matting (Levin et al. 2008) of a trimap.

    Solved on at most MATTE_PIXELS: a larger photo is shrunk, and the matte enlarged along the large photo's edges.

    Args:
        photo: (H, W, 3) uint8 RGB.
        known: (H, W) uint8, its trimap as from `trimap`.

    Returns:
        Share of the portrait in each pixel's colour, (H, W) float32 in 0..1. If the trimap has no foreground or no
        background, unknown pixels are one half.

    Raises:
        InputError: a side of the photo or of its shrunken copy is below 3 pixels, or there is no solution.
    """
    _check_size(known)
    answer = known.astype(np.float32) / FOREGROUND
    answer[known == UNKNOWN] = 0.5
    if not all((known == value).any() for value in (FOREGROUND, UNKNOWN, BACKGROUND)):
        return answer
    # Solve only around the unknown.
    rows, columns = (_span((known == UNKNOWN).any(axis=axis)) for axis in (1, 0))
    image, inner = photo[rows, columns], known[rows, columns]
    size = shrunk_size(*inner.shape)
    sure = [
        cv2.resize((inner == value).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        for value in (FOREGROUND, BACKGROUND)
    ]
    small_known = np.where(sure[0] > 0.999, 1.0, np.where(sure[1] > 0.999, 0.0, 0.5))
    if not all((small_known == value).any() for value in (0, 0.5, 1)):
        return answer
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    alpha = _closed_form(small, small_known)
    if small.shape != image.shape:
        alpha = _enlarged(alpha, small, image)
    unknown = inner == UNKNOWN
    answer[rows, columns][unknown] = alpha[unknown]
    return answer


def layers(photo: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the colours of portrait and background separately, by multi-level estimation (Germer et al. 2020).

    photo = alpha * foreground + (1 - alpha) * background. Where a pixel shows only one of them, the other is
    extrapolated from its neighbourhood. Like the matte, the layers of a large photo are estimated on a smaller copy.

    Args:
        photo: (H, W, 3) uint8 RGB.
        alpha: (H, W) float32 in 0..1.

    Returns:
        Foreground and background, each (H, W, 3) uint8 RGB.

    Raises:
        InputError: the photo is too small, as in `matte`.
    """
    _check_size(alpha)
    size = shrunk_size(*alpha.shape)
    shrinks = size != alpha.shape[::-1]
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA) if shrinks else photo
    small_alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) if shrinks else alpha
    # PyMatting uses float32 arrays without a copy; float64 would take twice the memory.
    image = small.astype(np.float32) / np.float32(255)
    both = _pymatting().estimate_foreground_ml(image, small_alpha, return_background=True)
    assert isinstance(both, tuple)  # as always with return_background
    if shrinks:
        return _enlarged_layers(both, photo, alpha)
    foreground, background = (_bytes(255 * layer) for layer in both)
    return foreground, background


def _enlarged_layers(
    both: tuple[np.ndarray, np.ndarray], photo: np.ndarray, alpha: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Enlarge a small photo's layers (h, w, 3) to those nearest to them of which the large photo is the mixture."""
    layers = np.empty_like(photo), np.empty_like(photo)
    for channel in range(3):  # one by one, and in strips, for memory
        enlarged = [cv2.resize(layer[..., channel], alpha.shape[::-1]) for layer in both]
        for top in range(0, len(alpha), _STRIP):
            rows = slice(top, top + _STRIP)
            share, (front, back) = alpha[rows], (255 * layer[rows] for layer in enlarged)
            rest = 1 - share
            missing = photo[rows, :, channel] - share * front - rest * back
            missing /= share * share + rest * rest
            layers[0][rows, :, channel] = _bytes(front + share * missing)
            layers[1][rows, :, channel] = _bytes(back + rest * missing)
    return layers


def _pymatting() -> ModuleType:
    """Import PyMatting; log a warning if the import takes long, because it compiles itself."""
    notice = Timer(
        _IMPORT_SECONDS,
        logging.getLogger(__name__).warning,
        ["PyMatting compiles itself at its first use in this environment; this takes about a minute"],
    )
    notice.daemon = True
    if "pymatting" not in sys.modules:  # a module that another thread is importing is there too
        notice.start()
    try:
        import pymatting
    finally:
        notice.cancel()
    return pymatting


def _check_size(values: np.ndarray) -> None:
    height, width = values.shape
    if min(shrunk_size(height, width)) < _SMALLEST:
        raise InputError(f"{height}x{width} pixels are too few, or too oblong, for a soft edge; a trimap needs none")


def _closed_form(photo: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Alpha of a trimap of 0, 0.5 = unknown and 1, (h, w) float32."""
    solve = _pymatting().estimate_alpha_cf
    try:
        return solve(photo / 255, known, laplacian_kwargs={"epsilon": _FLAT}).astype(np.float32)
    except ValueError as error:
        raise InputError(f"the matte can't be solved ({error}); take another band") from None


def _enlarged(alpha: np.ndarray, small: np.ndarray, large: np.ndarray) -> np.ndarray:
    """Enlarge `alpha` (h, w) of the photo `small` to the size of the photo `large`, (H, W) float32 in 0..1.

    Guided filter (He et al. 2010; Levin et al. 2008, section 6): closed-form matting models alpha as linear in the
    colour within each small window; the coefficients of the small photo are applied to the large photo's colours.
    """
    image = small.astype(np.float32) / 255
    mean, mean_alpha = _mean(image), _mean(alpha)
    square = np.stack([_mean(image * image[..., c : c + 1]) for c in range(3)], axis=-1)
    covariance = square - mean[..., None] * mean[..., None, :] + _FLAT * np.eye(3, dtype=np.float32)
    with_alpha = _mean(image * alpha[..., None]) - mean * mean_alpha[..., None]
    slope = np.linalg.solve(covariance, with_alpha[..., None])[..., 0]
    offset = mean_alpha - (slope * mean).sum(axis=2)
    size = large.shape[1::-1]
    slope, offset = cv2.resize(_mean(slope), size), cv2.resize(_mean(offset), size)
    answer = offset
    for channel in range(3):
        answer += slope[..., channel] * (large[..., channel] / np.float32(255))
    return np.clip(answer, 0, 1)


def _mean(values: np.ndarray) -> np.ndarray:
    side = 2 * _WINDOW + 1
    return cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT)


def _span(present: np.ndarray) -> slice:
    """From the first true value to the last, and one more on either side."""
    places = np.flatnonzero(present)
    return slice(max(places[0] - 1, 0), places[-1] + 2)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)
