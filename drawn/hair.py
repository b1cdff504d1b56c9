"""Paint hair: behind the body, behind the head, before it, the back of a head; beards and moustaches."""

import numpy as np

from drawn.canvas import Canvas, Colour, curve, oval, sheen, tone
from drawn.haircuts import SAMPLES, Haircut, Lock, crown
from drawn.head import outline, project
from drawn.scene import Look, Pose

TONES = (0.56, 0.7, 0.82, 0.94, 1.06, 1.2, 1.36)  # brightness of strands, dark to light


def paint_back(canvas: Canvas, pose: Pose, look: Look, cut: Haircut, rng: np.random.Generator, *, behind: bool) -> None:
    """Hair behind the body (`behind`), or behind the head alone."""
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


def paint_front(canvas: Canvas, pose: Pose, look: Look, cut: Haircut, light: tuple[float, float],
                rng: np.random.Generator) -> None:  # fmt: skip
    """Hair in front of the head, and its shadow on face and shoulders."""
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
    """The back of a head: hair from the crown to the nape, or past it when long; skin where it is bald."""
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


def paint_lock(canvas: Canvas, pose: Pose, lock: Lock, colour: Colour, rng: np.random.Generator, *,
               lit: float = 1.0) -> None:  # fmt: skip
    """Fill the hull, draw the strands in tufts of similar tone, then a few highlights where the hair bends."""
    if lock.hull:
        canvas.fill(pose.hang(lock.outline(), lock.depth), sheen(colour, 0.66 * lit))
    count = int(1.7 * lock.strands)
    across = rng.random(count)
    tuft = (
        np.sin(across * rng.uniform(16, 26) + rng.uniform(0, 6)) * 0.5 + np.sin(across * 51 + rng.uniform(0, 6)) * 0.3
    )
    level = np.clip((tuft + rng.normal(0, 0.42, count) + 1) / 2 * len(TONES), 0, len(TONES) - 1).astype(int)
    pixels = pose.hang(lock.curves(across, rng), lock.depth)
    # Broad strands first, fine ones over them.
    broad = np.arange(count) < count // 5
    for k in (1, 0, 3, 2, 4):
        canvas.strokes(pixels[broad & (level == k)], sheen(colour, TONES[k] * lit), lock.width * pose.unit)
    for k in (0, 2, 1, 4, 3, 5, 6):
        canvas.strokes(pixels[~broad & (level == k)], sheen(colour, TONES[k] * lit), 1)
    start = int(SAMPLES * 0.2)
    for offset, factor in ((0, 1.3), (2, 1.55)):
        part = pixels[broad & (level >= 3)][offset::4, start + offset : start + 5 + offset]
        canvas.strokes(part, sheen(colour, factor * lit), 0.5 * lock.width * pose.unit)


def flyaways(canvas: Canvas, pose: Pose, lock: Lock, colour: Colour, rng: np.random.Generator, count: int) -> None:
    """Single strands that leave the lock's first (outer) guide: fine hair inside the person's mask."""
    if count < 1:
        return
    lines = lock.curves(rng.uniform(0, 0.12, count), rng)
    begin = rng.integers(1, SAMPLES - 6, count)
    span = rng.integers(3, 6, count)
    at = np.clip(begin[:, None] + np.linspace(0, 1, 8)[None] * span[:, None], 0, SAMPLES - 1).astype(int)
    strands = lines[np.arange(count)[:, None], at]
    along = strands[:, -1] - strands[:, 0]
    normal = np.stack([along[:, 1], -along[:, 0]], -1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-6)
    centre = np.array([0.0, 0.3])
    normal *= np.sign(((strands[:, 0] - centre) * normal).sum(1, keepdims=True))
    bend = np.linspace(0, 1, 8)[None, :, None] ** 1.7 * rng.uniform(0.03, 0.22, (count, 1, 1))
    pixels = pose.hang(strands + normal[:, None] * bend, lock.depth)
    fine = rng.random(count) < 0.65
    canvas.strokes(pixels[fine], sheen(colour, 0.9), 1)
    canvas.strokes(pixels[~fine], sheen(colour, 0.75), 0.012 * pose.unit)


def curls(canvas: Canvas, pose: Pose, points: np.ndarray, size: float, colour: Colour, rng: np.random.Generator,
          depth: float = 1.0) -> None:  # fmt: skip
    """Ringlets at points (k, 2), drawn as open rings."""
    if not len(points):
        return
    turn = rng.uniform(0, 2 * np.pi, (len(points), 1)) + np.linspace(0, 5.2, 10)[None]
    radius = size * rng.uniform(0.45, 1.1, (len(points), 1)) * np.linspace(1.0, 0.5, 10)[None]
    rings = points[:, None] + np.stack([np.cos(turn), np.sin(turn) * 0.9], -1) * radius[..., None]
    pixels = pose.hang(rings, depth)
    level = rng.integers(0, len(TONES), len(points))
    for k in (0, 3, 1, 4, 2, 5, 6):
        canvas.strokes(pixels[level == k], sheen(colour, TONES[k]), max(1.0, 0.02 * pose.unit))


def paint_beard(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    """Stubble as a soft shade; other beards hair by hair, past the outline of the jaw."""
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


def _hairs(
    canvas: Canvas, pose: Pose, colour: Colour, root: np.ndarray, tip: np.ndarray, rng: np.random.Generator
) -> None:
    pixels = project(pose, np.stack([root, (root + tip) / 2 + rng.normal(0, 0.01, root.shape), tip], 1))
    level = rng.integers(0, 4, len(pixels))
    for k, factor in enumerate((0.6, 0.85, 1.05, 1.25)):
        canvas.strokes(pixels[level == k], tone(colour, factor), 0.014 * pose.unit)
