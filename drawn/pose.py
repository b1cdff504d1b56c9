"""Where a head is and how it is turned.

Head coordinates: origin between the eyes, one unit = the distance between the eyes, x to the image's right,
y down, z towards the viewer.
"""

from dataclasses import dataclass

import numpy as np

HEAD_WIDTH, HEAD_HEIGHT, HEAD_DEPTH, HEAD_CENTRE = 1.32, 2.05, 1.15, 0.12


def surface(points: np.ndarray) -> np.ndarray:
    """Depth z of the head's ellipsoid at points (..., 2); 0 at and outside its outline."""
    x, y = points[..., 0] / HEAD_WIDTH, (points[..., 1] - HEAD_CENTRE) / HEAD_HEIGHT
    return HEAD_DEPTH * np.sqrt(np.maximum(1 - x * x - y * y, 0))


ORIGIN_DEPTH = float(surface(np.zeros(2)))


@dataclass(frozen=True)
class Pose:
    """Pixel (x, y) between the eyes, pixels per unit, and the head's angles in radians."""

    x: float
    y: float
    unit: float
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    lean: float = 0.0  # of the body
    turn: float = 0.0  # of the shoulders, -1..1: the side that comes nearer

    def flat(self, points: np.ndarray, z: np.ndarray | float | None = None) -> np.ndarray:
        """Turned head coordinates (..., 2), before roll, scale and place; z None means on the surface."""
        points = np.asarray(points, float)
        z = surface(points) if z is None else z
        out = points * (np.cos(self.yaw), np.cos(self.pitch))
        depth = np.broadcast_to(z, points.shape[:-1]) - ORIGIN_DEPTH
        out[..., 0] += depth * np.sin(self.yaw)
        out[..., 1] += depth * np.sin(self.pitch)
        return out

    def place(self, flat: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of turned head coordinates."""
        return flat @ _turn(self.roll, self.unit) + (self.x, self.y)

    def head(self, points: np.ndarray, z: np.ndarray | float | None = None) -> np.ndarray:
        """Pixels (..., 2) of head coordinates."""
        return self.place(self.flat(points, z))

    def hang(self, points: np.ndarray, depth: float = 1.0) -> np.ndarray:
        """Pixels of hair: it turns with the head, but what hangs below the chin hangs straight down."""
        points = np.asarray(points, float)
        pixels = self.head(points, surface(points) * depth)
        loose = np.clip((points[..., 1:] - 0.9) / 2.0, 0, 1)
        return pixels + loose * 0.75 * (self.body(points) - pixels)

    def body(self, points: np.ndarray) -> np.ndarray:
        """Pixels of body coordinates: as head coordinates, hung from the neck, leaning and turned on their own."""
        points = np.asarray(points, float)
        neck = self.head(np.array([0.0, 1.1]), -0.1)
        away = points - (0.0, 1.1)
        away[..., 0] *= 1 + 0.13 * self.turn * np.sign(away[..., 0])
        return away @ _turn(self.lean, self.unit) + neck


def _turn(angle: float, scale: float) -> np.ndarray:
    """Matrix that turns and scales row vectors."""
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    return np.array([[cos, sin], [-sin, cos]])
