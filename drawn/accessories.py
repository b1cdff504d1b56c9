"""Glasses, earrings and hats."""

import numpy as np

from drawn.canvas import Canvas, curve, mix, oval, tone
from drawn.scene import Look, Pose, surface

GOLD, SILVER = (216, 176, 92), (206, 208, 212)


def paint_glasses(canvas: Canvas, pose: Pose, look: Look) -> None:
    """Frames, lenses with their reflections, and the arms to the ears."""
    if look.glasses == "none":
        return
    u = pose.unit
    frame = {"thin": GOLD, "sun": (30, 28, 30)}.get(look.glasses, (44, 34, 36))
    width = {"thin": 0.026, "round": 0.042, "square": 0.048, "sun": 0.06}[look.glasses] * u
    lenses = []
    for side in (-1, 1):
        x, y = 0.5 * side, 0.05
        if look.glasses in ("round", "thin"):
            lens = oval(x, y, 0.38, 0.34, 40)
        else:
            box = np.array(
                [(-0.4, -0.24), (0.0, -0.28), (0.4, -0.24), (0.42, 0.08), (0.28, 0.3), (-0.22, 0.3), (-0.38, 0.1)]
            )
            lens = curve(box * (side, 1) + (x, y), 40, closed=True)
        lenses.append(pose.head(lens, 1.2))
    for lens in lenses:
        canvas.shadow(lens, offset=(0.0, 0.04 * u), sigma=0.03 * u, strength=0.12)
        if look.glasses == "sun":
            canvas.glaze(lens, colour=(34, 30, 38), opacity=0.88)
        else:
            canvas.glaze(lens, colour=(236, 244, 248), opacity=0.10)
    for side, lens in zip((-1, 1), lenses, strict=True):
        x = 0.5 * side
        glint = np.array([(x - 0.2, -0.2), (x - 0.06, -0.2), (x - 0.22, 0.24), (x - 0.3, 0.16)])
        canvas.glaze(pose.head(glint, 1.2), colour=(255, 255, 255), opacity=0.2, sigma=0.02 * u)
        canvas.strokes(np.vstack([lens, lens[:2]])[None], frame, width)
        arm = np.array([(0.88 * side, -0.02), (1.2 * side, -0.06)])
        canvas.strokes(pose.head(arm, np.array([1.1, 0.0]))[None], frame, 0.8 * width)
    bridge = curve(np.array([(-0.13, 0.0), (0.0, -0.06), (0.13, 0.0)]), 10)
    canvas.strokes(pose.head(bridge, 1.3)[None], frame, width)


def paint_earrings(canvas: Canvas, pose: Pose, look: Look) -> None:
    """Studs, hoops and drops below the ears; they are in the person's mask."""
    if look.earrings == "none":
        return
    u, metal = pose.unit, GOLD if sum(look.hair_colour) < 430 else SILVER
    for side in (-1, 1):
        x, y = 1.22 * side, 0.5

        def put(points: np.ndarray) -> np.ndarray:
            return pose.head(points, -0.1)

        if look.earrings == "stud":
            canvas.fill(put(oval(x, y, 0.06, 0.06, 14)), metal)
            canvas.fill(put(oval(x - 0.015, y - 0.02, 0.02, 0.02, 8)), (255, 250, 236))
        elif look.earrings == "hoop":
            ring = oval(x, y + 0.26, 0.2, 0.26, 36)
            canvas.strokes(put(np.vstack([ring, ring[:1]]))[None], tone(metal, 0.75), 0.05 * u)
            canvas.strokes(put(ring[14:26])[None], metal, 0.03 * u)
        else:
            canvas.strokes(put(np.array([(x, y), (x, y + 0.3)]))[None], metal, 0.02 * u)
            gem = np.array([(x, y + 0.2), (x + 0.09, y + 0.44), (x, y + 0.6), (x - 0.09, y + 0.44)])
            canvas.fill(put(curve(gem, 20, closed=True)), look.cloth2)
            canvas.fill(put(oval(x - 0.02, y + 0.4, 0.02, 0.05, 8)), mix(look.cloth2, (255, 255, 255), 0.6))


def paint_hat(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    """The hat of the look, over the hair."""
    HATS.get(look.hat, lambda *_: None)(canvas, pose, look, rng)


def _dome(v: float, low: float, middle: float) -> np.ndarray:
    """Outline (n, 2) of a cap over the skull: y is `middle` at the front edge and `low` at the sides."""
    top = np.array([(-1.24, low), (-1.25, -0.8), (-1.0, -1.35 - v), (-0.5, -1.72 - v), (0, -1.82 - v), (0.5, -1.72 - v),
                    (1.0, -1.35 - v), (1.25, -0.8), (1.24, low)])  # fmt: skip
    edge = np.array([(1.24, low), (0.8, middle - 0.02), (0, middle - 0.1), (-0.8, middle - 0.02), (-1.24, low)])
    return np.vstack([curve(top, 50), curve(edge, 26)])


def _beanie(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    u, colour = pose.unit, look.cloth2
    v = float(rng.uniform(0.1, 0.3))
    if rng.random() < 0.5:
        middle = pose.hang(np.array([0.0, -1.95 - v]), 0.0)
        spikes = rng.normal(0, 1, (70, 2))
        spikes *= (0.36 * u * rng.uniform(0.8, 1.1, (70, 1))) / np.linalg.norm(spikes, axis=1, keepdims=True)
        canvas.fill(oval(middle[0], middle[1], 0.3 * u, 0.3 * u), tone(look.cloth, 0.85))
        canvas.strokes(np.stack([middle + 0 * spikes, middle + spikes], 1), tone(look.cloth, 1.0), 0.03 * u)
    dome = _dome(v, -0.5, -0.72)
    canvas.shadow(pose.hang(dome, 0.8), offset=(0, 0.12 * u), sigma=0.09 * u, strength=0.45)
    canvas.fill(pose.hang(dome, 0.8), colour)
    x = np.linspace(-1.1, 1.1, 21)
    ribs = np.array(
        [
            curve(
                np.array([(k * 0.55, -1.75 - v + 0.35 * abs(k)), (k * 1.02, -1.3), (k * 1.06, -0.8 + 0.1 * k * k)]), 10
            )
            for k in x
        ]
    )
    canvas.strokes(pose.hang(ribs, 0.8), tone(colour, 0.82), 0.03 * u)
    low = np.array(
        [
            (-1.3, -0.42),
            (-0.8, -0.66),
            (0, -0.76),
            (0.8, -0.66),
            (1.3, -0.42),
            (1.32, -0.85),
            (0.8, -1.1),
            (0, -1.2),
            (-0.8, -1.1),
            (-1.32, -0.85),
        ]
    )
    band = curve(low, 60, closed=True)
    canvas.shadow(pose.hang(band, 0.9), offset=(0, 0.06 * u), sigma=0.05 * u, strength=0.3)
    canvas.fill(pose.hang(band, 0.9), tone(colour, 1.08))
    ribs = np.array(
        [[(k * 1.2, -1.14 + 0.24 * k * k), (k * 1.2, -0.74 + 0.26 * k * k)] for k in np.linspace(-1, 1, 27)]
    )
    canvas.strokes(pose.hang(ribs, 0.9), tone(colour, 0.85), 0.025 * u)


def _cap(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    u, colour = pose.unit, look.cloth2
    dome = _dome(0.14, -0.55, -0.95)
    canvas.shadow(pose.hang(dome, 0.9), offset=(0, 0.2 * u), sigma=0.12 * u, strength=0.4)
    canvas.fill(pose.hang(dome, 0.9), colour)
    for x in (-0.75, 0.0, 0.75):
        seam = curve(np.array([(0.0, -1.95), (x * 0.8, -1.6), (x * 1.1, -1.0)]), 12)
        canvas.strokes(pose.hang(seam, 0.9)[None], tone(colour, 0.8), 0.022 * u)
    canvas.fill(pose.hang(oval(0, -1.95, 0.09, 0.06, 14), 0.9), tone(colour, 0.85))
    brim = curve(
        np.array(
            [
                (-1.12, -0.72),
                (-0.7, -1.02),
                (0, -1.1),
                (0.7, -1.02),
                (1.12, -0.72),
                (0.75, -0.6),
                (0, -0.56),
                (-0.75, -0.6),
            ]
        ),
        60,
        closed=True,
    )
    z = surface(brim) + 0.45 * np.clip((brim[:, 1] + 0.95) / 0.4, 0, 1)
    canvas.shadow(pose.head(brim, z), offset=(0, 0.16 * u), sigma=0.1 * u, strength=0.34)
    canvas.fill(pose.head(brim, z), tone(colour, 0.78))
    canvas.strokes(pose.head(brim[34:58] - (0, 0.05), z[34:58])[None], tone(colour, 1.0), 0.02 * u)
    canvas.fill(pose.head(oval(0, -1.36, 0.26, 0.2, 24), 0.75), mix(colour, (250, 244, 230), 0.8))


def _straw(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    u = pose.unit
    colour = mix((226, 196, 138), look.cloth2, 0.15 if rng.random() < 0.7 else 0.8)
    wide = float(rng.uniform(1.9, 2.4))
    brim = oval(0.0, -0.98, wide, 0.42, 60)
    canvas.shadow(pose.hang(brim, 0.5), offset=(0, 0.34 * u), sigma=0.14 * u, strength=0.42)
    canvas.fill(pose.hang(brim, 0.4), tone(colour, 0.95))
    for k in np.linspace(0.72, 0.98, 5):
        ring = oval(0.0, -0.98, wide * k, 0.42 * k, 60)
        canvas.strokes(pose.hang(np.vstack([ring, ring[:1]]), 0.4)[None], tone(colour, 0.82), 0.014 * u)
    crown = curve(
        np.array(
            [
                (-1.16, -0.98),
                (-1.1, -1.5),
                (-0.85, -1.92),
                (0, -2.02),
                (0.85, -1.92),
                (1.1, -1.5),
                (1.16, -0.98),
                (0, -0.82),
            ]
        ),
        60,
        closed=True,
    )
    canvas.fill(pose.hang(crown, 0.4), colour)
    low, top = [(-1.17, -1.02), (0, -0.84), (1.17, -1.02)], [(1.14, -1.28), (0, -1.1), (-1.14, -1.28)]
    band = np.vstack([curve(np.array(low), 20), curve(np.array(top), 20)])
    canvas.fill(pose.hang(band, 0.4), look.cloth)
    for y in (-1.45, -1.6, -1.75, -1.88):
        weave = curve(np.array([(-0.95, y), (0, y + 0.14), (0.95, y)]), 18)
        canvas.strokes(pose.hang(weave, 0.4)[None], tone(colour, 0.84), 0.014 * u)


def _beret(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    side, u = float(rng.choice([-1, 1])), pose.unit
    rim = [(-1.2, -0.86), (-1.5, -1.25), (-1.1, -1.75), (0, -2.0), (1.0, -1.72), (1.2, -1.2), (1.06, -0.84), (0, -1.12)]
    shape = pose.hang(curve(np.array(rim) * (side, 1), 60, closed=True), 0.6)
    canvas.shadow(shape, offset=(0, 0.12 * u), sigma=0.1 * u, strength=0.4)
    canvas.fill(shape, look.cloth2)
    light = curve(np.array([(-0.9, -1.5), (0, -1.78), (0.7, -1.5), (0, -1.55)]) * (side, 1), 30, closed=True)
    canvas.glaze(pose.hang(light, 0.6), colour=tone(look.cloth2, 1.3), opacity=0.5, sigma=0.1 * u)
    stalk = np.array([(0.1, -1.98), (0.16, -2.12)])
    canvas.strokes(pose.hang(stalk, 0.6)[None], tone(look.cloth2, 0.8), 0.06 * u)
    edge = curve(np.array([(-1.2, -0.84), (0, -1.1), (1.08, -0.82)]) * (side, 1), 20)
    canvas.strokes(pose.hang(edge, 0.9)[None], tone(look.cloth2, 0.75), 0.07 * u)


def _band(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    v = look.volume
    low = [(-1.2, -0.75), (-0.8, -1.22 - 0.3 * v), (0, -1.36 - 0.4 * v), (0.8, -1.22 - 0.3 * v), (1.2, -0.75)]
    top = [(1.22, -1.0), (0.78, -1.46 - 0.5 * v), (0, -1.6 - 0.6 * v), (-0.78, -1.46 - 0.5 * v), (-1.22, -1.0)]
    band = np.vstack([curve(np.array(low), 30), curve(np.array(top), 30)])
    canvas.shadow(pose.hang(band, 0.7), offset=(0, 0.05 * pose.unit), sigma=0.04 * pose.unit, strength=0.35)
    canvas.fill(pose.hang(band, 0.7), look.cloth2)
    canvas.strokes(pose.hang(band[8:22] - (0, 0.07), 0.7)[None], tone(look.cloth2, 1.2), 0.04 * pose.unit)


def _headphones(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    u, colour = pose.unit, look.cloth2
    arc = curve(
        np.array([(-1.32, 0.0), (-1.34, -0.9), (-0.85, -1.72), (0, -1.92), (0.85, -1.72), (1.34, -0.9), (1.32, 0.0)]),
        50,
    )
    canvas.strokes(pose.head(arc, 0.0)[None], tone(colour, 0.75), 0.16 * u)
    canvas.strokes(pose.head(arc - (0, 0.03), 0.0)[None], tone(colour, 1.05), 0.07 * u)
    for side in (-1, 1):
        canvas.fill(pose.head(oval(1.32 * side, 0.05, 0.24, 0.44, 36), 0.0), tone(colour, 0.7))
        canvas.fill(pose.head(oval(1.4 * side, 0.03, 0.17, 0.36, 36), 0.0), colour)


def _flower(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    side, u = float(rng.choice([-1, 1])), pose.unit
    for x, y, r in ((1.12, -0.75, 0.2), (1.25, -0.42, 0.14)):
        for angle in np.linspace(0, 2 * np.pi, 6)[:-1]:
            petal = oval(side * x + r * np.cos(angle), y + r * np.sin(angle), r * 0.66, r * 0.66, 16)
            canvas.fill(pose.head(petal, 0.2), tone(look.cloth2, 1.15 + 0.1 * np.cos(angle)))
        canvas.fill(pose.head(oval(side * x, y, r * 0.4, r * 0.4, 14), 0.2), (236, 194, 92))
    leaf = curve(np.array([(side * 1.2, -1.0), (side * 1.5, -1.1), (side * 1.28, -0.85)]), 16, closed=True)
    canvas.fill(pose.head(leaf, 0.1), (92, 122, 78))
    canvas.strokes(
        pose.head(np.array([(side * 1.22, -0.98), (side * 1.44, -1.06)]), 0.1)[None], (62, 92, 58), 0.015 * u
    )


HATS = {
    "beanie": _beanie, "cap": _cap, "straw": _straw, "beret": _beret, "band": _band, "headphones": _headphones,
    "flower": _flower,
}  # fmt: skip
