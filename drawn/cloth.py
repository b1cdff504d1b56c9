"""Cloth: a plain colour with a printed, striped or knitted pattern that follows the body."""

import cv2
import numpy as np

from drawn.canvas import SHIFT, curve, fixed, oval, plain
from drawn.palette import Colour, mix, tone
from drawn.pose import Pose


def weave(pose: Pose, box: tuple[slice, slice], pattern: str, colour: Colour, second: Colour,
          rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    """uint8 RGBA texture of a window of the canvas, patterned in body coordinates."""
    rows, cols = box
    texture = plain((rows.stop - rows.start, cols.stop - cols.start), colour, cover=255)
    corner = np.array([cols.start, rows.start])
    low = (rows.stop - pose.y) / pose.unit + 0.6  # the lowest y that can be seen

    def put(points: np.ndarray) -> list[np.ndarray]:
        return list(fixed(pose.body(points) - corner))

    def lines(points: np.ndarray, paint: Colour, width: float) -> None:
        cv2.polylines(texture, put(points), False, (*paint, 255), max(1, round(width * pose.unit)), cv2.LINE_AA, SHIFT)

    def discs(centres: np.ndarray, size: float, paint: Colour) -> None:
        for disc in put(centres[:, None] + oval(0, 0, size, size, 9)):
            cv2.fillPoly(texture, [disc], (*paint, 255), cv2.LINE_AA, SHIFT)

    def across(gap: float) -> np.ndarray:
        x = np.array([-3.6, -1.6, 0, 1.6, 3.6])
        y = np.arange(2.2, low, gap)[:, None] + np.array([0.25, -0.02, 0.1, -0.02, 0.25])
        return curve(np.stack(np.broadcast_arrays(x, y), -1), 18)

    def down(gap: float) -> np.ndarray:
        return np.array([[(x, 2.0), (x * 1.05, 4.0), (x * 1.08, 11.0)] for x in np.arange(-3.6, 3.6, gap)])

    if pattern == "stripes":
        gap = float(rng.uniform(0.22, 0.5))
        lines(across(gap), second, gap * float(rng.uniform(0.3, 0.55)))
    elif pattern == "bars":
        lines(down(float(rng.uniform(0.22, 0.45))), mix(colour, second, 0.6), 0.05)
    elif pattern == "plaid":
        gap = float(rng.uniform(0.45, 0.75))
        for paint, width in ((mix(colour, second, 0.35), 0.24), (mix(colour, second, 0.8), 0.05)):
            lines(across(gap), paint, width)
            lines(down(gap), mix(paint, colour, 0.25), width)
        lines(across(gap) + np.array([0, gap / 2]), tone(colour, 1.3), 0.03)
    elif pattern == "dots":
        gap, size = float(rng.uniform(0.28, 0.45)), float(rng.uniform(0.04, 0.08))
        y, x = np.meshgrid(np.arange(2.3, low, gap), np.arange(-3.4, 3.4, gap), indexing="ij")
        x = x + gap / 2 * (np.arange(len(x)) % 2)[:, None]
        discs(np.stack([x, y], -1).reshape(-1, 2), size, second)
    elif pattern == "knit":
        y, x = np.meshgrid(np.arange(2.2, low, 0.15), np.arange(-3.4, 3.4, 0.13), indexing="ij")
        at = np.stack([x, y], -1).reshape(-1, 1, 2)
        lines(at + np.array([(-0.05, 0.0), (0.0, 0.08), (0.05, 0.0)]), tone(colour, 0.78), 0.012)
    elif pattern == "flowers":
        count = int(18 * max(1.0, low - 2.2))
        middle = np.stack([rng.uniform(-3.3, 3.3, count), rng.uniform(2.3, low, count)], -1)
        petals = oval(0, 0, 0.085, 0.085, 5)
        for paint, part in ((second, slice(0, None, 2)), (mix(second, (250, 244, 232), 0.6), slice(1, None, 2))):
            discs((middle[part, None] + petals).reshape(-1, 2), 0.06, paint)
        discs(middle, 0.045, (232, 196, 110))
    return texture
