"""Anti-aliased drawing on an RGBA canvas whose fourth channel is the coverage of the object being drawn.

Every stroke paints colour and coverage in one call, so that the mask can never disagree with the picture.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from drawn.palette import Colour

SHIFT = 4  # fractional bits of OpenCV's fixed-point coordinates
LOW = 4  # soft edges are made on a canvas this many times smaller
SHADE: Colour = (34, 12, 20)


def fixed(points: np.ndarray) -> np.ndarray:
    """Float pixels (..., 2) as OpenCV's int32 fixed-point coordinates."""
    return np.rint(points * (1 << SHIFT)).astype(np.int32)


@lru_cache(maxsize=128)
def _spline(controls: int, samples: int, closed: bool) -> np.ndarray:
    """Matrix (samples, controls) of a uniform Catmull-Rom spline through its control points."""
    spans = controls if closed else controls - 1
    at = np.linspace(0, spans, samples, endpoint=not closed)
    first = np.minimum(at.astype(int), spans - 1)
    t = at - first
    weights = (
        (-t + 2 * t**2 - t**3) / 2,
        (2 - 5 * t**2 + 3 * t**3) / 2,
        (t + 4 * t**2 - 3 * t**3) / 2,
        (t**3 - t**2) / 2,
    )
    matrix = np.zeros((samples, controls))
    for k, weight in enumerate(weights):
        index = first + k - 1
        index = index % controls if closed else np.clip(index, 0, controls - 1)
        np.add.at(matrix, (np.arange(samples), index), weight)
    return matrix


def curve(points: np.ndarray, samples: int = 24, *, closed: bool = False) -> np.ndarray:
    """Smooth curves through control points (..., controls, 2), as (..., samples, 2)."""
    points = np.asarray(points, float)
    return _spline(points.shape[-2], samples, closed) @ points


def oval(x: float, y: float, rx: float, ry: float, samples: int = 24) -> np.ndarray:
    """Points (samples, 2) of an ellipse."""
    angle = np.linspace(0, 2 * np.pi, samples, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], -1)


class Canvas:
    """`px`: uint8 (H, W, 4); channels 0..2 RGB, channel 3 the coverage of the object being drawn."""

    def __init__(self, rgb: np.ndarray) -> None:
        self.height, self.width = rgb.shape[:2]
        self.px = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
        self.px[..., 3] = 0

    def fill(self, points: np.ndarray, colour: Colour) -> None:
        """Fill a polygon (n, 2)."""
        cv2.fillPoly(self.px, [fixed(points)], (*colour, 255), cv2.LINE_AA, SHIFT)

    def strokes(self, curves: np.ndarray | Sequence[np.ndarray], colour: Colour, width: float) -> None:
        """Draw open curves (k, n, 2) with one colour and a width in pixels."""
        lines = list(fixed(curves)) if isinstance(curves, np.ndarray) else [fixed(c) for c in curves]
        if lines:
            cv2.polylines(self.px, lines, False, (*colour, 255), max(1, round(width)), cv2.LINE_AA, SHIFT)

    def window(self, points: np.ndarray, margin: float = 2) -> tuple[slice, slice]:
        """Rows and columns of the box around `points`, clipped to the canvas; may be empty."""
        low = np.floor(points.min(0) - margin).astype(int)
        high = np.ceil(points.max(0) + margin).astype(int) + 1
        x0, x1 = np.clip([low[0], high[0]], 0, self.width)
        y0, y1 = np.clip([low[1], high[1]], 0, self.height)
        return slice(y0, y1), slice(x0, x1)

    def alpha(self, *shapes: np.ndarray, box: tuple[slice, slice], sigma: float = 0) -> np.ndarray:
        """uint8 coverage of polygons inside a window, blurred by `sigma` pixels; wide blurs on a small copy."""
        rows, cols = box
        size = np.array([cols.stop - cols.start, rows.stop - rows.start])
        if not size.all():
            return np.zeros(size[::-1], np.uint8)
        shrink = 1 if sigma < LOW / 2 else LOW
        small = np.maximum(size // shrink, 1)
        cover = np.zeros(small[::-1], np.uint8)
        for shape in shapes:
            inside = fixed((shape - (cols.start, rows.start)) * (small / size))
            cv2.fillPoly(cover, [inside], 255, cv2.LINE_AA, SHIFT)
        cover = soften(cover, sigma / shrink)
        return cover if shrink == 1 else cv2.resize(cover, size.tolist(), interpolation=cv2.INTER_LINEAR)

    def paste(self, texture: np.ndarray, cover: np.ndarray, box: tuple[slice, slice]) -> None:
        """Lay an RGBA `texture` over a window through a uint8 `cover` of the same size."""
        if cover.size:
            weight = cover * np.float32(1 / 255)
            self.px[box] = cv2.blendLinear(texture, self.px[box], weight, 1 - weight)

    def glaze(self, *shapes: np.ndarray, colour: Colour, opacity: float, sigma: float = 0) -> None:
        """Transparent, soft-edged patches of colour on what is already drawn; coverage stays as it is."""
        box = self.window(np.vstack(shapes), 2.5 * sigma + 2)
        cover = self.alpha(*shapes, box=box, sigma=sigma)
        if cover.size:
            drawn = cv2.extractChannel(self.px[box], 3)
            self.paste(plain(cover.shape, colour), cv2.multiply(cover, drawn, scale=opacity / 255), box)
            cv2.insertChannel(drawn, self.px[box], 3)

    def shadow(self, *shapes: np.ndarray, offset: tuple[float, float], sigma: float, strength: float) -> None:
        """Darken the object where polygons moved by `offset` throw their soft shadow on it."""
        self.glaze(*(shape + offset for shape in shapes), colour=SHADE, opacity=strength, sigma=sigma)

    def take(self) -> np.ndarray:
        """Coverage of the finished object (uint8); the next object starts from nothing."""
        cover = self.px[..., 3].copy()
        self.px[..., 3] = 0
        return cover


def plain(shape: tuple[int, int], colour: Colour, *, cover: int = 0) -> np.ndarray:
    """uint8 RGBA (*shape, 4) of one colour; written four bytes at a time, which is several times faster."""
    word = np.array([*(int(c) for c in colour), cover], np.uint8).view(np.uint32)[0]
    return np.full(shape, word, np.uint32).view(np.uint8).reshape(*shape, 4)


def soften(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; nothing for a sigma under a third of a pixel or an empty image."""
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.33 and image.size else image
