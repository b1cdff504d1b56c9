"""A lock of hair: guide curves, the hull between them, and the strands that run along them."""

from dataclasses import dataclass

import numpy as np

from drawn.canvas import Canvas, curve
from drawn.palette import Colour, sheen
from drawn.pose import Pose

SAMPLES = 13  # points a strand
TONES = (0.56, 0.7, 0.82, 0.94, 1.06, 1.2, 1.36)


@dataclass
class Lock:
    """`guides` (g, m, 2): g curves of m control points in head coordinates, from one side of the lock to the other.

    wave: amplitude in head units; turns: waves along the lock; strands: how many; ragged: how uneven the tips are;
    spread: sideways scatter of the strands; depth: the hair lies on the head's surface (1) or in its middle (0).
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

    def curves(self, across: np.ndarray, rng: np.random.Generator | None = None, reach: float = 1.0) -> np.ndarray:
        """Curves (k, SAMPLES, 2) at places `across` (k,) in 0..1 of the lock, up to `reach` of their length."""
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
            lengths = reach + self.ragged * rng.normal(0, 1, (len(lines), 1, 1))
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
        """The hull (n, 2) in head coordinates: first guide down, tips across, last guide up."""
        lines = self.curves(np.linspace(0, 1, 9))
        return np.vstack([lines[0], lines[1:-1, -1], lines[-1, ::-1], lines[1:-1, 0][::-1]])


def paint_lock(canvas: Canvas, pose: Pose, lock: Lock, colour: Colour, rng: np.random.Generator, *,
               lit: float = 1.0) -> None:  # fmt: skip
    """Fill the hull and draw its strands in tufts of like tone, then a few shining ones where the hair bends."""
    if lock.hull:
        canvas.fill(pose.hang(lock.outline(), lock.depth), sheen(colour, 0.66 * lit))
    count = int(1.7 * lock.strands)
    across = rng.random(count)
    tuft = (
        np.sin(across * rng.uniform(16, 26) + rng.uniform(0, 6)) * 0.5 + np.sin(across * 51 + rng.uniform(0, 6)) * 0.3
    )
    level = np.clip((tuft + rng.normal(0, 0.42, count) + 1) / 2 * len(TONES), 0, len(TONES) - 1).astype(int)
    pixels = pose.hang(lock.curves(across, rng), lock.depth)
    # Broad strands first, as a body; over them fine ones.
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
    """Single strands that leave the lock's outer (first) guide: fine hair that belongs to the person."""
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
    """Ringlets at points (k, 2): open rings in the tones of the hair."""
    if not len(points):
        return
    turn = rng.uniform(0, 2 * np.pi, (len(points), 1)) + np.linspace(0, 5.2, 10)[None]
    radius = size * rng.uniform(0.45, 1.1, (len(points), 1)) * np.linspace(1.0, 0.5, 10)[None]
    rings = points[:, None] + np.stack([np.cos(turn), np.sin(turn) * 0.9], -1) * radius[..., None]
    pixels = pose.hang(rings, depth)
    level = rng.integers(0, len(TONES), len(points))
    for k in (0, 3, 1, 4, 2, 5, 6):
        canvas.strokes(pixels[level == k], sheen(colour, TONES[k]), max(1.0, 0.02 * pose.unit))
