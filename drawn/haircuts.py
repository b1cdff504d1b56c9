"""Haircuts: which locks a hair style is made of, and the curves of a lock."""

from dataclasses import dataclass, field

import numpy as np

from drawn.canvas import curve, oval
from drawn.scene import Look

SAMPLES = 13  # points per strand


@dataclass
class Lock:
    """A lock of hair: guide curves, the hull between them, and how strands run along them.

    Attributes:
        guides: (g, m, 2): g curves of m control points in head coordinates, from one side of the lock to the other.
        strands: number of strands.
        wave, turns, phase: amplitude in head units, number of waves along the lock, and start of the wave.
        ragged: standard deviation of the strands' lengths, relative.
        spread: sideways scatter of the strands, head units.
        depth: 1 where the hair lies on the head's surface, 0 in its middle.
        width: of a broad strand, head units.
        hull: whether the area between the guides is filled.
    """

    guides: np.ndarray
    strands: int = 90
    wave: float = 0.0
    turns: float = 2.0
    phase: float = 0.0
    ragged: float = 0.05
    spread: float = 0.03
    depth: float = 1.0
    width: float = 0.02
    hull: bool = True

    def curves(self, across: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Curves (k, SAMPLES, 2) at positions `across` (k,) in 0..1 of the lock; `rng` scatters them."""
        guides = np.asarray(self.guides, float)
        place = np.clip(across, 0, 1) * (len(guides) - 1)
        low = np.minimum(place.astype(int), len(guides) - 2)
        part = (place - low)[:, None, None]
        controls = guides[low] * (1 - part) + guides[low + 1] * part
        if rng is not None:
            growth = np.linspace(0.25, 1, guides.shape[1])[None, :, None]
            controls = controls + rng.normal(0, self.spread, controls.shape) * growth
        lines = curve(controls, SAMPLES)
        if rng is not None:
            lengths = 1 + self.ragged * rng.normal(0, 1, (len(lines), 1, 1))
            at = np.clip(np.linspace(0, 1, SAMPLES)[None, :, None] * lengths, 0, 1)[..., 0] * (SAMPLES - 1)
            step = np.minimum(at.astype(int), SAMPLES - 2)
            rest = (at - step)[..., None]
            rows = np.arange(len(lines))[:, None]
            lines = lines[rows, step] * (1 - rest) + lines[rows, step + 1] * rest
        if self.wave:
            s = np.linspace(0, 1, SAMPLES)
            swing = self.wave * np.clip(s * 1.6 - 0.15, 0, 1) * np.sin(2 * np.pi * self.turns * s + self.phase)
            lines = lines + np.stack([swing, 0 * swing], -1)[None]
        return lines

    def outline(self) -> np.ndarray:
        """Outline of the hull in head coordinates (n, 2): first guide down, tips across, last guide up."""
        lines = self.curves(np.linspace(0, 1, 9))
        return np.vstack([lines[0], lines[1:-1, -1], lines[-1, ::-1], lines[1:-1, 0][::-1]])


@dataclass
class Haircut:
    """Locks behind the body, behind the head and in front of it; ringlets as (points, size), buns as (x, y, radius)."""

    behind: list[Lock] = field(default_factory=list)
    back: list[Lock] = field(default_factory=list)
    front: list[Lock] = field(default_factory=list)
    ringlets: list[tuple[np.ndarray, float]] = field(default_factory=list)
    buns: list[tuple[float, float, float]] = field(default_factory=list)
    braid: float = 0.0  # the side it hangs on, -1 or 1; 0 for none


def crown(v: float, side: float, bottom: float) -> np.ndarray:
    """Outer line of hair over the skull (13, 2), from the left temple over the top to the right temple."""
    half = np.array([
        (0.0, -1.62 - v), (0.36, -1.58 - v), (0.7, -1.42 - 0.85 * v), (1.0 + 0.4 * side, -1.08 - 0.6 * v),
        (1.16 + 0.8 * side, -0.6 - 0.2 * v), (1.2 + side, -0.1), (1.16 + 0.7 * side, bottom),
    ])  # fmt: skip
    return np.vstack([half[::-1] * (-1, 1), half[1:]])


def hairline(high: float, bottom: float) -> np.ndarray:
    """Line where the hair begins (13, 2), point by point below `crown`: temple, forehead, temple."""
    half = np.array([
        (0.0, high), (0.24, high + 0.01), (0.48, high + 0.04), (0.72, high + 0.16), (0.93, high + 0.42),
        (1.04, -0.15), (1.06, bottom),
    ])  # fmt: skip
    return np.vstack([half[::-1] * (-1, 1), half[1:]])


def _between(line: np.ndarray, other: np.ndarray, *parts: float) -> np.ndarray:
    """Guides (n, len(parts), 2) from `line` (part 0) to `other` (part 1) and beyond."""
    return np.stack([line + (other - line) * p for p in parts], 1)


def _curtain(side: int, look: Look, length: float, width: float, *, cut: float | None = None) -> Lock:
    """Long hair on one side: from the parting, over the temple, down past the shoulder."""
    p, v = look.parting, look.volume
    tip = length if cut is None else cut

    def at(x: float, y: float) -> tuple[float, float]:
        return (x * side, y)

    outer = [(p, -1.62 - v), at(0.6, -1.56 - 0.8 * v), at(1.08 + 0.6 * v, -1.0 - 0.4 * v),
             at(1.27 + v + 0.3 * width, 0.2), at(1.34 + v + width, 1.7), at(1.14 + v + width, tip - 0.1)]  # fmt: skip
    middle = [(p, -1.35 - 0.5 * v), at(0.55, -1.26), at(0.98, -0.8), at(1.22, 0.15), at(1.2 + 0.5 * width, 1.6),
              at(1.0 + 0.4 * width, tip + 0.15)]  # fmt: skip
    inner = [(p, -1.02), at(0.46, -0.98), at(0.84, -0.66), at(1.07, 0.0), at(0.98, 1.2), at(0.8, tip)]
    if cut is not None:
        inner = [(p, -1.02), at(0.46, -0.98), at(0.84, -0.72), at(1.03, -0.3), at(1.12, 0.2), at(1.14, tip)]
        middle = [
            (p, -1.35 - 0.5 * v),
            at(0.55, -1.26),
            at(0.98, -0.85),
            at(1.16, -0.4),
            at(1.24, 0.3),
            at(1.26, tip + 0.1),
        ]
    return Lock(np.array([outer, middle, inner]), strands=85, ragged=0.05)


def _sweep(look: Look, v: float) -> list[Lock]:
    """Short hair combed to both sides of a parting."""
    p = look.parting if abs(look.parting) > 0.2 else 0.35
    locks = []
    for side in (-1, 1):
        far = abs(p - side * 1.1)
        lift = v * (1.25 if far > 1.1 else 0.8)
        outer = [(p, -1.58 - 0.85 * v), (p + side * 0.5 * far, -1.6 - lift), (side * (1.08 + 0.5 * v), -1.1 - 0.3 * v),
                 (side * (1.2 + 0.35 * v), -0.5), (side * 1.17, 0.22)]  # fmt: skip
        middle = [(p, -1.25), (p + side * 0.45 * far, -1.38 - 0.5 * lift), (side * 0.98, -0.95), (side * 1.13, -0.4),
                  (side * 1.12, 0.26)]  # fmt: skip
        inner = [(p, -1.0), (p + side * 0.4 * far, -1.04 - 0.2 * v), (side * 0.84, -0.82), (side * 1.02, -0.4),
                 (side * 1.07, 0.2)]  # fmt: skip
        locks.append(Lock(np.array([outer, middle, inner]), strands=105, ragged=0.03, spread=0.022))
    return locks


def _upward(v: float, *, past: float, lean: float, strands: int = 190) -> list[Lock]:
    """Hair that grows up from the forehead; `past` > 1 lets spikes pass the outer line."""
    line, top = hairline(-0.98, 0.22), crown(v, 0.04, 0.3)
    guides = _between(line, top, 0.0, 0.55, 1.0, past)
    guides[:, 2:, 0] += lean * np.array([0.1, 0.22])
    return [Lock(guides, strands=strands, ragged=0.08, spread=0.035)]


def _fringe(look: Look, low: float, sweep: float) -> Lock:
    """Bangs: from the crown down over the forehead."""
    x = np.linspace(-0.98, 0.98, 9)
    root = np.stack([x * 0.45 + 0.1 * look.parting, -1.55 + 0.12 * x**2], -1)
    mid = np.stack([x * 0.86, -1.22 + 0.24 * x**2], -1)
    tip = np.stack([x * 1.08 + sweep, low + 0.14 * np.abs(x) - 0.3 * sweep * x], -1)
    return Lock(
        np.stack([root, mid, (mid + tip) / 2 + np.stack([0.07 * x, 0 * x], -1), tip], 1), strands=95, ragged=0.05
    )


def _cap(v: float, bottom: float = 0.22, high: float = -0.98) -> Lock:
    """A plain layer over the skull, under the other locks."""
    return Lock(
        _between(hairline(high, bottom), crown(v, 0.3 * v, bottom + 0.05), 0.0, 0.5, 1.0), strands=70, ragged=0.02
    )


def _scatter(rng: np.random.Generator, v: float, side: float, low: float, count: int) -> np.ndarray:
    """Random points over a round head of hair, denser at the rim, none on the face."""
    angle = rng.uniform(0, 2 * np.pi, count * 2)
    radius = np.sqrt(rng.uniform(0.3, 1.0, count * 2))
    points = np.stack([np.cos(angle) * (1.12 + side) * radius, -0.45 + np.sin(angle) * (1.22 + v) * radius], -1)
    face = (np.abs(points[:, 0]) < 1.0) & (points[:, 1] > -0.92 + 0.2 * points[:, 0] ** 2)
    return points[~face & (points[:, 1] < low)][:count]


def design(look: Look, rng: np.random.Generator) -> Haircut:
    """Design the haircut of a look's style; most hats flatten it."""
    if look.hat in ("beanie", "cap", "straw", "beret", "headphones"):
        look.volume = min(look.volume, 0.1)
    cut, turns = Haircut(), float(rng.uniform(1.6, 3.2))
    if look.hair == "long":
        _long(cut, look, turns, rng)
    else:
        _short(cut, look, rng)
    return cut


def _long(cut: Haircut, look: Look, turns: float, rng: np.random.Generator) -> None:
    style, v = look.style, look.volume
    waves = {"straight": 0.02, "waves": 0.11, "curls": 0.13, "behind": 0.04}.get(style, 0.04) * (0.6 + look.wave)
    width = float(rng.uniform(-0.05, 0.28)) + (0.15 if style == "curls" else 0)
    tip = look.length
    sides = {"tail": (), "braid": ()}.get(style, (-1, 1))
    wide, end = 1.22 + 0.4 * width, min(tip, 3.2)
    back = np.array([
        [(x * 0.7, -1.5 - v), (x * (1.15 + v), -0.6), (x * wide, 1.0), (x * 1.15, end)]
        for x in (-1.0, -0.5, 0.0, 0.5, 1.0)
    ])  # fmt: skip
    if sides:
        cut.behind.append(Lock(back, strands=60, wave=0.5 * waves, turns=turns, depth=0.0))
    for side in sides:
        if style == "behind":
            lock = _curtain(side, look, tip, width)
            lock.depth, lock.strands = 0.0, 70
            lock.guides[:, 4:, 0] *= 1.05
            cut.behind.append(lock)
            cut.front.append(_curtain(side, look, tip, width, cut=0.75))
        else:
            lock = _curtain(side, look, tip + float(rng.normal(0, 0.12)), width)
            cut.front.append(lock)
            if style == "curls":
                rows = lock.curves(rng.random(120))
                points = rows[np.arange(120), rng.integers(SAMPLES // 2, SAMPLES, 120)]
                points = points + rng.normal(0, 0.09, (120, 2))
                cut.ringlets.append((points, 0.13))
        lock.wave, lock.turns, lock.phase = waves, turns, float(rng.uniform(0, 6))
    if not sides:
        side = 1.0 if look.parting >= 0 else -1.0
        cut.front += _sweep(look, max(0.06, 0.7 * v))
        if style == "braid":
            cut.braid = side
        else:
            out = [(side * 0.7, 0.9), (side * (1.5 + v), 1.5), (side * 1.75, 2.6), (side * 1.35, look.length + 0.4)]
            inn = [(side * 0.5, 1.0), (side * 1.1, 1.6), (side * 1.05, 2.6), (side * 1.05, look.length + 0.3)]
            tail = Lock(np.array([out, inn]), strands=75, wave=0.09, turns=turns, depth=0.0, ragged=0.06)
            cut.back.append(tail)
    if look.bangs or style == "fringe":
        cut.front.append(_fringe(look, -0.52, float(rng.uniform(-0.2, 0.2))))


def _short(cut: Haircut, look: Look, rng: np.random.Generator) -> None:
    """A bald head has no lock."""
    style, v = look.style, look.volume
    if style == "fringe_of_hair":
        for side in (-1, 1):
            outer = [(side * 1.06, -0.72), (side * 1.22, -0.4), (side * 1.2, 0.2)]
            inner = [(side * 0.98, -0.5), (side * 1.05, -0.2), (side * 1.08, 0.24)]
            patch = np.array([outer, inner])
            cut.front.append(Lock(patch, strands=70, spread=0.04))
            cut.back.append(Lock(patch * (1.04, 1.0), strands=50, spread=0.05, depth=0.0))
    elif style == "buzz":
        guides = _between(hairline(-0.95, 0.2), crown(0.02, 0.0, 0.22), 0, 0.5, 1.0, 1.02)
        cut.front.append(Lock(guides, strands=150, width=0.012, spread=0.02))
    elif style == "parted":
        cut.front += [_cap(0.6 * v), *_sweep(look, v + 0.04)]
    elif style == "crop":
        cut.front += [_cap(0.7 * v), _fringe(look, -0.74, float(rng.uniform(-0.25, 0.25)))]
    elif style in ("quiff", "spikes"):
        past = 1.12 if style == "quiff" else 1.35
        lean = float(rng.uniform(-1, 1))
        cut.front += [_cap(0.5 * v), *_upward(v + 0.12, past=past, lean=lean)]
    elif style == "bowl":
        cut.front += [_cap(v, bottom=0.3), *_sweep(look, v), _fringe(look, -0.5, float(rng.uniform(-0.25, 0.25)))]
    elif style in ("afro", "curly"):
        big = float(rng.uniform(0.5, 0.95)) if style == "afro" else float(rng.uniform(0.18, 0.4))
        low = 0.7 if style == "afro" else 0.2
        ball = oval(0.0, -0.5, 1.2 + big, 1.25 + big, 16)
        guides = np.stack([ball * (0.9, 0.9) + (0, -0.04), ball * (0.98, 0.98)], 1)[np.r_[0:16, 0]]
        cut.back.append(Lock(guides, strands=10, depth=0.0, hull=False))
        cut.front.append(_cap(0.6 * big))
        points = _scatter(rng, big, big, low, 420 if style == "afro" else 330)
        cut.ringlets.append((points, 0.13 if style == "afro" else 0.15))
    elif style in ("bun", "buns"):
        r = float(rng.uniform(0.42, 0.62))
        top = -1.62 - 0.5 * v - 0.62 * r
        if style == "bun":
            cut.buns = [(float(rng.uniform(-0.25, 0.25)), top, r)]
        else:
            cut.buns = [(-0.85, top + 0.3, 0.8 * r), (0.85, top + 0.3, 0.8 * r)]
        cut.front += [_cap(0.5 * v), *_upward(0.4 * v, past=1.02, lean=0.0, strands=150)]
    elif style == "bob":
        tip = float(rng.uniform(1.0, 1.45))
        back = np.array(
            [[(x * 0.7, -1.5 - v), (x * (1.15 + v), -0.6), (x * 1.26, 0.6), (x * 1.12, tip)] for x in (-1.0, 0.0, 1.0)]
        )
        cut.back.append(Lock(back, strands=50, depth=0.0))
        cut.front += [_curtain(side, look, tip, -0.12) for side in (-1, 1)]
        for lock in cut.front:
            lock.guides[:, 4, 1] = 0.75
        if look.bangs:
            cut.front.append(_fringe(look, -0.52, 0.0))
