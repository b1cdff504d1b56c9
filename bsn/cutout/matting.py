"""From a hard mask to a soft edge and its true colours: trimap, closed-form matte, foreground estimation (PyMatting).

PyMatting is imported where it is used: it compiles itself at its very first import, for the better part of a minute.
"""

import cv2
import numpy as np

from bsn.alignment import FRAME
from bsn.errors import InputError
from bsn.kernels import contour

FOREGROUND, UNKNOWN, BACKGROUND = 255, 128, 0
# The equations of a larger matte would take more than 1.3 GB for each million pixels.
MATTE_PIXELS = FRAME[0] * FRAME[1]
# Alpha is taken as linear in the colour within small windows; one whose variance (of colours in 0..1) is below this is
# flat. With PyMatting's own 1e-7 the 8x8 blocks of JPEG photos show in the matte; from 1e-5 on they do not.
_FLAT = 1e-4
_SMALLEST = 3  # pixels of a side: the windows of closed-form matting have as many
_WINDOW = 2  # half the side of the windows in which a matte is enlarged


def frame_scale(height: int, width: int) -> float:
    """How many of a photo's pixels are one of an 800x600 photo, which pixel counts of the paper are meant for."""
    return (height * width / (FRAME[0] * FRAME[1])) ** 0.5


def shrunk_size(height: int, width: int) -> tuple[int, int]:
    """(width, height) of a copy of at most MATTE_PIXELS; a photo that has no more keeps its size."""
    scale = min(1.0, (MATTE_PIXELS / (height * width)) ** 0.5)
    return max(1, round(width * scale)), max(1, round(height * scale))


def trimap(mask: np.ndarray, *, band: float) -> np.ndarray:
    """Section 4.4.3: the contour, dilated to `band` pixels as for the individual kernel, is unknown.

    mask: (H, W) uint8 {0, 1}. band: in this mask's pixels. Returns (H, W) uint8: 0 background, 128 unknown, 255
    foreground.
    """
    # A line that is nowhere is infinitely far from everything.
    distance = cv2.distanceTransform(1 - contour(mask), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    unknown = distance < band / 2
    return np.where(unknown, UNKNOWN, np.where(mask == 1, FOREGROUND, BACKGROUND)).astype(np.uint8)


def matte(photo: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Share of portrait in each pixel, float32 (H, W) in 0..1: closed-form matting (Levin et al. 2008) of a trimap.

    It is solved on at most MATTE_PIXELS: a larger photo is shrunk to that, and the matte enlarged along the large
    photo's own edges. photo: (H, W, 3) uint8 RGB. known: its trimap, as of `trimap`. Without any sure foreground or
    background there is nothing to go by, and the unknown counts as half. Raises InputError for a photo whose sides, or
    those of its shrunken copy, are below 3 pixels, and when there is no solution.
    """
    _check_size(known)
    answer = known.astype(np.float32) / FOREGROUND
    answer[known == UNKNOWN] = 0.5
    if not all((known == value).any() for value in (FOREGROUND, UNKNOWN, BACKGROUND)):
        return answer
    # Only around the unknown is there anything to solve.
    rows, columns = (_span((known == UNKNOWN).any(axis=axis)) for axis in (1, 0))
    image, inner = photo[rows, columns], known[rows, columns]
    size = shrunk_size(*inner.shape)
    sure = [cv2.resize(np.float32(inner == value), size, interpolation=cv2.INTER_AREA) for value in (FOREGROUND, 0)]
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
    """The colours of portrait and background by themselves, uint8 (H, W, 3) RGB: multi-level estimation (Germer 2020).

    alpha * first + (1 - alpha) * second is the photo. Where a pixel shows only the one, the other is made up from what
    is near. photo: (H, W, 3) uint8 RGB, alpha: (H, W) float32. Raises InputError as `matte` does for a small photo.
    """
    _check_size(alpha)

    from pymatting import estimate_foreground_ml

    # float32 arrays go through PyMatting uncopied; float64 would take twice the memory.
    image = photo.astype(np.float32) / np.float32(255)
    both = estimate_foreground_ml(image, alpha, return_background=True)
    return tuple(_bytes(255 * layer) for layer in both)


def _check_size(values: np.ndarray) -> None:
    height, width = values.shape
    if min(shrunk_size(height, width)) < _SMALLEST:
        raise InputError(f"{height}x{width} pixels are too few, or too oblong, for a soft edge; --trimap needs none")


def _closed_form(photo: np.ndarray, known: np.ndarray) -> np.ndarray:
    from pymatting import estimate_alpha_cf

    try:
        return estimate_alpha_cf(photo / 255, known, laplacian_kwargs={"epsilon": _FLAT}).astype(np.float32)
    except ValueError as error:
        raise InputError(f"the matte can't be solved ({error}); take another --band") from None


def _enlarged(alpha: np.ndarray, small: np.ndarray, large: np.ndarray) -> np.ndarray:
    """`alpha` (h, w) of the photo `small` at the size of the photo `large`, float32 (H, W) in 0..1.

    Closed-form matting takes alpha as linear in the colour within each small window; those lines, found on the
    small photo, are asked at the large photo's colours (He et al. 2010: guided filter; Levin et al. 2008, section 6).
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
    """From the first to the last that is present, and one more on either side."""
    places = np.flatnonzero(present)
    return slice(max(places[0] - 1, 0), places[-1] + 2)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)
