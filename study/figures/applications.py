"""Figure 9: applications of a portrait mask, and the backgrounds and styles that they use.

Pictures are uint8 (H, W, 3) RGB.
"""

import cv2
import numpy as np
from PIL import Image

from bsn.cutout import effects
from bsn.cutout.cutout import Cutout
from study.figures.material import Material
from study.figures.sheet import Picture, cell_width, grid, scaled

_ROWS = 2


def draw(material: Material) -> tuple[Image.Image, str]:
    """Each effect on the PFCN test photos that BSN segments best."""
    scores = material.scores("bsn", "pfcn").loc[:, "iou"]
    best = [str(photo) for photo in scores.sort_values(ascending=False, kind="stable").index[:_ROWS]]
    cutouts = [material.cutout("bsn", "pfcn", photo) for photo in best]
    rows = [[_cell(cutout.photo), *map(_cell, applied(cutout).values())] for cutout in cutouts]
    caption = (
        "Applications of BSN's masks, with the matting of `python -m bsn segment`: background replacement, depth of "
        f"field, cartoon and stylisation. Photos: those with BSN's highest IoU, {' and '.join(best)}."
    )
    return grid(rows, heads=["Photo", *applied(cutouts[0])]), caption


def applied(cutout: Cutout) -> dict[str, Picture]:
    """Name of each effect -> the photo with it, at the photo's size."""
    front, behind, alpha = cutout.foreground, cutout.background, cutout.alpha
    pairs = {
        "Background replaced": (front, evening(*alpha.shape)),
        "Depth of field": (front, effects.out_of_focus(behind, alpha)),
        "Cartoon": (effects.cartoon(front), sunburst(*alpha.shape)),
        "Stylised": (painting(front), pencil(behind)),
    }
    return {name: effects.composite(above, alpha, below) for name, (above, below) in pairs.items()}


def evening(height: int, width: int) -> np.ndarray:
    """Evening sky with defocused lights; the same picture at every call."""
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    top, middle, low = np.array([[[38, 50, 92]], [[196, 112, 130]], [[255, 186, 118]]], np.float32)
    sky = np.where(down < 0.55, top + (middle - top) * down / 0.55, middle + (low - middle) * (down - 0.55) / 0.45)
    sky = np.repeat(sky, width, axis=1)
    draw = np.random.default_rng(7)
    for _ in range(46):
        centre = int(draw.integers(width)), int(height * draw.uniform(0.3, 1))
        light = np.zeros((height, width), np.float32)
        cv2.circle(light, centre, int(height * draw.uniform(0.012, 0.045)), 1.0, -1, cv2.LINE_AA)
        sky += light[..., None] * np.array([90, 70, 42], np.float32) * np.float32(draw.uniform(0.25, 0.8))
    return np.rint(cv2.GaussianBlur(np.clip(sky, 0, 255), (0, 0), height / 400)).astype(np.uint8)


def sunburst(height: int, width: int) -> np.ndarray:
    """Rays of two plain tones."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    turn = np.arctan2(y - 0.45 * height, x - 0.5 * width) / (2 * np.pi) * 16
    # The edge of a ray is as soft as one pixel.
    wave = np.clip(np.sin(2 * np.pi * turn) * np.hypot(y - 0.45 * height, x - 0.5 * width) / 16, -1, 1)
    share = (wave[..., None] + 1) / 2
    light, dark = np.array([[255, 205, 86], [255, 186, 60]], np.float32)
    return np.rint(share * light + (1 - share) * dark).astype(np.uint8)


def painting(foreground: np.ndarray) -> np.ndarray:
    """Oil-painting look: smoothed areas with enhanced details."""
    smooth = cv2.edgePreservingFilter(foreground, sigma_s=40, sigma_r=0.35)
    return cv2.detailEnhance(smooth, sigma_s=12, sigma_r=0.12)


def pencil(background: np.ndarray) -> np.ndarray:
    """Pencil lines of a picture on cream paper."""
    grey = cv2.cvtColor(background, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # Dodging a grey photo with its own blur leaves its lines, as pencil strokes.
    strokes = np.maximum(1 - grey / np.maximum(cv2.GaussianBlur(grey, (0, 0), 6), 1), 0)
    paper = np.array([250, 246, 236], np.float32)
    return np.rint(np.maximum(1 - 1.6 * strokes, 0)[..., None] * paper).astype(np.uint8)


def _cell(picture: Picture) -> Picture:
    width = cell_width(5)
    return scaled(picture, (width, width * 4 // 3))
