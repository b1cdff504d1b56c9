"""A wall to paint backgrounds on, and people who turn their backs."""

import cv2
import numpy as np

from drawn.canvas import SHIFT, curve, fixed, oval
from drawn.palette import CLOTHS, Colour, pick, tone


class Wall:
    """An RGB picture being painted; coordinates are fractions of its width and of its height."""

    def __init__(self, width: int, height: int) -> None:
        self.size = np.array([width, height])
        self.px = np.empty((height, width, 3), np.uint8)

    def fill(self, points: np.ndarray, colour: Colour) -> None:
        cv2.fillPoly(self.px, [fixed(points * self.size)], colour, cv2.LINE_AA, SHIFT)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        self.fill([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def disc(self, x: float, y: float, r: float, colour: Colour) -> None:
        """r as a fraction of the height."""
        self.fill(oval(x, y, r * self.size[1] / self.size[0], r), colour)

    def line(self, points: np.ndarray, colour: Colour, width: float) -> None:
        """width as a fraction of the height."""
        cv2.polylines(self.px, [fixed(points * self.size)], False, colour,
                      max(1, round(width * self.size[1])), cv2.LINE_AA, SHIFT)  # fmt: skip

    def fade(self, top: Colour, bottom: Colour, *, sideways: float = 0.0) -> None:
        """Fill with a gradient from top to bottom, tilted by `sideways`."""
        y, x = np.linspace(0, 1, 24)[:, None], np.linspace(-0.5, 0.5, 18)[None]
        t = np.clip(y + sideways * x, 0, 1)[..., None]
        small = np.asarray(top) * (1 - t) + np.asarray(bottom) * t
        self.px = cv2.resize(small.astype(np.float32), tuple(int(s) for s in self.size)).astype(np.uint8)


def bystander(wall: Wall, rng: np.random.Generator) -> None:
    """Somebody in the background, turned away: hair, neck, shoulders, no face."""
    x = float(rng.choice([rng.uniform(0.02, 0.25), rng.uniform(0.75, 0.98)]))
    s, y = float(rng.uniform(0.045, 0.09)), float(rng.uniform(0.3, 0.6))
    cloth, hair = pick(rng, CLOTHS), pick(rng, ((44, 36, 36), (92, 62, 46), (170, 130, 86), (120, 116, 116)))
    w = s * wall.size[1] / wall.size[0]
    body = [(x - 2.2 * w, 1.1), (x - 2.0 * w, y + 2.4 * s), (x - 0.5 * w, y + 1.6 * s), (x + 0.5 * w, y + 1.6 * s),
            (x + 2.0 * w, y + 2.4 * s), (x + 2.2 * w, 1.1)]  # fmt: skip
    wall.fill(curve(np.array(body), 40), cloth)
    wall.box(
        x - 0.4 * w, y + 0.6 * s, x + 0.4 * w, y + 1.8 * s, pick(rng, ((214, 166, 134), (150, 104, 78), (108, 72, 52)))
    )
    wall.fill(oval(x, y, w, 1.25 * s), hair)
    if rng.random() < 0.5:
        wall.fill(oval(x, y + 0.7 * s, 1.05 * w, 1.5 * s), hair)
    wall.fill(oval(x - 0.3 * w, y - 0.4 * s, 0.4 * w, 0.5 * s), tone(hair, 1.15))
