"""Beards and moustaches."""

import numpy as np

from drawn.canvas import Canvas, curve
from drawn.head import project
from drawn.palette import tone
from drawn.pose import Pose
from drawn.scene import Look


def paint_beard(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    """Stubble as a soft shade; the others hair by hair, past the outline of the jaw."""
    colour = tone(look.hair_colour, 0.8)
    if look.beard == "none":
        return
    jaw, chin = look.jaw, look.chin
    grow = 0.22 if look.beard == "full" else 0.03
    low = [(1.14 * jaw, 0.3), (1.04 * jaw + 0.5 * grow, 0.95), (0.78 * jaw + 0.3 * grow, 1.46 + grow + 0.6 * chin),
           (0.42 * jaw, 1.76 + grow + chin), (0.0, 1.86 + 1.3 * grow + chin)]  # fmt: skip
    high = [(1.04 * jaw, 0.3), (0.9, 0.75), (0.62, 0.98), (0.52, 1.2), (0.3, 1.36), (0.0, 1.4)]
    if look.beard in ("stubble", "full"):
        half = np.vstack([curve(np.array(low), 20), curve(np.array(high), 20)[::-1]])
        for side in (-1, 1):
            _patch(canvas, pose, look, half * (side, 1), 0.34 if look.beard == "stubble" else 0.92)
    if look.beard == "goatee":
        half = np.array(
            [
                (0.0, 1.36),
                (0.28, 1.36),
                (0.46, 1.12),
                (0.54, 1.16),
                (0.42, 1.55),
                (0.24, 1.84 + chin),
                (0.0, 1.9 + chin),
            ]
        )
        _patch(canvas, pose, look, np.vstack([curve(half, 20), curve(half * (-1, 1), 20)[::-1]]), 0.88)
    arch = np.array([(0.0, 0.84), (0.2, 0.82), (0.42, 0.94), (0.55, 1.1), (0.44, 1.04), (0.2, 0.94), (0.0, 0.95)])
    _patch(
        canvas,
        pose,
        look,
        np.vstack([curve(arch, 24), curve(arch * (-1, 1), 24)[::-1]]),
        0.25 if look.beard == "stubble" else 0.9,
    )
    if look.beard == "stubble":
        return
    if look.beard == "full":
        count = 240
        t = rng.uniform(0, 1, count)
        at = (t * 18).astype(int)
        side = rng.choice([-1, 1], count)[:, None]
        lower, upper = curve(np.array(low), 20)[at], curve(np.array(high), 20)[at]
        root = upper + (lower - upper) * rng.uniform(0.05, 1.0, (count, 1))
        along = (lower - upper) / (np.linalg.norm(lower - upper, axis=1, keepdims=True) + 1e-6)
        tip = root + along * rng.uniform(0.05, 0.14, (count, 1)) + rng.normal(0, 0.03, (count, 2))
        _hairs(
            canvas,
            pose,
            colour,
            root * np.hstack([side, np.ones_like(side)]),
            tip * np.hstack([side, np.ones_like(side)]),
            rng,
        )
    count = 46
    x = rng.uniform(-0.5, 0.5, count)
    root = np.stack([x, 0.85 + 0.35 * x**2 + rng.uniform(-0.01, 0.06, count)], -1)
    tip = root + np.stack([0.14 * np.sign(x), 0.04 + 0.25 * np.abs(x)], -1) * rng.uniform(0.5, 1, (count, 1))
    _hairs(canvas, pose, colour, root, tip, rng)


def _patch(canvas: Canvas, pose: Pose, look: Look, shape: np.ndarray, opacity: float) -> None:
    pixels = project(pose, shape)
    if opacity > 0.9:
        canvas.fill(pixels, tone(look.hair_colour, 0.6))
    else:
        canvas.glaze(pixels, colour=tone(look.hair_colour, 0.6), opacity=opacity, sigma=0.035 * pose.unit)


def _hairs(canvas: Canvas, pose: Pose, colour, root: np.ndarray, tip: np.ndarray, rng: np.random.Generator) -> None:
    pixels = project(pose, np.stack([root, (root + tip) / 2 + rng.normal(0, 0.01, root.shape), tip], 1))
    level = rng.integers(0, 4, len(pixels))
    for k, factor in enumerate((0.6, 0.85, 1.05, 1.25)):
        canvas.strokes(pixels[level == k], tone(colour, factor), 0.014 * pose.unit)
