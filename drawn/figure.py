"""Whole figures far away, and crowds."""

import numpy as np

from drawn.canvas import Canvas, curve, oval
from drawn.palette import CLOTHS, SKINS, pick, tone
from drawn.pose import Pose
from drawn.scene import Look


def paint_figure(canvas: Canvas, pose: Pose, look: Look) -> None:
    """Legs, shoes, arms and hands of a standing person; the torso is painted over them."""
    b = look.build
    for side in (-1, 1):
        leg = np.array([(0.1, 8.2), (2.0 * b, 8.2), (1.7 * b, 13.0), (1.55 * b, 18.0), (0.65, 18.0), (0.5, 13.0)]) * (
            side,
            1,
        )
        canvas.fill(pose.body(leg), tone(look.cloth2, 0.9))
        canvas.fill(pose.body(oval(side * 1.2, 18.2, 0.8, 0.45)), (52, 46, 46))
        arm = curve(
            np.array([(1.6, 2.8), (2.3 * b, 3.0), (2.9 * b, 5.5), (2.8 * b, 8.6), (2.3 * b, 8.6), (2.1 * b, 5.6)])
            * (side, 1),
            40,
            closed=True,
        )
        canvas.fill(pose.body(arm), tone(look.cloth, 0.88 if side < 0 else 1.0))
        canvas.fill(pose.body(oval(side * 2.55 * b, 8.9, 0.42, 0.6)), look.skin)


def paint_crowd(canvas: Canvas, rng: np.random.Generator) -> None:
    """Rows of small faceless people along the horizon, too many and too far away to tell apart."""
    w, h = canvas.width, canvas.height
    for row in range(3):
        size = h * (0.022 + 0.006 * row)
        y = h * (0.42 + 0.06 * row)
        for x in np.arange(-size, w + size, 2.6 * size):
            x = x + rng.uniform(-0.8, 0.8) * size
            top = y + rng.uniform(-0.8, 0.8) * size
            body = np.array([(-2, 9), (-1.8, 2.4), (0, 1.2), (1.8, 2.4), (2, 9)]) * size + np.array([x, top])
            canvas.fill(curve(body, 24), pick(rng, CLOTHS))
            canvas.fill(oval(x, top, size, 1.25 * size, 18), pick(rng, SKINS))
            hair = pick(rng, ((40, 34, 36), (92, 62, 44), (168, 130, 84), (146, 70, 42)))
            canvas.fill(oval(x, top - 0.35 * size, 1.08 * size, size, 18), hair)
