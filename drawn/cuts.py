"""Cuts: which locks a style of hair is made of."""

from dataclasses import dataclass, field

import numpy as np

from drawn.canvas import oval
from drawn.locks import SAMPLES, Lock
from drawn.scene import Look


@dataclass
class Cut:
    """Locks behind the body, behind the head, and before it; ringlets and buns as (points, size)."""

    behind: list[Lock] = field(default_factory=list)
    back: list[Lock] = field(default_factory=list)
    front: list[Lock] = field(default_factory=list)
    ringlets: list[tuple[np.ndarray, float]] = field(default_factory=list)
    buns: list[tuple[float, float, float]] = field(default_factory=list)
    braid: float = 0.0  # side it hangs on


def crown(v: float, side: float, bottom: float) -> np.ndarray:
    """Outer line of hair over the skull (13, 2), from the left temple over the top to the right one."""
    half = np.array([
        (0.0, -1.62 - v), (0.36, -1.58 - v), (0.7, -1.42 - 0.85 * v), (1.0 + 0.4 * side, -1.08 - 0.6 * v),
        (1.16 + 0.8 * side, -0.6 - 0.2 * v), (1.2 + side, -0.1), (1.16 + 0.7 * side, bottom),
    ])  # fmt: skip
    return np.vstack([half[::-1] * (-1, 1), half[1:]])


def hairline(high: float, bottom: float) -> np.ndarray:
    """Where hair begins (13, 2), matched with `crown`: temple, forehead, temple."""
    half = np.array([
        (0.0, high), (0.24, high + 0.01), (0.48, high + 0.04), (0.72, high + 0.16), (0.93, high + 0.42),
        (1.04, -0.15), (1.06, bottom),
    ])  # fmt: skip
    return np.vstack([half[::-1] * (-1, 1), half[1:]])


def _between(line: np.ndarray, other: np.ndarray, *parts: float) -> np.ndarray:
    """Guides (n, len(parts), 2) running from `line` (0) to `other` (1) and past it."""
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
        middle = [
            (p, -1.25),
            ((p + side * 0.45 * far), -1.38 - 0.5 * lift),
            (side * 0.98, -0.95),
            (side * 1.13, -0.4),
            (side * 1.12, 0.26),
        ]
        inner = [
            (p, -1.0),
            ((p + side * 0.4 * far), -1.04 - 0.2 * v),
            (side * 0.84, -0.82),
            (side * 1.02, -0.4),
            (side * 1.07, 0.2),
        ]
        locks.append(Lock(np.array([outer, middle, inner]), strands=105, ragged=0.03, spread=0.022))
    return locks


def _upward(look: Look, v: float, *, past: float, lean: float, strands: int = 190) -> list[Lock]:
    """Hair that grows up and away from the forehead; `past` its outer line for spikes."""
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


def _cap(look: Look, v: float, bottom: float = 0.22, high: float = -0.98) -> Lock:
    """A plain cover of the skull, under whatever lies on it."""
    return Lock(
        _between(hairline(high, bottom), crown(v, 0.3 * v, bottom + 0.05), 0.0, 0.5, 1.0), strands=70, ragged=0.02
    )


def _scatter(rng: np.random.Generator, v: float, side: float, low: float, count: int) -> np.ndarray:
    """Points over a round head of hair, denser at its rim, none on the face."""
    angle = rng.uniform(0, 2 * np.pi, count * 2)
    radius = np.sqrt(rng.uniform(0.3, 1.0, count * 2))
    points = np.stack([np.cos(angle) * (1.12 + side) * radius, -0.45 + np.sin(angle) * (1.22 + v) * radius], -1)
    face = (np.abs(points[:, 0]) < 1.0) & (points[:, 1] > -0.92 + 0.2 * points[:, 0] ** 2)
    return points[~face & (points[:, 1] < low)][:count]


def design(look: Look, rng: np.random.Generator) -> Cut:
    """The cut of a style; hats press it flat."""
    cut, v, style = Cut(), look.volume, look.style
    if look.hat in ("beanie", "cap", "straw", "beret", "headphones"):
        v = min(v, 0.1)
    look.volume = v
    waves = {"straight": 0.02, "waves": 0.11, "curls": 0.13, "behind": 0.04}.get(style, 0.04) * (0.6 + look.wave)
    turns = float(rng.uniform(1.6, 3.2))
    if look.hair == "long":
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
                    points = rows[np.arange(120), rng.integers(SAMPLES // 2, SAMPLES, 120)] + rng.normal(
                        0, 0.09, (120, 2)
                    )
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
        return cut
    if style == "bald":
        return cut
    if style == "fringe_of_hair":
        for side in (-1, 1):
            patch = np.array(
                [
                    [(side * 1.06, -0.72), (side * 1.22, -0.4), (side * 1.2, 0.2)],
                    [(side * 0.98, -0.5), (side * 1.05, -0.2), (side * 1.08, 0.24)],
                ]
            )
            cut.front.append(Lock(patch, strands=70, spread=0.04))
            cut.back.append(Lock(patch * (1.04, 1.0), strands=50, spread=0.05, depth=0.0))
    elif style == "buzz":
        cut.front.append(
            Lock(
                _between(hairline(-0.95, 0.2), crown(0.02, 0.0, 0.22), 0, 0.5, 1.0, 1.02),
                strands=150,
                width=0.012,
                spread=0.02,
            )
        )
    elif style == "parted":
        cut.front += [_cap(look, 0.6 * v), *_sweep(look, v + 0.04)]
    elif style == "crop":
        cut.front += [_cap(look, 0.7 * v), _fringe(look, -0.74, float(rng.uniform(-0.25, 0.25)))]
    elif style in ("quiff", "spikes"):
        past = 1.12 if style == "quiff" else 1.35
        lean = float(rng.uniform(-1, 1))
        cut.front += [_cap(look, 0.5 * v), *_upward(look, v + 0.12, past=past, lean=lean)]
    elif style == "bowl":
        cut.front += [_cap(look, v, bottom=0.3), *_sweep(look, v), _fringe(look, -0.5, float(rng.uniform(-0.25, 0.25)))]
    elif style in ("afro", "curly"):
        big = float(rng.uniform(0.5, 0.95)) if style == "afro" else float(rng.uniform(0.18, 0.4))
        low = 0.7 if style == "afro" else 0.2
        ball = oval(0.0, -0.5, 1.2 + big, 1.25 + big, 16)
        cut.back.append(
            Lock(
                np.stack([ball * (0.9, 0.9) + (0, -0.04), ball * (0.98, 0.98)], 1)[np.r_[0:16, 0]],
                strands=10,
                depth=0.0,
                hull=False,
            )
        )
        cut.front.append(_cap(look, 0.6 * big))
        points = _scatter(rng, big, big, low, 420 if style == "afro" else 330)
        cut.ringlets.append((points, 0.13 if style == "afro" else 0.15))
    elif style in ("bun", "buns"):
        r = float(rng.uniform(0.42, 0.62))
        top = -1.62 - 0.5 * v - 0.62 * r
        cut.buns = (
            [(float(rng.uniform(-0.25, 0.25)), top, r)]
            if style == "bun"
            else [(-0.85, top + 0.3, 0.8 * r), (0.85, top + 0.3, 0.8 * r)]
        )
        cut.front += [_cap(look, 0.5 * v), *_upward(look, 0.4 * v, past=1.02, lean=0.0, strands=150)]
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
    return cut
