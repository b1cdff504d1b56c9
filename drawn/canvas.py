"""Colours, curves, and an RGBA canvas whose fourth channel is the mask of the object that is being drawn.

Every stroke paints colour and coverage in one call, so the mask always agrees with the picture.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np

Colour = tuple[float, float, float]  # RGB, 0..255
Option = TypeVar("Option")

SKINS: tuple[Colour, ...] = (
    (250, 215, 188), (246, 206, 176), (239, 194, 160), (229, 179, 141), (216, 162, 122),
    (199, 143, 104), (176, 120, 84), (154, 103, 73), (131, 86, 61), (112, 73, 54),
)  # fmt: skip
HAIRS: dict[str, Colour] = {
    "black": (40, 34, 36), "espresso": (62, 43, 36), "brown": (92, 62, 44), "chestnut": (124, 74, 46),
    "auburn": (146, 70, 42), "ginger": (178, 94, 48), "sand": (168, 130, 84), "blonde": (204, 164, 106),
    "platinum": (212, 190, 150), "grey": (140, 138, 138), "white": (190, 188, 184), "rose": (205, 116, 138),
    "teal": (62, 128, 132),
}  # fmt: skip
EYES: tuple[Colour, ...] = ((74, 48, 30), (98, 66, 38), (110, 94, 54), (84, 112, 82), (82, 118, 150), (110, 130, 146))
# Muted gouache tones for clothes, walls and props, so that the pictures share one palette.
CLOTHS: tuple[Colour, ...] = (
    (38, 44, 58), (58, 76, 104), (94, 124, 150), (152, 178, 188), (66, 92, 84), (112, 136, 104),
    (176, 186, 150), (226, 214, 188), (240, 236, 226), (222, 178, 108), (206, 138, 86), (186, 96, 78),
    (146, 62, 66), (104, 52, 70), (196, 140, 146), (228, 190, 182), (120, 100, 140), (92, 84, 80), (52, 46, 46),
)  # fmt: skip
WALLS: tuple[Colour, ...] = (
    (214, 204, 188), (196, 208, 206), (160, 178, 184), (118, 142, 152), (78, 98, 112), (188, 196, 168),
    (142, 156, 124), (92, 110, 92), (226, 196, 160), (208, 160, 126), (176, 118, 98), (206, 176, 178),
    (168, 150, 172), (112, 100, 118), (72, 66, 72), (48, 50, 58), (232, 226, 216), (222, 206, 150),
)  # fmt: skip
LEAVES: tuple[Colour, ...] = ((44, 72, 52), (66, 98, 62), (92, 122, 70), (130, 150, 86), (168, 174, 110), (54, 84, 80))


def colour_of(channels: Iterable[float]) -> Colour:
    """Three channels as a colour."""
    red, green, blue = channels
    return red, green, blue


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """Linear mix of two colours: a for t = 0, b for t = 1."""
    return colour_of(x + (y - x) * t for x, y in zip(a, b, strict=True))


def tone(colour: Colour, factor: float) -> Colour:
    """Darker and a little cooler (factor < 1), or lighter and a little warmer (factor > 1)."""
    if factor <= 1:
        return mix((14, 10, 22), colour, factor)
    return mix(colour, (255, 244, 224), min(1.0, factor - 1))


def sheen(colour: Colour, factor: float) -> Colour:
    """Hair colour times `factor`; where that brightens it, also warmer and paler."""
    if factor <= 1:
        return colour_of(c * factor for c in colour)
    # Less is added to a brighter channel, or blond hair would turn yellow.
    shine = zip(colour, (16, 13, 11), strict=True)
    return colour_of(c + (factor - 1) * (c * (1.15 - 0.9 * c / 255) + g) for c, g in shine)


def pick(rng: np.random.Generator, options: Sequence[Option]) -> Option:
    """One of `options`, each equally likely."""
    return options[int(rng.integers(len(options)))]


def jitter(rng: np.random.Generator, colour: Colour, amount: float) -> Colour:
    """`colour` shifted at random: all channels by up to `amount`, each one by up to half of it more."""
    shift = rng.uniform(-amount, amount) + rng.uniform(-amount / 2, amount / 2, 3)
    return colour_of(float(v) for v in np.clip(np.asarray(colour) + shift, 0, 255))


SHIFT = 4  # fractional bits of OpenCV's fixed-point coordinates
LOW = 4  # wide blurs are computed on a copy this many times smaller
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
        """Fill a polygon (n, 2), pixels."""
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
        """uint8 coverage of polygons inside a window, blurred by `sigma` pixels."""
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
        """Blend an RGBA `texture` into a window, weighted by a uint8 `cover` of the same size."""
        if cover.size:
            weight = cover * np.float32(1 / 255)
            self.px[box] = cv2.blendLinear(texture, self.px[box], weight, 1 - weight)

    def glaze(self, *shapes: np.ndarray, colour: Colour, opacity: float, sigma: float = 0) -> None:
        """Blend transparent, soft-edged polygons into what is already drawn; coverage is unchanged."""
        box = self.window(np.vstack(shapes), 2.5 * sigma + 2)
        cover = self.alpha(*shapes, box=box, sigma=sigma)
        if cover.size:
            drawn = cv2.extractChannel(self.px[box], 3)
            self.paste(plain(cover.shape, colour), cv2.multiply(cover, drawn, scale=opacity / 255), box)
            cv2.insertChannel(drawn, self.px[box], 3)

    def shadow(self, *shapes: np.ndarray, offset: tuple[float, float], sigma: float, strength: float) -> None:
        """Darken the object under polygons that are shifted by `offset` and blurred by `sigma`, all in pixels."""
        self.glaze(*(shape + offset for shape in shapes), colour=SHADE, opacity=strength, sigma=sigma)

    def take(self) -> np.ndarray:
        """Return the coverage (uint8) of the object drawn since the last call, and reset it."""
        cover = self.px[..., 3].copy()
        self.px[..., 3] = 0
        return cover


def plain(shape: tuple[int, int], colour: Colour, *, cover: int = 0) -> np.ndarray:
    """uint8 RGBA (*shape, 4) of one colour; filled as uint32, which is several times faster."""
    word = np.array([*(int(c) for c in colour), cover], np.uint8).view(np.uint32)[0]
    return np.full(shape, word, np.uint32).view(np.uint8).reshape(*shape, 4)


def soften(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; returns the image itself where sigma is under a third of a pixel or the image is empty."""
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.33 and image.size else image
