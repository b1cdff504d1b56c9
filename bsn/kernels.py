"""The two boundary-sensitive kernels: the individual one, eq. (1)-(3), and the global one, eq. (6).

An individual kernel is kept as a uint8 map of codes, exact and small (about 10 KB as a PNG), and becomes soft labels
where it is used:

    codes = label_codes(mask, width=10)                # (H, W) uint8, looks like a signed distance
    labels = soft_labels(codes, width=10, reading="distance")   # (3, H, W) float32: l_fg, l_bdry, l_bg

A code is 0 for background, 254 for foreground and 255 for ignored. Between them is the band: 127 - k on the
background's side of the contour and 128 + k on the foreground's, where the pixel's squared distance to the contour is
the k-th number that is a sum of two squares (0, 1, 2, 4, 5, 8, ...): no other squared distance exists on a grid.
"""

from functools import cache

import cv2
import numpy as np

BACKGROUND, FOREGROUND, IGNORE = 0, 254, 255
_CONTOUR_OUTSIDE, _CONTOUR_INSIDE = 127, 128
_LEVELS = 126  # codes on each side of the contour
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@cache
def _squared_distances(limit: int) -> np.ndarray:
    """The squared distances between grid points that are below `limit`, in order. Shape (K,), int64."""
    axis = np.arange(int(limit**0.5) + 1) ** 2
    sums = np.unique(axis[:, None] + axis[None, :])
    return sums[sums < limit]


def _widest() -> int:
    width = 1
    while len(_squared_distances(-(-((width + 1) ** 2) // 4))) <= _LEVELS:
        width += 1
    return width


MAX_WIDTH = _widest()  # pixels: a wider band has more distances than a uint8 can name


def contour(mask: np.ndarray) -> np.ndarray:
    """The portrait's contour line C: every pixel that touches, up, down, left or right, the other label.

    On a binary map these are the pixels where cv2.Canny puts its edge, but for one in 40 to 50 (measured on PFCN's
    masks) that it puts diagonally across a corner. Canny keeps one side of each step, by its order of scanning; both
    are kept here, so that the kernel of a mirrored mask is the mirrored kernel. The border of the image is no contour,
    and neither is the border of an ignored region.

    mask: (H, W) uint8 {0, 1, 255 = ignored}. Returns (H, W) uint8 {0, 1}.
    """
    foreground, background = (mask == 1).view(np.uint8), (mask == 0).view(np.uint8)
    inside = cv2.bitwise_and(foreground, cv2.dilate(background, _CROSS))
    outside = cv2.bitwise_and(background, cv2.dilate(foreground, _CROSS))
    return cv2.bitwise_or(inside, outside)


def band_squared_distance(line: np.ndarray, width: float) -> np.ndarray:
    """Exact squared Euclidean distance to the nearest pixel of `line`, inside of the band that is `width` wide.

    The band holds the pixels nearer than width / 2, which dilates a contour (two pixels thick) to `width` pixels; to
    one more where that is odd, for the contour lies between two pixels and the band is as wide on either side.
    Separable: min over dy of dy^2 + (min over dx of dx^2 on that row), each cut at the band's radius.

    line: (H, W) uint8, nonzero on the line.
    Returns (H, W) pixels^2, uint8 (uint16 for bands over 32 wide); the type's largest value outside of the band.
    """
    reach = int(np.ceil(width / 2)) - 1
    # A byte is enough, and twice as fast, as long as every squared distance inside of the band is below 255.
    kind = np.uint8 if reach**2 < 255 else np.uint16
    far = int(np.iinfo(kind).max)
    rows = _spread((line == 0).astype(kind) * kind(far), reach, axis=1)
    squared = _spread(rows, reach, axis=0)
    squared[squared >= width * width / 4] = far
    return squared


def _spread(values: np.ndarray, reach: int, axis: int) -> np.ndarray:
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
    """The individual kernel of one photo, eq. (1)-(3), as codes (see the module's docstring).

    mask: (H, W) uint8 {0, 1, 255}. width: the band's, in pixels of this mask; 0 gives the plain, hard labels.
    Returns (H, W) uint8. Raises ValueError for a width that is negative or above MAX_WIDTH.
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
    """A PNG of label codes. Without a row filter it is four times as fast to write, and no larger, than with one."""
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    return cv2.imencode(".png", codes, options)[1].tobytes()


@cache
def _code_tables(width: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Tables from squared distance to code, on the foreground's side and on the background's."""
    levels = _levels(width)
    size = int(np.iinfo(kind).max) + 1
    inside, outside = np.full(size, FOREGROUND, np.uint8), np.full(size, BACKGROUND, np.uint8)
    inside[levels] = _CONTOUR_INSIDE + np.arange(len(levels))
    outside[levels] = _CONTOUR_OUTSIDE - np.arange(len(levels))
    return inside, outside


def _look_up(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    # OpenCV's is five times as fast, and takes bytes alone.
    return cv2.LUT(values, table) if values.dtype == np.uint8 else table[values]


def _levels(width: float) -> np.ndarray:
    """The squared distances that occur in a band of this width: those below (width / 2)^2."""
    return _squared_distances(width * width / 4)


def code_distances(width: float) -> np.ndarray:
    """Distance to the contour, in pixels, that each code stands for. Shape (256,), float64; NaN outside of the band."""
    distances = np.full(256, np.nan)
    levels = np.sqrt(_levels(width))
    distances[_CONTOUR_INSIDE : _CONTOUR_INSIDE + len(levels)] = levels
    distances[_CONTOUR_OUTSIDE - np.arange(len(levels))] = levels
    return distances


def soft_labels(codes: np.ndarray, *, width: float, reading: str) -> np.ndarray:
    """Soft labels [l_fg, l_bdry, l_bg] of eq. (1)-(3); they sum to one at every pixel that is not ignored.

    codes: (H, W) uint8 from `label_codes` with the same width. reading, of eq. (1), d being the distance to C:
    "distance"   l_bdry = d / d_max, the "normalized distance" of the text; d_max is the band's half width
    "closeness"  l_bdry = 1 - d / d_max: surest boundary on the contour itself, "how likely the pixel belongs"
    "sum"        l_bdry = d / sum of d over the photo's band, the letter of eq. (1)
    Returns (3, H, W) float32; all zero where ignored. Raises ValueError for another reading, or a narrower width.
    """
    return np.stack([row[codes] for row in soft_label_table(codes, width=width, reading=reading)])


def soft_label_table(codes: np.ndarray, *, width: float, reading: str) -> np.ndarray:
    """What each code means as a soft label, (3, 256) float32; the photo's codes matter to the reading "sum" alone.

    Raises ValueError for another reading, and for codes of a wider band.
    """
    known = ~np.isnan(code_distances(width))
    known[[BACKGROUND, FOREGROUND, IGNORE]] = True
    if not known[codes].all():
        raise ValueError(f"the codes are those of a wider band than {width} pixels; give the width they were made with")
    distance = np.nan_to_num(code_distances(width))
    if reading == "distance":
        boundary = distance / max(width / 2, 1.0)
    elif reading == "closeness":
        boundary = np.where(np.isnan(code_distances(width)), 0, 1 - distance / max(width / 2, 1.0))
    elif reading == "sum":
        boundary = distance / max(np.bincount(codes.ravel(), minlength=256) @ distance, 1.0)
    else:
        raise ValueError(f"reading is {reading!r}; it is distance, closeness or sum")
    code = np.arange(256)
    inside, outside = (code >= _CONTOUR_INSIDE) & (code <= FOREGROUND), code < _CONTOUR_INSIDE
    return np.stack([inside * (1 - boundary), boundary, outside * (1 - boundary)]).astype(np.float32)


def global_kernel(mean_mask: np.ndarray, *, a: float, b: float, reading: str) -> np.ndarray:
    """The global boundary-sensitive kernel, eq. (6): a weight in [a, b] for every place of the frame.

    With certainty c = |M - 0.5| / 0.5, which is 1 where all portraits agree:
    "text"     K = a + (1 - c)(b - a): the uncertain places weigh b, as the text says
    "printed"  K = b - (1 - c)(b - a): as the equation stands, which weighs them a

    mean_mask: (H, W) M, in [0, 1]. Returns (H, W) float32. Raises ValueError for another M, a > b or another reading.
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
