"""Neck, shoulders, clothes and their patterns; legs and arms of a standing figure."""

import cv2
import numpy as np

from drawn.canvas import LOW, SHIFT, Canvas, Colour, curve, fixed, mix, oval, plain, soften, tone
from drawn.head import outline
from drawn.scene import Look, Pose

# (depth y of the neckline, x where it starts on the shoulder) per garment, head units.
NECKLINES = {
    "tee": (2.72, 0.98), "vneck": (3.35, 0.95), "shirt": (2.75, 0.78), "rollneck": (2.4, 0.72),
    "hoodie": (2.75, 0.9), "jacket": (3.5, 0.85), "straps": (3.15, 1.75), "scarf": (2.6, 0.9),
}  # fmt: skip


def shoulders(look: Look, top: float = 2.42, start: float = 0.95, *, standing: bool = False) -> np.ndarray:
    """Right half of the torso's outline from the neck down, body coordinates (n, 2)."""
    b = look.build
    if standing:
        return curve(np.array([
            (start, top), (1.5 * b, 2.62), (2.1 * b, 2.9), (2.35 * b, 3.6), (2.1 * b, 6.0), (2.05 * b, 8.6), (0.2, 8.8),
        ]), 44)  # fmt: skip
    return curve(np.array([
        (start, top + 0.16 * (start - 0.95)), (1.5 * b, 2.62), (2.25 * b, 2.84), (2.85 * b, 3.3), (3.12 * b, 4.3),
        (3.25 * b, 6.0), (3.3 * b, 11.0),
    ]), 44)  # fmt: skip


def paint_body(canvas: Canvas, pose: Pose, look: Look, light: tuple[float, float], rng: np.random.Generator,
               *, back: bool = False, standing: bool = False) -> None:  # fmt: skip
    """Neck, torso and clothes. A back has no neckline; a standing figure's torso ends at the hips."""
    u = pose.unit
    _skin(canvas, pose, look, light, standing=standing)
    face, z = outline(look)
    canvas.shadow(pose.head(face, z), offset=(-0.12 * light[0] * u, 0.34 * u), sigma=0.13 * u, strength=0.5)
    if look.clothes == "jacket":
        _garment(canvas, pose, look, light, rng, "tee", look.cloth2, "plain", back=back, standing=standing)
    _garment(canvas, pose, look, light, rng, look.clothes, look.cloth, look.pattern, back=back,
             standing=standing)  # fmt: skip
    if not back:
        DETAILS.get(look.clothes, _seam)(canvas, pose, look)
    elif look.clothes == "rollneck":
        _rollneck(canvas, pose, look)
    if look.clothes == "scarf":
        _scarf(canvas, pose, look)


def _skin(canvas: Canvas, pose: Pose, look: Look, light: tuple[float, float], *, standing: bool) -> None:
    n = 0.68 * (0.6 + 0.4 * look.build) * (0.5 + 0.5 * look.jaw)
    half = np.vstack([[(n, 0.7), (n * 0.97, 1.6)], [(n * 1.05, 2.1)], shoulders(look, standing=standing)[::4]])
    shape = np.vstack([half, half[::-1] * (-1, 1)])
    canvas.fill(pose.body(shape), tone(look.skin, 0.93))
    u = pose.unit
    for side in (-1, 1):  # shading of the neck, collar bones
        strength = 0.30 if side * light[0] < 0 else 0.10
        band = np.array([(0.45, 1.2), (0.9, 1.2), (0.9, 2.2), (0.5, 2.4)]) * (side * n / 0.68, 1)
        canvas.glaze(pose.body(band), colour=tone(look.skin, 0.5), opacity=strength, sigma=0.12 * u)
        bone = curve(np.array([(0.12, 2.78), (0.5, 2.66), (1.2, 2.62)]) * (side, 1), 14)
        canvas.glaze(
            pose.body(np.vstack([bone, bone[::-1] + np.array([0, 0.1])])),
            colour=tone(look.skin, 0.6),
            opacity=0.4,
            sigma=0.05 * u,
        )


def neckline(style: str, look: Look, *, back: bool, standing: bool) -> np.ndarray:
    """Outline of a garment, body coordinates (n, 2)."""
    depth, start = NECKLINES[style]
    top = 2.36 if style != "straps" else 2.5
    right = shoulders(look, top, start, standing=standing)
    if back:
        depth = 2.5
    shape = [(start, right[0, 1]), (start * 0.86, (right[0, 1] + depth) / 2 + 0.08), (start * 0.5, depth - 0.06),
             (0, depth)]  # fmt: skip
    if style in ("vneck", "jacket", "shirt") and not back:
        edge = np.array([(start, right[0, 1]), (0.0, depth)])
        if style == "jacket":
            edge = np.array([(start, right[0, 1]), (0.72, 3.1), (0.22, 4.4), (0.12, 11.0)])
    elif style == "straps":
        edge = curve(np.array([(start, right[0, 1]), (start * 0.78, 3.0), (start * 0.5, depth), (0, depth + 0.08)]), 20)
    else:
        edge = curve(np.array(shape), 20)
    half = np.vstack([right[::-1], edge])
    return np.vstack([half, (half * (-1, 1))[::-1]])


def _garment(canvas: Canvas, pose: Pose, look: Look, light: tuple[float, float], rng: np.random.Generator,
             style: str, colour: Colour, pattern: str, *, back: bool, standing: bool) -> None:  # fmt: skip
    pixels = pose.body(neckline(style, look, back=back, standing=standing))
    box = canvas.window(pixels)
    cover = canvas.alpha(pixels, box=box)
    if not cover.size:
        return
    canvas.shadow(pixels, offset=(0.0, -0.05 * pose.unit), sigma=0.05 * pose.unit, strength=0.35)
    texture = weave(pose, box, pattern, colour, look.cloth2, rng)
    canvas.paste(_folds(texture, pose, box, light, rng), cover, box)


def _folds(texture: np.ndarray, pose: Pose, box: tuple[slice, slice], light: tuple[float, float],
           rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    """Multiply the light across the shoulders and soft folds into the cloth."""
    height, width = texture.shape[:2]
    small = np.full((max(1, height // LOW), max(1, width // LOW)), 128, np.uint8)
    corner = np.array([box[1].start, box[0].start])

    def put(points: np.ndarray) -> np.ndarray:
        return fixed((pose.body(points) - corner) / LOW)

    unit = pose.unit / LOW
    for side in (-1, 1):
        lit = side * light[0] > 0
        arm = np.array([(2.2, 2.7), (3.6, 3.0), (3.6, 9), (2.5, 9), (2.3, 4.2)]) * (side, 1)
        cv2.fillPoly(small, [put(arm)], 140 if lit else 92, cv2.LINE_AA, 4)
        top = np.array([(1.0, 2.3), (2.4, 2.7), (2.6, 3.0), (1.2, 2.75)]) * (side, 1)
        cv2.fillPoly(small, [put(top)], 158 if lit else 132, cv2.LINE_AA, 4)
        seam = curve(np.array([(2.15, 3.5), (2.2, 4.3), (2.25, 5.5), (2.3, 8)]) * (side, 1), 14)
        cv2.polylines(small, [put(seam)], False, 78, max(1, int(0.1 * unit)), cv2.LINE_AA, 4)
    for _ in range(9):
        x, y = rng.uniform(-2.2, 2.2), rng.uniform(2.9, 5.0)
        fold = curve(
            np.array([(x, y), (x * 0.8 + rng.normal(0, 0.2), y + 0.5), (x * 0.5, y + rng.uniform(0.8, 1.6))]), 10
        )
        shade = int(rng.choice([96, 104, 150, 156]))
        cv2.polylines(small, [put(fold)], False, shade, max(1, int(rng.uniform(0.08, 0.2) * unit)), cv2.LINE_AA, 4)
    small = soften(small, 0.13 * unit)
    shade = cv2.cvtColor(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), cv2.COLOR_GRAY2RGBA)
    shade[..., 3] = 128
    return cv2.multiply(texture, shade, scale=1 / 128)


def _seam(canvas: Canvas, pose: Pose, look: Look) -> None:
    """The ribbed edge of a neckline."""
    depth, start = NECKLINES[look.clothes]
    right = shoulders(look, 2.36 if look.clothes != "straps" else 2.5, start)[0]
    if look.clothes == "vneck":
        edge = np.array([(-start, right[1]), (0.0, depth), (start, right[1])])
    elif look.clothes == "straps":
        half = [(start, right[1]), (start * 0.78, 3.0), (start * 0.5, depth), (0, depth + 0.08)]
        edge = curve(np.array([(-x, y) for x, y in half] + half[-2::-1]), 40)
    else:
        half = [
            (start, right[1]),
            (start * 0.86, (right[1] + depth) / 2 + 0.08),
            (start * 0.5, depth - 0.06),
            (0, depth),
        ]
        edge = curve(np.array([(-x, y) for x, y in half] + half[-2::-1]), 40)
    u = pose.unit
    canvas.strokes(pose.body(edge)[None], tone(look.cloth, 0.78), 0.13 * u)
    canvas.strokes(pose.body(edge + np.array([0, 0.012]))[None], tone(look.cloth, 0.96), 0.09 * u)


def _shirt(canvas: Canvas, pose: Pose, look: Look) -> None:
    u, colour = pose.unit, tone(look.cloth, 1.1)
    for side in (-1, 1):
        wing = np.array([(0.8, 2.22), (0.3, 2.62), (0.03, 2.78), (0.5, 3.28), (1.02, 2.7), (0.94, 2.4)]) * (side, 1)
        canvas.shadow(pose.body(wing), offset=(0.0, 0.06 * u), sigma=0.04 * u, strength=0.4)
        canvas.fill(pose.body(wing), colour)
        canvas.strokes(pose.body(np.vstack([wing, wing[:1]]))[None], tone(look.cloth, 0.7), 0.014 * u)
    canvas.strokes(pose.body(np.array([(0.1, 2.85), (0.12, 11.0)]))[None], tone(look.cloth, 0.7), 0.014 * u)
    for y in np.arange(3.2, 8.0, 0.62):
        canvas.fill(pose.body(oval(0.0, y, 0.045, 0.045, 12)), tone(look.cloth2, 1.2))


def _rollneck(canvas: Canvas, pose: Pose, look: Look) -> None:
    u = pose.unit
    rim = [(-0.8, 1.78), (0, 2.0), (0.8, 1.78), (0.9, 2.2), (0.86, 2.52), (0, 2.74), (-0.86, 2.52), (-0.9, 2.2)]
    roll = curve(np.array(rim), 40, closed=True)
    canvas.shadow(pose.body(roll), offset=(0.0, 0.09 * u), sigma=0.06 * u, strength=0.4)
    canvas.fill(pose.body(roll), tone(look.cloth, 0.98))
    ribs = [curve(np.array([(x, 1.83 + 0.17 * (1 - x * x)), (x * 1.1, 2.2), (x * 1.05, 2.52 + 0.2 * (1 - x * x))]), 8)
            for x in np.linspace(-0.75, 0.75, 15)]  # fmt: skip
    canvas.strokes(pose.body(np.array(ribs)), tone(look.cloth, 0.8), 0.016 * u)
    face, z = outline(look)
    canvas.shadow(pose.head(face, z), offset=(0.0, 0.22 * u), sigma=0.1 * u, strength=0.35)


def _hoodie(canvas: Canvas, pose: Pose, look: Look) -> None:
    u = pose.unit
    for side in (-1, 1):
        rim = [(0.72, 1.95), (1.2, 2.02), (1.5, 2.45), (1.1, 2.95), (0.3, 3.05), (0.1, 2.86), (0.6, 2.6)]
        hood = curve(np.array(rim) * (side, 1), 40, closed=True)
        canvas.shadow(pose.body(hood), offset=(0.0, 0.08 * u), sigma=0.07 * u, strength=0.4)
        canvas.fill(pose.body(hood), tone(look.cloth, 0.93))
        fold = curve(np.array([(0.74, 2.05), (0.98, 2.4), (0.3, 2.9)]) * (side, 1), 16)
        canvas.strokes(pose.body(fold)[None], tone(look.cloth, 0.7), 0.03 * u)
        cord = curve(np.array([(0.3, 2.95), (0.34, 3.5), (0.3, 4.1)]) * (side, 1), 10)
        canvas.strokes(pose.body(cord)[None], mix(look.cloth, (244, 240, 230), 0.7), 0.05 * u)


def _jacket(canvas: Canvas, pose: Pose, look: Look) -> None:
    u = pose.unit
    for side in (-1, 1):
        rim = [(0.86, 2.32), (1.2, 2.62), (1.42, 3.2), (1.15, 3.22), (1.2, 3.42), (0.26, 4.7), (0.74, 3.1)]
        lapel = np.array(rim) * (side, 1)
        canvas.shadow(pose.body(lapel), offset=(0.0, 0.06 * u), sigma=0.06 * u, strength=0.4)
        canvas.fill(pose.body(lapel), tone(look.cloth, 1.06))
        canvas.strokes(pose.body(np.vstack([lapel, lapel[:1]]))[None], tone(look.cloth, 0.6), 0.016 * u)


def _scarf(canvas: Canvas, pose: Pose, look: Look) -> None:
    u, colour = pose.unit, look.cloth2
    for k, (y, rx, ry) in enumerate(((2.5, 1.18, 0.42), (2.28, 1.05, 0.36))):
        wrap = oval(0.04 * (-1) ** k, y, rx, ry, 40)
        canvas.shadow(pose.body(wrap), offset=(0.0, 0.1 * u), sigma=0.08 * u, strength=0.4)
        canvas.fill(pose.body(wrap), tone(colour, 0.9 + 0.08 * k))
        folds = [
            curve(np.array([(-rx, y + d), (0, y + ry * 0.9 + d * 0.6), (rx, y + d - 0.05)]), 18)
            for d in (-0.15, 0.0, 0.12)
        ]
        canvas.strokes(pose.body(np.array(folds)), tone(colour, 0.72), 0.02 * u)
    end = np.array([(0.25, 2.7), (0.8, 2.65), (0.95, 4.3), (0.4, 4.4)])
    canvas.shadow(pose.body(end), offset=(0.0, 0.05 * u), sigma=0.08 * u, strength=0.4)
    canvas.fill(pose.body(end), colour)
    face, z = outline(look)
    canvas.shadow(pose.head(face, z), offset=(0.0, 0.2 * u), sigma=0.12 * u, strength=0.35)


DETAILS = {"shirt": _shirt, "rollneck": _rollneck, "hoodie": _hoodie, "jacket": _jacket}


def weave(pose: Pose, box: tuple[slice, slice], pattern: str, colour: Colour, second: Colour,
          rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    """Cloth for a window of the canvas, patterned in body coordinates: uint8 RGBA."""
    rows, cols = box
    texture = plain((rows.stop - rows.start, cols.stop - cols.start), colour, cover=255)
    corner = np.array([cols.start, rows.start])
    low = (rows.stop - pose.y) / pose.unit + 0.6  # the lowest visible y

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


def paint_limbs(canvas: Canvas, pose: Pose, look: Look) -> None:
    """Legs, shoes, arms and hands of a standing person; the torso is painted over them."""
    b = look.build
    for side in (-1, 1):
        leg = [(0.1, 8.2), (2.0 * b, 8.2), (1.7 * b, 13.0), (1.55 * b, 18.0), (0.65, 18.0), (0.5, 13.0)]
        canvas.fill(pose.body(np.array(leg) * (side, 1)), tone(look.cloth2, 0.9))
        canvas.fill(pose.body(oval(side * 1.2, 18.2, 0.8, 0.45)), (52, 46, 46))
        rim = [(1.6, 2.8), (2.3 * b, 3.0), (2.9 * b, 5.5), (2.8 * b, 8.6), (2.3 * b, 8.6), (2.1 * b, 5.6)]
        arm = curve(np.array(rim) * (side, 1), 40, closed=True)
        canvas.fill(pose.body(arm), tone(look.cloth, 0.88 if side < 0 else 1.0))
        canvas.fill(pose.body(oval(side * 2.55 * b, 8.9, 0.42, 0.6)), look.skin)
