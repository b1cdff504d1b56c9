"""Painted backgrounds: gradients, rooms, windows, leaves, lights, streets, stripes, clutter, the sea, bricks."""

from collections.abc import Sequence

import cv2
import numpy as np

from drawn.canvas import (
    CLOTHS,
    LEAVES,
    SHIFT,
    WALLS,
    Colour,
    colour_of,
    curve,
    fixed,
    jitter,
    mix,
    oval,
    pick,
    soften,
    tone,
)
from drawn.scene import Scene

Points = np.ndarray | Sequence[tuple[float, float]]


class Wall:
    """An RGB picture being painted. Coordinates are fractions of its width and height."""

    def __init__(self, width: int, height: int) -> None:
        self.size = np.array([width, height])
        self.px: np.ndarray = np.empty((height, width, 3), np.uint8)

    def fill(self, points: Points, colour: Colour) -> None:
        """Fill a polygon (n, 2)."""
        cv2.fillPoly(self.px, [fixed(np.asarray(points) * self.size)], colour, cv2.LINE_AA, SHIFT)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """Fill an upright rectangle."""
        self.fill([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def disc(self, x: float, y: float, r: float, colour: Colour) -> None:
        """A circle of radius r, a fraction of the height."""
        self.fill(oval(x, y, r * self.size[1] / self.size[0], r), colour)

    def line(self, points: Points, colour: Colour, width: float) -> None:
        """An open line; width is a fraction of the height."""
        cv2.polylines(self.px, [fixed(np.asarray(points) * self.size)], False, colour,
                      max(1, round(width * self.size[1])), cv2.LINE_AA, SHIFT)  # fmt: skip

    def fade(self, top: Colour, bottom: Colour, *, sideways: float = 0.0) -> None:
        """Fill with a gradient from top to bottom, tilted by `sideways`."""
        y, x = np.linspace(0, 1, 24)[:, None], np.linspace(-0.5, 0.5, 18)[None]
        t = np.clip(y + sideways * x, 0, 1)[..., None]
        small = np.asarray(top) * (1 - t) + np.asarray(bottom) * t
        self.px = cv2.resize(small.astype(np.float32), tuple(int(s) for s in self.size)).astype(np.uint8)


def paint_backdrop(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Paint the background of a scene, blurred by its focus: uint8 RGB (H, W, 3)."""
    wall = Wall(scene.width, scene.height)
    PAINTERS[scene.backdrop](wall, scene, rng)
    for _ in range(scene.bystanders):
        _bystander(wall, rng)
    # Bystanders are always out of focus, so that no detector takes one for the subject.
    sigma = max(scene.focus, 0.008 if scene.bystanders else 0.0) * scene.height
    if sigma <= 2.5:
        return soften(wall.px, sigma)
    half = cv2.resize(wall.px, (scene.width // 2, scene.height // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(soften(half, sigma / 2), (scene.width, scene.height), interpolation=cv2.INTER_LINEAR)


def _gradient(wall: Wall, scene: Scene, rng: np.random.Generator) -> None:
    wall.fade(tone(scene.wall, 1.08), tone(scene.wall, 0.78), sideways=float(rng.uniform(-0.6, 0.6)))
    for _ in range(26):  # broad brush strokes
        x, y = rng.uniform(-0.1, 1.0), rng.uniform(0, 1)
        colour = jitter(rng, mix(scene.wall, scene.wall2, float(rng.uniform(0, 0.25))), 6)
        stroke = np.array([(x, y), (x + 0.15, y - 0.03), (x + 0.4, y + rng.uniform(-0.08, 0.08))])
        wall.line(curve(stroke, 12), colour, rng.uniform(0.02, 0.07))
    wall.px = soften(cv2.resize(wall.px, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), 3)
    wall.px = cv2.resize(wall.px, tuple(int(s) for s in wall.size), interpolation=cv2.INTER_LINEAR)


def _room(wall: Wall, scene: Scene, rng: np.random.Generator) -> None:
    wall.fade(tone(scene.wall, 1.05), tone(scene.wall, 0.86), sideways=0.4 * scene.light[0])
    floor = float(rng.uniform(0.72, 0.95))
    wall.box(0, floor, 1, 1, tone(scene.wall2, 0.7))
    wall.box(0, floor - 0.02, 1, floor, mix(scene.wall, (250, 246, 238), 0.6))
    for side in rng.permutation([0.0, 0.66])[: int(rng.integers(1, 3))]:
        x = float(side + rng.uniform(-0.04, 0.06))
        what = int(rng.integers(4))
        if what == 0:  # a picture
            y, w, h = rng.uniform(0.06, 0.3), rng.uniform(0.22, 0.34), rng.uniform(0.16, 0.28)
            wall.box(x, y, x + w, y + h, tone(pick(rng, ((96, 68, 48), (46, 42, 42), (214, 190, 140))), 1.0))
            wall.box(x + 0.02, y + 0.015, x + w - 0.02, y + h - 0.015, (240, 234, 222))
            wall.box(x + 0.04, y + 0.03, x + w - 0.04, y + h - 0.03, pick(rng, CLOTHS))
            hill = [(x + 0.04, y + h - 0.03), (x + 0.04, y + h * 0.6), (x + w / 2, y + h * 0.45),
                    (x + w - 0.04, y + h * 0.7), (x + w - 0.04, y + h - 0.03)]  # fmt: skip
            wall.fill(curve(np.array(hill), 24), pick(rng, LEAVES))
        elif what == 1:  # shelves with books
            wood = pick(rng, ((120, 84, 58), (86, 62, 50), (196, 164, 122)))
            for y in np.arange(rng.uniform(0.1, 0.2), 0.8, 0.17):
                wall.box(x - 0.05, y, x + 0.4, y + 0.014, wood)
                at = x - 0.03
                while at < x + 0.36:
                    w, h = rng.uniform(0.014, 0.034), rng.uniform(0.07, 0.13)
                    wall.box(at, y - h, at + w, y, jitter(rng, pick(rng, CLOTHS), 12))
                    at += w + (0.05 if rng.random() < 0.12 else 0.003)
        elif what == 2:  # a plant
            _plant(wall, x + 0.16, floor + 0.02, float(rng.uniform(0.3, 0.55)), rng)
        else:  # a lamp
            y = float(rng.uniform(0.12, 0.35))
            wall.line([(x + 0.16, y), (x + 0.16, 1)], (70, 62, 60), 0.01)
            wall.fill([(x + 0.07, y), (x + 0.25, y), (x + 0.31, y + 0.15), (x + 0.01, y + 0.15)], (250, 226, 172))
    if rng.random() < 0.4:  # the back of a sofa
        y, colour = float(rng.uniform(0.62, 0.8)), pick(rng, CLOTHS)
        sofa = [(-0.05, 1.1), (-0.02, y + 0.03), (0.1, y), (0.5, y + 0.01), (0.9, y), (1.02, y + 0.03), (1.05, 1.1)]
        wall.fill(curve(np.array(sofa), 40), colour)
        wall.line([(0.5, y + 0.02), (0.5, 1)], tone(colour, 0.75), 0.008)


def _plant(wall: Wall, x: float, y: float, size: float, rng: np.random.Generator) -> None:
    for angle in rng.uniform(-1.2, 1.2, 16):
        long = size * rng.uniform(0.6, 1.0)
        tip = np.array([x + np.sin(angle) * long * 0.8, y - 0.1 - np.cos(angle) * long])
        base, side = np.array([x, y - 0.1]), np.array([np.cos(angle), np.sin(angle) * 0.8]) * 0.045
        middle = (base + tip) / 2
        leaf = curve(np.array([base, middle + side, tip, middle - side]), 20, closed=True)
        wall.fill(leaf, jitter(rng, pick(rng, LEAVES), 10))
    wall.fill(
        [(x - 0.09, y - 0.12), (x + 0.09, y - 0.12), (x + 0.065, y + 0.03), (x - 0.065, y + 0.03)], (190, 120, 88)
    )


def _window(wall: Wall, scene: Scene, rng: np.random.Generator) -> None:
    wall.fade(scene.wall, tone(scene.wall, 0.85))
    x0, x1 = (0.05, rng.uniform(0.55, 0.95)) if rng.random() < 0.5 else (rng.uniform(0.1, 0.45), 0.96)
    y0, y1 = float(rng.uniform(-0.1, 0.1)), float(rng.uniform(0.6, 0.8))
    wall.box(x0 - 0.03, y0 - 0.02, x1 + 0.03, y1 + 0.03, (240, 236, 228))
    for k, y in enumerate(np.linspace(y0, y1, 13)[:-1]):
        wall.box(x0, y, x1, y + (y1 - y0) / 12 + 0.002, mix((164, 200, 222), (244, 236, 214), k / 12))
    for _ in range(int(rng.integers(3, 9))):
        wall.disc(rng.uniform(x0, x1), y1 - 0.02, rng.uniform(0.05, 0.14), jitter(rng, pick(rng, LEAVES), 14))
    wall.box(x0 - 0.03, y1, x1 + 0.03, y1 + 0.035, (232, 226, 214))
    wall.box(x0 - 0.2, y1 + 0.035, x1 + 0.2, y1 + 0.3, tone(scene.wall, 0.86))
    for f in (1 / 3, 2 / 3):
        x = x0 + (x1 - x0) * f
        wall.line([(x, y0), (x, y1)], (240, 236, 228), 0.016)
    wall.line([(x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2)], (240, 236, 228), 0.016)
    for side in (x0 - 0.08, x1 - 0.06):
        cloth = jitter(rng, scene.wall2, 8)
        for k in range(5):
            wall.box(side + 0.03 * k, -0.1, side + 0.03 * (k + 1), 0.95, tone(cloth, 0.85 + 0.25 * (k % 2)))


def _foliage(wall: Wall, scene: Scene, rng: np.random.Generator) -> None:
    base = pick(rng, LEAVES)
    wall.fade(mix(base, (226, 230, 196), float(rng.uniform(0, 0.7))), tone(base, 0.5))
    for size, count in ((0.09, 60), (0.05, 120), (0.026, 170)):
        for x, y, a in zip(rng.uniform(0, 1, count), rng.uniform(0, 1, count), rng.uniform(0, 6.3, count), strict=True):
            way = np.array([np.cos(a), np.sin(a)])
            across = np.array([-way[1], way[0]]) * 0.4
            leaf = np.array([(x, y) + way * size, (x, y) + across * size, (x, y) - way * size, (x, y) - across * size])
            colour = mix(jitter(rng, pick(rng, LEAVES), 12), (230, 226, 170), 0.35 * (1 - y) * float(rng.random()))
            wall.fill(curve(leaf, 10, closed=True), tone(colour, 0.75 + 0.4 * (1 - y)))


def _bokeh(wall: Wall, scene: Scene, rng: np.random.Generator) -> None:
    wall.fade(tone(scene.wall, 0.55), tone(scene.wall2, 0.35), sideways=float(rng.uniform(-0.5, 0.5)))
    for _ in range(int(rng.integers(16, 40))):
        light = pick(rng, ((255, 214, 140), (250, 180, 120), (226, 236, 220), (176, 206, 226), (236, 150, 130)))
        x, y, r = rng.uniform(0, 1), rng.uniform(0, 0.95), rng.uniform(0.012, 0.055)
        under = wall.px[min(int(y * wall.size[1]), wall.size[1] - 1), min(int(x * wall.size[0]), wall.size[0] - 1)]
        wall.disc(x, y, r, mix(colour_of(float(c) for c in under), light, 0.55))
        wall.disc(x, y, r * 0.88, mix(colour_of(float(c) for c in under), light, float(rng.uniform(0.25, 0.5))))


def _street(wall: Wall, scene: Scene, rng: np.random.Generator) -> None:
    wall.fade((176, 206, 224), (242, 232, 212))
    horizon = float(rng.uniform(0.6, 0.85))
    x = -0.05
    while x < 1.0:
        w, top = rng.uniform(0.14, 0.32), rng.uniform(0.02, 0.4)
        colour = jitter(rng, pick(rng, WALLS), 14)
        wall.box(x, top, x + w, horizon, colour)
        wall.fill(
            [(x - 0.01, top), (x + w + 0.01, top), (x + w * 0.85, top - 0.05), (x + w * 0.15, top - 0.05)],
            tone(colour, 0.6),
        )
        for wy in np.arange(top + 0.04, horizon - 0.06, 0.095):
            for wx in np.arange(x + 0.025, x + w - 0.04, 0.07):
                lit = rng.random() < 0.2
                wall.box(wx, wy, wx + 0.036, wy + 0.052, (250, 226, 160) if lit else tone(colour, 0.55))
        x += w
    wall.box(0, horizon, 1, 1, (132, 128, 126))
    wall.fill(
        [(0.0, horizon + 0.02), (1.0, horizon + 0.02), (1.0, horizon + 0.05), (0.0, horizon + 0.05)], (170, 166, 160)
    )


def _stripes(wall: Wall, scene: Scene, rng: np.random.Generator) -> None:
    wall.fade(scene.wall, tone(scene.wall, 0.92))
    gap, second = float(rng.uniform(0.06, 0.16)), mix(scene.wall, scene.wall2, float(rng.uniform(0.25, 0.8)))
    slant = float(rng.choice([0.0, 0.0, 0.25, -0.25]))
    for x in np.arange(-0.4, 1.4, gap):
        w = gap * 0.5
        wall.fill([(x, 0), (x + w, 0), (x + w + slant, 1), (x + slant, 1)], second)


def _clutter(wall: Wall, scene: Scene, rng: np.random.Generator) -> None:
    wall.fade(scene.wall, tone(scene.wall2, 0.8))
    for _ in range(int(rng.integers(28, 60))):
        x, y, s = rng.uniform(-0.05, 1), rng.uniform(-0.05, 1), rng.uniform(0.03, 0.16)
        colour = jitter(rng, pick(rng, CLOTHS + WALLS), 12)
        what = int(rng.integers(4))
        if what == 0:
            wall.disc(x, y, s * 0.6, colour)
            wall.disc(x, y, s * 0.4, tone(colour, 1.2))
        elif what == 1:
            wall.fill(curve(rng.uniform(-s, s, (5, 2)) + np.array([x, y]), 30, closed=True), colour)
        elif what == 2:
            middle = (x + rng.uniform(-0.4, 0.4), y + rng.uniform(-0.2, 0.2))
            cable = np.array([(x, y), middle, (x + rng.uniform(-0.6, 0.6), y + 0.3)])
            wall.line(curve(cable, 18), colour, s * 0.2)
        else:
            wall.box(x, y, x + s * rng.uniform(0.5, 1.6), y + s * rng.uniform(0.5, 1.6), colour)


def _sea(wall: Wall, scene: Scene, rng: np.random.Generator) -> None:
    sky = pick(
        rng, (((112, 164, 204), (238, 226, 204)), ((84, 92, 142), (244, 178, 140)), ((170, 190, 200), (232, 232, 226)))
    )
    wall.fade(*sky)
    horizon = float(rng.uniform(0.45, 0.7))
    for k in range(3):
        y = horizon - 0.06 + 0.03 * k
        hill = (
            [(-0.05, 1.0), (-0.05, y)]
            + [(x, y - rng.uniform(0, 0.12 - 0.03 * k)) for x in np.linspace(0.1, 0.9, 5)]
            + [(1.05, y), (1.05, 1.0)]
        )
        wall.fill(curve(np.array(hill), 50), mix(sky[1], (66, 98, 104), 0.35 + 0.25 * k))
    wall.box(0, horizon, 1, 1, mix(sky[0], (60, 116, 130), 0.6))
    for _ in range(50):
        x, y = rng.uniform(0, 1), horizon + (1 - horizon) * rng.random() ** 1.4
        wall.line([(x, y), (x + rng.uniform(0.02, 0.14), y)], mix(sky[1], (120, 170, 176), float(rng.random())), 0.004)


def _bricks(wall: Wall, scene: Scene, rng: np.random.Generator) -> None:
    wall.px[:] = np.asarray(tone(scene.wall, 0.7), np.uint8)
    h, w = 0.042, 0.15
    for row, y in enumerate(np.arange(0, 1, h)):
        for x in np.arange(-w * (row % 2) / 2, 1, w):
            wall.box(x + 0.004, y + 0.003, x + w - 0.004, y + h - 0.003, jitter(rng, scene.wall, 14))


PAINTERS = {"gradient": _gradient, "room": _room, "window": _window, "foliage": _foliage, "bokeh": _bokeh,
            "street": _street, "stripes": _stripes, "clutter": _clutter, "sea": _sea, "bricks": _bricks}  # fmt: skip


def _bystander(wall: Wall, rng: np.random.Generator) -> None:
    """A person in the background seen from behind: hair, neck, shoulders, no face."""
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
