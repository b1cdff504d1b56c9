"""Eyes, brows, nose and mouth."""

import numpy as np

from drawn.canvas import Canvas, curve, oval
from drawn.head import face_points, project
from drawn.palette import mix, tone
from drawn.pose import Pose
from drawn.scene import Look


def paint_features(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    """The face's features, on the skin."""
    points = face_points(look)
    _nose(canvas, pose, look)
    for eye in (points[19:25], points[25:31]):
        _eye(canvas, pose, look, eye)
    _mouth(canvas, pose, look, points)
    if look.age > 0.45:
        _lines(canvas, pose, look)
    for brow in (points[0:5], points[5:10]):
        _brow(canvas, pose, look, brow, rng)


def _eye(canvas: Canvas, pose: Pose, look: Look, eye: np.ndarray) -> None:
    u = pose.unit
    rim = curve(eye, 30, closed=True)
    pixels = project(pose, rim)
    box = canvas.window(pixels)
    cover = canvas.alpha(pixels, box=box)
    if not cover.size:
        return
    centre = eye.mean(0) + np.array([0.0, -0.012])
    inside = Canvas(np.full((*cover.shape, 3), mix((244, 240, 234), look.skin, 0.08), np.uint8))
    corner = (box[1].start, box[0].start)

    def put(points: np.ndarray) -> np.ndarray:
        return project(pose, points) - corner

    radius = 0.122
    inside.fill(put(oval(*centre, radius, radius)), tone(look.eye_colour, 0.55))
    inside.fill(put(oval(*centre, radius * 0.82, radius * 0.82)), look.eye_colour)
    inside.fill(put(oval(centre[0], centre[1] + 0.03, radius * 0.55, radius * 0.45)), tone(look.eye_colour, 1.25))
    inside.fill(put(oval(*centre, radius * 0.45, radius * 0.45)), (16, 12, 14))
    lid = np.vstack([rim[:16] + np.array([0, -0.03]), rim[:16][::-1] + np.array([0, 0.045])])
    inside.px[..., 3] = 255
    inside.glaze(put(lid), colour=(40, 26, 30), opacity=0.4, sigma=0.02 * u)
    inside.fill(put(oval(centre[0] + 0.04, centre[1] - 0.045, 0.026, 0.026, 10)), (255, 255, 252))
    canvas.paste(inside.px, cover, box)
    dark = mix(tone(look.hair_colour, 0.4), (34, 22, 24), 0.7)
    upper, lower = curve(eye[:4], 16), curve(eye[[3, 4, 5, 0]], 14)
    outward = np.sign(eye[:, 0].mean())
    lash = np.array([upper[0], upper[0]]) if outward < 0 else np.array([upper[-1], upper[-1]])
    lash[1] += (outward * 0.07, -0.045)
    canvas.strokes(project(pose, lower)[None], tone(look.skin, 0.58), 0.014 * u)
    canvas.strokes(project(pose, upper + np.array([0, -0.006]))[None], dark, 0.042 * u)
    canvas.strokes(project(pose, lash)[None], dark, 0.026 * u)
    crease = upper + np.stack([np.zeros(16), -0.035 - 0.05 * np.sin(np.linspace(0.2, np.pi, 16))], -1)
    canvas.strokes(project(pose, crease)[None], tone(look.skin, 0.66), 0.016 * u)


def _brow(canvas: Canvas, pose: Pose, look: Look, brow: np.ndarray, rng: np.random.Generator) -> None:
    colour = mix(tone(look.hair_colour, 0.62), tone(look.skin, 0.4), 0.25)
    line = curve(brow, 26)
    taper = np.linspace(0.55, 1.0, 26) if brow[:, 0].mean() > 0 else np.linspace(1.0, 0.55, 26)
    taper = taper[::-1] * 0.062 * look.brow
    shape = np.vstack([line - np.stack([0 * taper, taper * 0.75], -1), (line + np.stack([0 * taper, taper], -1))[::-1]])
    canvas.glaze(project(pose, shape), colour=colour, opacity=0.78, sigma=0.012 * pose.unit)
    at = rng.integers(0, 26, 34)
    root = line[at] + np.stack([np.zeros(34), rng.uniform(-0.6, 0.9, 34) * taper[at]], -1)
    away = np.sign(brow[:, 0].mean())
    tip = root + np.stack([away * rng.uniform(0.04, 0.1, 34), rng.uniform(-0.06, 0.02, 34)], -1)
    canvas.strokes(project(pose, np.stack([root, tip], 1)), tone(colour, 0.85), 0.009 * pose.unit)


def _nose(canvas: Canvas, pose: Pose, look: Look) -> None:
    u, dark = pose.unit, tone(look.skin, 0.45)
    for side in (-1, 1):
        wing = curve(np.array([(0.19, 0.5), (0.27, 0.6), (0.25, 0.72), (0.17, 0.745)]) * (side, 1), 12)
        canvas.strokes(project(pose, wing)[None], tone(look.skin, 0.68), 0.018 * u)
        canvas.glaze(
            project(pose, oval(side * 0.115, 0.725, 0.062, 0.032, 14)), colour=dark, opacity=0.85, sigma=0.008 * u
        )
    base = curve(np.array([(-0.2, 0.735), (-0.1, 0.765), (0, 0.785), (0.1, 0.765), (0.2, 0.735)]), 16)
    canvas.strokes(project(pose, base)[None], tone(look.skin, 0.7), 0.012 * u)
    canvas.glaze(project(pose, oval(0.02, 0.56, 0.05, 0.045, 14)), colour=(255, 250, 240), opacity=0.42, sigma=0.03 * u)


def _mouth(canvas: Canvas, pose: Pose, look: Look, points: np.ndarray) -> None:
    u = pose.unit
    outer = curve(points[31:43], 48, closed=True)
    upper_edge, lower_edge = points[[43, 44, 45]], points[[48, 47, 46]]
    left, right = points[31] + (0.04, 0.0), points[37] - (0.04, 0.0)
    upper = curve(np.vstack([left, upper_edge, right]), 20)
    lower = curve(np.vstack([left, lower_edge, right]), 20)
    canvas.glaze(project(pose, outer), colour=look.lips, opacity=0.92, sigma=0.012 * u)
    top = np.vstack([curve(points[31:38], 24), upper[::-1]])
    canvas.glaze(project(pose, top), colour=tone(look.lips, 0.72), opacity=0.55, sigma=0.015 * u)
    shine = oval(0.05, float(points[40, 1]) - 0.075, 0.12, 0.026, 16)
    canvas.glaze(project(pose, shine), colour=(255, 240, 236), opacity=0.3, sigma=0.018 * u)
    if look.mouth_open > 0.12:
        hole = np.vstack([upper, lower[::-1]])
        pixels = project(pose, hole)
        canvas.fill(pixels, (70, 24, 30))
        box = canvas.window(pixels)
        cover = canvas.alpha(pixels, box=box)
        if cover.size:
            inside = Canvas(np.full((*cover.shape, 3), (78, 26, 32), np.uint8))
            teeth = np.vstack([upper + np.array([0, -0.05]), (upper + np.array([0, 0.09]))[::-1]])
            inside.fill(project(pose, teeth) - (box[1].start, box[0].start), (246, 242, 234))
            inside.px[..., 3] = 255
            canvas.paste(inside.px, cover, box)
        canvas.strokes(project(pose, upper)[None], tone(look.lips, 0.45), 0.014 * u)
    else:
        middle = (upper + lower) / 2
        canvas.strokes(project(pose, middle)[None], tone(look.lips, 0.38), 0.024 * u)
    for corner, side in ((points[31], -1), (points[37], 1)):
        dimple = curve(np.array([corner + np.array([-0.01 * side, 0.012]), corner + np.array([0.03 * side, -0.01])]), 6)
        canvas.strokes(project(pose, dimple)[None], tone(look.skin, 0.55), 0.018 * u)


def _lines(canvas: Canvas, pose: Pose, look: Look) -> None:
    """Folds of age: from the nose to the mouth, beside the eyes, across the forehead."""
    u, opacity = pose.unit, min(0.75, look.age)
    folds = [curve(np.array([(s * 0.3, 0.66), (s * 0.46, 0.82), (s * 0.54, 1.02)]), 10) for s in (-1, 1)]
    folds += [
        curve(np.array([(s * 0.8, 0.02 + k), (s * 0.95, -0.02 + 2.4 * k)]), 6) for s in (-1, 1) for k in (-0.02, 0.06)
    ]
    if look.age > 0.6:
        folds += [curve(np.array([(-0.5, y), (0, y - 0.04), (0.5, y)]), 14) for y in (-0.62, -0.76)]
    for fold in folds:
        ribbon = np.vstack([fold, fold[::-1] + np.array([0, 0.028])])
        canvas.glaze(project(pose, ribbon), colour=tone(look.skin, 0.45), opacity=0.6 * opacity, sigma=0.012 * u)
