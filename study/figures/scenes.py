"""What Figure 9 puts behind a portrait: an evening and a sunburst. Both are uint8 (H, W, 3) RGB."""

import cv2
import numpy as np


def evening(height: int, width: int) -> np.ndarray:
    """An evening sky with lights out of focus, the same ones every time."""
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    top, middle, low = np.float32([[38, 50, 92]]), np.float32([[196, 112, 130]]), np.float32([[255, 186, 118]])
    sky = np.where(down < 0.55, top + (middle - top) * down / 0.55, middle + (low - middle) * (down - 0.55) / 0.45)
    sky = np.repeat(sky, width, axis=1)
    draw = np.random.default_rng(7)
    for _ in range(46):
        centre = int(draw.integers(width)), int(height * draw.uniform(0.3, 1))
        light = np.zeros((height, width), np.float32)
        cv2.circle(light, centre, int(height * draw.uniform(0.012, 0.045)), 1.0, -1, cv2.LINE_AA)
        sky += light[..., None] * np.float32([90, 70, 42]) * np.float32(draw.uniform(0.25, 0.8))
    return np.rint(cv2.GaussianBlur(np.clip(sky, 0, 255), (0, 0), height / 400)).astype(np.uint8)


def sunburst(height: int, width: int) -> np.ndarray:
    """Two plain tones in rays."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    turn = np.arctan2(y - 0.45 * height, x - 0.5 * width) / (2 * np.pi) * 16
    # The edge of a ray is as soft as one pixel.
    wave = np.clip(np.sin(2 * np.pi * turn) * np.hypot(y - 0.45 * height, x - 0.5 * width) / 16, -1, 1)
    share = (wave[..., None] + 1) / 2
    return np.rint(share * np.float32([255, 205, 86]) + (1 - share) * np.float32([255, 186, 60])).astype(np.uint8)
