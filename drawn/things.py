"""Objects and crowds, each a function of (canvas, rng), for photos that show no portrait."""

import numpy as np

from drawn.canvas import CLOTHS, LEAVES, SKINS, Canvas, curve, jitter, oval, pick, tone


def _spot(canvas: Canvas, rng: np.random.Generator) -> tuple[float, float, float]:
    """x and y of an object's foot and its size, all in pixels."""
    size = float(rng.uniform(0.28, 0.5)) * canvas.height
    return float(rng.uniform(0.15, 0.85)) * canvas.width, float(rng.uniform(0.75, 0.95)) * canvas.height, size


def paint_plant(canvas: Canvas, rng: np.random.Generator) -> None:
    """A potted plant."""
    x, y, s = _spot(canvas, rng)
    base = np.array([x, y - 0.3 * s])
    for angle in rng.uniform(-1.25, 1.25, 18):
        long = s * rng.uniform(0.5, 0.9)
        tip = base + np.array([np.sin(angle) * long, -np.cos(angle) * long])
        side = np.array([np.cos(angle), np.sin(angle)]) * 0.09 * s
        leaf = curve(np.array([base, (base + tip) / 2 + side, tip, (base + tip) / 2 - side]), 24, closed=True)
        colour = jitter(rng, pick(rng, LEAVES), 10)
        canvas.fill(leaf, colour)
        canvas.strokes(np.array([[base, tip]]), tone(colour, 1.2), 2)
    pot = [(x - 0.24 * s, y - 0.34 * s), (x + 0.24 * s, y - 0.34 * s), (x + 0.17 * s, y), (x - 0.17 * s, y)]
    canvas.fill(np.array(pot), (190, 120, 88))
    canvas.fill(
        np.array(
            [
                (x - 0.27 * s, y - 0.38 * s),
                (x + 0.27 * s, y - 0.38 * s),
                (x + 0.26 * s, y - 0.29 * s),
                (x - 0.26 * s, y - 0.29 * s),
            ]
        ),
        (204, 134, 100),
    )


def paint_cup(canvas: Canvas, rng: np.random.Generator) -> None:
    """A mug."""
    x, y, s = _spot(canvas, rng)
    s *= 0.6
    colour = jitter(rng, pick(rng, CLOTHS), 8)
    ring = oval(x + 0.4 * s, y - 0.4 * s, 0.22 * s, 0.24 * s)
    canvas.strokes(np.vstack([ring, ring[:1]])[None], tone(colour, 0.85), 0.09 * s)
    canvas.fill(
        np.array([(x - 0.4 * s, y - 0.85 * s), (x + 0.4 * s, y - 0.85 * s), (x + 0.34 * s, y), (x - 0.34 * s, y)]),
        colour,
    )
    canvas.fill(oval(x, y - 0.85 * s, 0.4 * s, 0.1 * s), tone(colour, 1.2))
    canvas.fill(oval(x, y - 0.84 * s, 0.34 * s, 0.07 * s), (70, 46, 36))


def paint_bottle(canvas: Canvas, rng: np.random.Generator) -> None:
    """A bottle."""
    x, y, s = _spot(canvas, rng)
    colour = pick(rng, ((66, 98, 72), (120, 84, 58), (96, 130, 142)))
    half = np.array([(0.03, -1.0), (0.07, -1.0), (0.07, -0.72), (0.18, -0.55), (0.18, 0.0)]) * s
    canvas.fill(np.vstack([half, half[::-1] * (-1, 1)]) + np.array([x, y]), colour)
    canvas.fill(
        np.array(
            [
                (x - 0.18 * s, y - 0.42 * s),
                (x + 0.18 * s, y - 0.42 * s),
                (x + 0.18 * s, y - 0.15 * s),
                (x - 0.18 * s, y - 0.15 * s),
            ]
        ),
        (240, 232, 210),
    )
    canvas.strokes(np.array([[(x - 0.1 * s, y - 0.5 * s), (x - 0.1 * s, y - 0.05 * s)]]), tone(colour, 1.4), 0.02 * s)


def paint_chair(canvas: Canvas, rng: np.random.Generator) -> None:
    """A wooden chair."""
    x, y, s = _spot(canvas, rng)
    s *= 1.3
    wood = jitter(rng, (150, 104, 70), 16)
    for dx, top in ((-0.3, -1.0), (0.3, -1.0), (-0.36, -0.5), (0.36, -0.5)):
        canvas.strokes(np.array([[(x + dx * s, y + top * s), (x + dx * s, y)]]), wood, 0.06 * s)
    for dy in (-0.95, -0.78):
        canvas.strokes(np.array([[(x - 0.3 * s, y + dy * s), (x + 0.3 * s, y + dy * s)]]), tone(wood, 1.1), 0.08 * s)
    seat = [
        (x - 0.42 * s, y - 0.42 * s),
        (x + 0.42 * s, y - 0.42 * s),
        (x + 0.32 * s, y - 0.55 * s),
        (x - 0.32 * s, y - 0.55 * s),
    ]
    canvas.fill(np.array(seat), tone(wood, 1.2))


def paint_dog(canvas: Canvas, rng: np.random.Generator) -> None:
    """A sitting dog that faces the camera."""
    s = float(rng.uniform(0.16, 0.24)) * canvas.height
    x, y = float(rng.uniform(0.35, 0.65)) * canvas.width, 0.42 * canvas.height
    fur = jitter(rng, pick(rng, ((196, 150, 98), (120, 84, 58), (70, 60, 58), (222, 206, 180))), 8)
    pale = tone(fur, 1.4)
    body = np.array([(-1.1, 6), (-1.2, 2.2), (-0.7, 0.8), (0.7, 0.8), (1.2, 2.2), (1.1, 6)]) * s + (x, y)
    canvas.fill(curve(body, 40), tone(fur, 0.9))
    canvas.fill(oval(x, y + 1.9 * s, 0.6 * s, 1.0 * s), pale)
    canvas.fill(oval(x, y, s, 0.95 * s, 40), fur)
    canvas.fill(oval(x, y + 0.45 * s, 0.55 * s, 0.5 * s), pale)
    for side in (-1, 1):
        ear = np.array([(0.6, -0.8), (1.1, -0.7), (1.35, 0.2), (1.05, 0.6), (0.8, -0.1)]) * (side * s, s) + (x, y)
        canvas.fill(curve(ear, 30, closed=True), tone(fur, 0.7))
        canvas.fill(oval(x + side * 0.42 * s, y - 0.15 * s, 0.13 * s, 0.15 * s), (34, 26, 26))
        canvas.fill(oval(x + side * 0.42 * s + 0.04 * s, y - 0.2 * s, 0.04 * s, 0.04 * s, 10), (250, 250, 246))
    tuft = rng.uniform(0, 2 * np.pi, 160)
    root = np.stack([x + 0.95 * s * np.cos(tuft), y + 0.9 * s * np.sin(tuft)], -1)
    tip = root + np.stack([np.cos(tuft), np.sin(tuft) + 0.4], -1) * s * rng.uniform(0.05, 0.16, (160, 1))
    canvas.strokes(np.stack([root, tip], 1), tone(fur, 0.92), 2)
    canvas.fill(oval(x, y + 0.3 * s, 0.2 * s, 0.14 * s), (36, 28, 30))
    for side in (-1, 1):
        lip = curve(np.array([(0, 0.42), (0.1, 0.62), (0.34, 0.6)]) * (side * s, s) + (x, y), 10)
        canvas.strokes(lip[None], (60, 44, 42), 0.04 * s)
    canvas.fill(oval(x, y + 0.78 * s, 0.13 * s, 0.2 * s), (214, 116, 116))


THINGS = {"potted plant": paint_plant, "cup": paint_cup, "bottle": paint_bottle, "chair": paint_chair, "dog": paint_dog}


def paint_crowd(canvas: Canvas, rng: np.random.Generator) -> None:
    """Rows of small people without faces along the horizon, too many to tell apart."""
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
