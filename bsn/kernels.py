"""The boundary-sensitive kernels: individual, eq. (1)-(3), as soft labels; global, eq. (6), as loss weights.

codes = label_codes(mask, width=10)                         # (H, W) uint8, stored as a PNG of about 10 KB
labels = soft_labels(codes, width=10, reading="closeness")  # (3, H, W) float32: l_fg, l_bdry, l_bg
"""

from functools import cache

import cv2
import numpy as np

# Label codes hold distances to the contour exactly in a byte. 0 is background, 254 foreground, 255 ignored. In the band
# a code is 127 - k on the background's side of the contour and 128 + k on the foreground's, where the pixel's squared
# distance is the k-th sum of two squares (0, 1, 2, 4, 5, 8, ...): a grid has no other squared distances.
BACKGROUND, FOREGROUND, IGNORE = 0, 254, 255
_CONTOUR_OUTSIDE, _CONTOUR_INSIDE = 127, 128
_LEVELS = 126  # codes on each side of the contour
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@cache
def _levels(width: float) -> np.ndarray:
    """Sorted squared distances between grid points in a band of this width: those below (width / 2)^2, (K,) int64."""
    axis = np.arange(int(width / 2) + 1) ** 2
    sums = np.unique(axis[:, None] + axis[None, :])
    return sums[sums < width * width / 4]


def _widest() -> int:
    width = 1
    while len(_levels(width + 1)) <= _LEVELS:
        width += 1
    return width


MAX_WIDTH = _widest()  # pixels; a wider band has more distances than a uint8 can code
KERNEL_FILE = "kernel.json"  # in each folder of label codes: {"width": of the band, in pixels}


def contour(mask: np.ndarray) -> np.ndarray:
    """The portrait's contour line C: every pixel with a 4-neighbour of the other label.

    The paper takes Canny's edges. On PFCN's masks cv2.Canny marks pixels of this line, except one in 40 to 50, which it
    marks diagonally across a corner. Canny keeps one side of each label step, which one depends on its scanning order.
    Here both sides are kept, so that the kernel of a mirrored mask is the mirrored kernel. The borders of the image and
    of ignored regions are not part of the contour.

    Args:
        mask: (H, W) uint8 {0, 1, 255 = ignored}.

    Returns:
        (H, W) uint8 {0, 1}, 1 on the contour, two pixels thick.
    """
    foreground, background = (mask == 1).view(np.uint8), (mask == 0).view(np.uint8)
    inside = cv2.bitwise_and(foreground, cv2.dilate(background, _CROSS))
    outside = cv2.bitwise_and(background, cv2.dilate(foreground, _CROSS))
    return cv2.bitwise_or(inside, outside)


def band_squared_distance(line: np.ndarray, width: float) -> np.ndarray:
    """Exact squared Euclidean distance to the nearest pixel of `line`, within the band of `width` pixels.

    The band is the pixels at a distance below width / 2. Around a contour, two pixels thick, it is `width` pixels wide;
    one more for an odd width, because both sides are equally wide. Computed separably: min over dy of
    dy^2 + (min over dx of dx^2 in that row), each up to the band's half width.

    Args:
        line: (H, W) uint8, nonzero on the line.
        width: of the band, pixels.

    Returns:
        (H, W) pixels^2, uint8 (uint16 for bands wider than 32); the type's largest value outside of the band.
    """
    reach = int(np.ceil(width / 2)) - 1
    # uint8 is twice as fast, and enough while every squared distance in the band is below 255.
    kind = np.uint8 if reach**2 < 255 else np.uint16
    far = int(np.iinfo(kind).max)
    rows = _distance_pass((line == 0).astype(kind) * kind(far), reach, axis=1)
    squared = _distance_pass(rows, reach, axis=0)
    squared[squared >= width * width / 4] = far
    return squared


def _distance_pass(values: np.ndarray, reach: int, axis: int) -> np.ndarray:
    """min over |s| <= reach of values shifted by s along `axis`, plus s^2 (saturating)."""
    result, far = values.copy(), int(np.iinfo(values.dtype).max)
    for step in range(1, min(reach, values.shape[axis] - 1) + 1):
        raised = np.minimum(values, far - step * step) + values.dtype.type(step * step)
        ahead = (slice(step, None),) if axis == 0 else (slice(None), slice(step, None))
        behind = (slice(None, -step),) if axis == 0 else (slice(None), slice(None, -step))
        np.minimum(result[ahead], raised[behind], out=result[ahead])
        np.minimum(result[behind], raised[ahead], out=result[behind])
    return result


def label_codes(mask: np.ndarray, *, width: float) -> np.ndarray:
    """Label and distance to the contour of each pixel, from which `soft_labels` computes eq. (1)-(3).

    Args:
        mask: (H, W) uint8 {0, 1, 255 = ignored}.
        width: P of the paper, the band's width in pixels of this mask; 0 gives hard labels.

    Returns:
        Label codes, (H, W) uint8: 0 background, 254 foreground, 255 ignored, others in the band (`code_distances`).

    Raises:
        ValueError: the width is negative or above MAX_WIDTH.
    """
    if not 0 <= width <= MAX_WIDTH:
        raise ValueError(f"width is {width}; a band is 0 to {MAX_WIDTH} pixels wide")
    codes = np.where(mask == 1, np.uint8(FOREGROUND), np.uint8(BACKGROUND))
    if width > 0:
        squared = band_squared_distance(contour(mask), width)
        inside, outside = _code_tables(width, squared.dtype.name)
        codes = _look_up(outside, squared)
        cv2.copyTo(_look_up(inside, squared), (mask == 1).view(np.uint8), codes)
    codes[mask == IGNORE] = IGNORE
    return codes


def encode_codes(codes: np.ndarray) -> bytes:
    """Encode label codes, (H, W) uint8, as the bytes of a PNG file."""
    # Without a row filter, writing is four times as fast and the file is not larger.
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    return cv2.imencode(".png", codes, options)[1].tobytes()


@cache
def _code_tables(width: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Tables from squared distance to code, for the foreground's side and for the background's."""
    levels = _levels(width)
    size = int(np.iinfo(kind).max) + 1
    inside, outside = np.full(size, FOREGROUND, np.uint8), np.full(size, BACKGROUND, np.uint8)
    inside[levels] = _CONTOUR_INSIDE + np.arange(len(levels))
    outside[levels] = _CONTOUR_OUTSIDE - np.arange(len(levels))
    return inside, outside


def _look_up(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    # cv2.LUT is five times as fast, and accepts only uint8.
    return cv2.LUT(values, table) if values.dtype == np.uint8 else table[values]


def code_distances(width: float) -> np.ndarray:
    """Distance to the contour of each label code in a band of `width` pixels.

    Returns:
        (256,) float64, pixels; NaN for codes outside of the band.
    """
    distances = np.full(256, np.nan)
    levels = np.sqrt(_levels(width))
    distances[_CONTOUR_INSIDE : _CONTOUR_INSIDE + len(levels)] = levels
    distances[_CONTOUR_OUTSIDE - np.arange(len(levels))] = levels
    return distances


def soft_labels(codes: np.ndarray, *, width: float, reading: str) -> np.ndarray:
    """Individual kernel: soft labels [l_fg, l_bdry, l_bg] of eq. (1)-(3).

    l_fg is 1 - l_bdry on the foreground's side of the contour and 0 on the other, and l_bg the reverse. So the three
    sum to one. Outside of the band l_bdry is 0.

    Args:
        codes: (H, W) uint8, of `label_codes` with the same width.
        width: of the band, pixels.
        reading: of eq. (1), where d is the distance to the contour C and d_max the band's half width. "distance":
            l_bdry = d / d_max, the text's "normalized distance". "closeness": l_bdry = 1 - d / d_max, largest on the
            contour, where the boundary class is most likely. "sum": l_bdry = d / (sum of d over the
            photo's band), eq. (1) as printed.

    Returns:
        (3, H, W) float32 in 0..1, all zero where ignored.

    Raises:
        ValueError: the reading is none of the three, or the codes are of a wider band.
    """
    return np.stack([row[codes] for row in soft_label_table(codes, width=width, reading=reading)])


def soft_label_table(codes: np.ndarray, *, width: float, reading: str) -> np.ndarray:
    """Look-up table from label code to soft label. Arguments and errors as in `soft_labels`.

    Only the reading "sum" depends on the photo, by the counts of its codes.

    Returns:
        (3, 256) float32.
    """
    distance = code_distances(width)
    known = ~np.isnan(distance)
    known[[BACKGROUND, FOREGROUND, IGNORE]] = True
    if not known[codes].all():
        raise ValueError(f"the codes are those of a wider band than {width} pixels; give the width they were made with")
    if reading == "distance":
        boundary = distance / max(width / 2, 1.0)
    elif reading == "closeness":
        boundary = 1 - distance / max(width / 2, 1.0)
    elif reading == "sum":
        boundary = distance / max(np.bincount(codes.ravel(), minlength=256) @ np.nan_to_num(distance), 1.0)
    else:
        raise ValueError(f"reading is {reading!r}; it is distance, closeness or sum")
    boundary = np.nan_to_num(boundary)  # 0 outside of the band
    code = np.arange(256)
    inside, outside = (code >= _CONTOUR_INSIDE) & (code <= FOREGROUND), code < _CONTOUR_INSIDE
    return np.stack([inside * (1 - boundary), boundary, outside * (1 - boundary)]).astype(np.float32)


def global_kernel(mean_mask: np.ndarray, *, a: float, b: float, reading: str) -> np.ndarray:
    """Global kernel, eq. (6): a loss weight in [a, b] for each pixel of the frame.

    With c = |M - 0.5| / 0.5, which is 1 where all training masks agree:
    reading "text":    K = a + (1 - c)(b - a), so that the boundary's likely places weigh b, as the text says;
    reading "printed": K = b - (1 - c)(b - a), the equation as printed, by which they weigh a.

    Args:
        mean_mask: M, (H, W) float in 0..1.
        a: lower weight.
        b: higher weight.
        reading: "text" or "printed".

    Returns:
        (H, W) float32.

    Raises:
        ValueError: M is not in 0..1, a > b, or the reading is neither.
    """
    if not (mean_mask.min() >= 0 and mean_mask.max() <= 1):
        raise ValueError(f"the mean mask goes from {mean_mask.min()} to {mean_mask.max()}; give shares from 0 to 1")
    if a > b:
        raise ValueError(f"a is {a} and b is {b}; a must not be above b")
    uncertainty = 1 - np.abs(mean_mask - 0.5) / 0.5
    if reading == "text":
        return (a + uncertainty * (b - a)).astype(np.float32)
    if reading == "printed":
        return (b - uncertainty * (b - a)).astype(np.float32)
    raise ValueError(f"reading is {reading!r}; it is text or printed")
