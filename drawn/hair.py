"""Painting hair: behind the body, behind the head, before it, and the back of a head."""

import numpy as np

from drawn.canvas import Canvas, curve, oval
from drawn.cuts import Cut, crown
from drawn.head import outline
from drawn.locks import SAMPLES, Lock, curls, flyaways, paint_lock
from drawn.palette import sheen, tone
from drawn.pose import Pose
from drawn.scene import Look


def paint_back(canvas: Canvas, pose: Pose, look: Look, cut: Cut, rng: np.random.Generator, *, behind: bool) -> None:
    """What lies behind the body (`behind`) or only behind the head."""
    for lock in cut.behind if behind else cut.back:
        paint_lock(canvas, pose, lock, look.hair_colour, rng, lit=0.8)
    if behind:
        return
    if look.style in ("afro", "curly") and cut.ringlets:
        points = cut.ringlets[0][0]
        hull = points[np.argsort(np.arctan2(points[:, 1] + 0.5, points[:, 0]))]
        angle = np.linspace(-np.pi, np.pi, 30)
        rim = np.array([max(np.hypot(*(p + np.array([0, 0.5]))) for p in hull[near]) if (near := np.abs(
            np.arctan2(hull[:, 1] + 0.5, hull[:, 0]) - a) < 0.3).any() else 0.9 for a in angle])  # fmt: skip
        low = 0.9 if look.style == "afro" else 0.45
        ball = np.stack([np.cos(angle) * rim * 0.96, np.minimum(-0.5 + np.sin(angle) * rim * 0.96, low)], -1)
        canvas.fill(pose.hang(curve(ball, 90, closed=True), 0.0), sheen(look.hair_colour, 0.62))
    for x, y, r in cut.buns:
        _bun(canvas, pose, look, x, y, r, rng)


def _bun(canvas: Canvas, pose: Pose, look: Look, x: float, y: float, r: float, rng: np.random.Generator) -> None:
    canvas.fill(pose.hang(oval(x, y, r * 1.1, r, 30), 0.0), sheen(look.hair_colour, 0.62))
    start = rng.uniform(0, 6.3, (60, 1))
    angle = start + np.linspace(0, 2.2, 10)[None]
    radius = r * np.sqrt(rng.uniform(0.05, 1.05, (60, 1)))
    rings = np.stack([x + 1.1 * radius * np.cos(angle), y + radius * np.sin(angle)], -1)
    pixels = pose.hang(rings, 0.0)
    for k, factor in enumerate((0.75, 0.9, 1.08, 1.24)):
        canvas.strokes(pixels[k::4], sheen(look.hair_colour, factor), 0.02 * pose.unit)


def paint_front(canvas: Canvas, pose: Pose, look: Look, cut: Cut, light: tuple[float, float],
                rng: np.random.Generator) -> None:  # fmt: skip
    """Hair before the head, with the shadow it throws on face and shoulders."""
    u = pose.unit
    outlines = [pose.hang(lock.outline(), lock.depth) for lock in cut.front]
    if outlines:
        canvas.shadow(*outlines, offset=(-0.07 * light[0] * u, 0.1 * u), sigma=0.07 * u, strength=0.42)
    for lock in cut.front:
        side = float(np.sign(np.mean(lock.guides[..., 0])))
        paint_lock(canvas, pose, lock, look.hair_colour, rng, lit=1.0 + 0.1 * side * light[0])
    for points, size in cut.ringlets:
        curls(canvas, pose, points, size, look.hair_colour, rng)
    if cut.braid:
        _braid(canvas, pose, look, cut.braid, rng)
    for lock in [*cut.front, *cut.back]:
        flyaways(canvas, pose, lock, look.hair_colour, rng, int(34 * look.frizz))
    for lock in cut.behind:
        flyaways(canvas, pose, lock, look.hair_colour, rng, int(10 * look.frizz))


def _braid(canvas: Canvas, pose: Pose, look: Look, side: float, rng: np.random.Generator) -> None:
    """A braid over one shoulder, knot by knot."""
    path = curve(
        np.array(
            [
                (side * 1.2, 0.75),
                (side * 1.36, 1.5),
                (side * 1.2, 2.4),
                (side * 1.0, 3.4),
                (side * 1.0, look.length + 0.5),
            ]
        ),
        15,
    )
    canvas.shadow(
        pose.hang(np.vstack([path + np.array([0.2, 0]), path[::-1] - (0.2, 0)])),
        offset=(0, 0.1 * pose.unit),
        sigma=0.1 * pose.unit,
        strength=0.35,
    )
    for k, (x, y) in enumerate(path):
        lean, r = (0.12 if k % 2 else -0.12), 0.27 - 0.006 * k
        knot = oval(x + lean * 0.5, y, r, 0.21, 20)
        canvas.fill(pose.hang(knot, 0.0), sheen(look.hair_colour, 0.62))
        t = np.linspace(0, 1, 8)[None, :, None]
        a = np.stack([x + lean - r * rng.uniform(0.2, 0.85, 9), y + rng.uniform(-0.16, 0.0, 9)], -1)[:, None]
        b = np.stack([x + lean + r * rng.uniform(0.2, 0.85, 9), y + rng.uniform(0.0, 0.18, 9)], -1)[:, None]
        arcs = pose.hang(a + (b - a) * t - np.array([0, 0.08]) * np.sin(np.pi * t), 0.0)
        for j, factor in enumerate((0.8, 1.0, 1.2)):
            canvas.strokes(arcs[j::3], sheen(look.hair_colour, factor), 0.018 * pose.unit)


def paint_nape(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    """The back of a head: hair from the crown to the nape, or past it when long; a bald one is skin."""
    skull = outline(look)[0]
    skull = skull[skull[:, 1] < 1.1]
    canvas.fill(pose.head(skull, 0.0), tone(look.skin, 0.95))
    v = max(0.04, look.volume)
    if look.style == "bald":
        canvas.glaze(
            pose.head(oval(0.2, -0.9, 0.4, 0.3), 0.0), colour=tone(look.skin, 1.3), opacity=0.5, sigma=0.2 * pose.unit
        )
        return
    low = look.length if look.hair == "long" else 0.95
    x = np.linspace(-1, 1, 9)
    wide = 1.18 + v + (0.12 if look.hair == "long" else 0)
    guides = np.stack([
        np.stack([0.35 * x + 0.1, -1.62 - v + 0.06 * x**2], -1),
        np.stack([wide * np.sin(1.45 * x) * 0.92, -0.9 - 0.6 * (1 - x**2)], -1),
        np.stack([wide * np.sin(1.5 * x), np.full(9, 0.1)], -1),
        np.stack([wide * x * (1.0 if low > 1.5 else 0.72), np.full(9, low) - 0.12 * x**2], -1),
    ], 1)  # fmt: skip
    crown_line = np.vstack([crown(v, 0.0, 0.2), [(0.0, 0.9)]])
    canvas.fill(pose.head(curve(crown_line, 60, closed=True), 0.0), sheen(look.hair_colour, 0.66))
    lock = Lock(guides, strands=210, depth=0.0, wave=0.05 * look.wave, ragged=0.04)
    paint_lock(canvas, pose, lock, look.hair_colour, rng)
    for edge in (lock, Lock(guides[::-1], depth=0.0)):
        flyaways(canvas, pose, edge, look.hair_colour, rng, int(40 * look.frizz))
    if look.style in ("curly", "afro", "curls"):
        ends = lock.curves(rng.random(320), rng)
        points = ends[np.arange(320), rng.integers(0, SAMPLES, 320)]
        curls(canvas, pose, points, 0.14, look.hair_colour, rng, 0.0)
