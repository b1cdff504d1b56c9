"""Figures 7 to 9: boundaries magnified, trimaps of BSN's masks, and applications by matting.

Pictures are uint8 (H, W, 3) RGB.
"""

import cv2
import numpy as np
from PIL import Image, ImageDraw

from bsn.cutout import effects
from bsn.cutout.cutout import Cutout
from study.figures.material import Material, evenly_spaced
from study.figures.sheet import (
    GAP,
    MARGIN,
    WIDTH,
    Picture,
    faded_background,
    grid,
    outlined,
    portrait_size,
)
from study.paper import METHODS

COLUMNS = ("portrait_fcn", "portrait_deeplab", "bsn_ac", "bsn")  # of Figure 7
_BOUNDARY_ROWS = 3
_WINDOW = 0.2  # side, as a share of the photo's height
_TRIMAP_COLUMNS = 6


_APPLICATION_ROWS = 2


def draw_boundaries(material: Material) -> tuple[Image.Image, str]:
    """Figure 7: the three test photos with the largest disagreement inside one window on the true contour."""
    ids = material.ids("pfcn")
    for method in COLUMNS:
        material.need(method, "pfcn")
    windows = {photo: _most_disputed(material, photo) for photo in ids}
    shown = sorted(ids, key=lambda photo: -windows[photo][0])[:_BOUNDARY_ROWS]
    rows = [_boundary_row(material, photo, window=windows[photo][1]) for photo in shown]
    caption = (
        "Magnified boundaries: the windows of the PFCN test photos where the four methods disagree on the most pixels "
        "within 10 pixels of the true contour (orange line), one window per photo. "
        f"Photos: {', '.join(shown)}."
    )
    return grid(rows, heads=["", "Photo", *(METHODS[method] for method in COLUMNS)]), caption


def draw_trimaps(material: Material) -> tuple[Image.Image, str]:
    """Figure 8: photos above their trimaps, portrait white, background black, unknown grey."""
    ids = material.ids("pfcn")
    material.need("bsn", "pfcn")
    size = portrait_size(_TRIMAP_COLUMNS)
    cutouts = [material.cutout("bsn", "pfcn", photo) for photo in evenly_spaced(ids, _TRIMAP_COLUMNS)]
    photos = [effects.cropped_to_fill(cutout.photo, size) for cutout in cutouts]
    trimaps = [effects.cropped_to_fill(np.dstack([cutout.trimap] * 3), size) for cutout in cutouts]
    caption = (
        "Trimaps for image matting, as `python -m bsn segment --trimap --band "
        f"{material.kernel_width:g}` writes them, from BSN's masks of PFCN test "
        f"photos evenly spread over the list. Unknown (grey): the predicted contour, {material.kernel_width:g} pixels "
        "wide on an 800x600 photo, as in training."
    )
    return grid([photos, trimaps]), caption


def _most_disputed(material: Material, photo: str) -> tuple[float, tuple[int, int, int]]:
    """The window with the most disputed pixels: their number, and its left, top and side in pixels."""
    mask = material.mask("pfcn", photo)
    votes = sum(material.prediction(method, "pfcn", photo) for method in COLUMNS)
    portrait = (mask == 1).astype(np.uint8)
    near = cv2.morphologyEx(portrait, cv2.MORPH_GRADIENT, np.ones((21, 21), np.uint8))
    disputed = ((votes % len(COLUMNS) != 0) & (near > 0) & (mask != 255)).astype(np.float32)
    side = round(_WINDOW * mask.shape[0])
    sums = cv2.boxFilter(disputed, -1, (side, side), anchor=(0, 0), normalize=False)
    sums = sums[: mask.shape[0] - side + 1, : mask.shape[1] - side + 1]
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    return float(sums[top, left]), (int(left), int(top), side)


def _boundary_row(material: Material, photo: str, *, window: tuple[int, int, int]) -> list[Picture]:
    image, mask = material.photo("pfcn", photo), material.mask("pfcn", photo)
    left, top, side = window
    # One whole photo (3:4) and the squares share the row.
    height = int((WIDTH - 2 * MARGIN - (1 + len(COLUMNS)) * GAP) / (0.75 + 1 + len(COLUMNS)))
    whole = Image.fromarray(effects.cropped_to_fill(image, (height * 3 // 4, height)))
    scale = height / image.shape[0]
    frame = [scale * edge for edge in (left, top, left + side, top + side)]
    ImageDraw.Draw(whole).rectangle(frame, None, "white", 3)
    cut = slice(top, top + side), slice(left, left + side)
    pictures = [image[cut], *(faded_background(image, material.prediction(m, "pfcn", photo))[cut] for m in COLUMNS)]
    truth = (mask[cut] == 1).astype(np.float32)
    truth = cv2.resize(truth, (height, height), interpolation=cv2.INTER_LINEAR) > 0.5
    squares = [effects.cropped_to_fill(picture, (height, height)) for picture in pictures]
    return [np.asarray(whole), squares[0], *(outlined(square, truth, thickness=2) for square in squares[1:])]


def draw_applications(material: Material) -> tuple[Image.Image, str]:
    """Figure 9: each effect on the PFCN test photos that BSN segments best."""
    scores = material.scores("bsn", "pfcn").loc[:, "iou"]
    best = [str(photo) for photo in scores.sort_values(ascending=False, kind="stable").index[:_APPLICATION_ROWS]]
    cutouts = [material.cutout("bsn", "pfcn", photo) for photo in best]
    rows = [[_cell(cutout.photo), *map(_cell, applied(cutout).values())] for cutout in cutouts]
    caption = (
        f"Applications of BSN's masks, with the matting of `python -m bsn segment --band {material.kernel_width:g}`: "
        "background replacement, depth of field, cartoon and stylisation. Photos: those with BSN's highest IoU, "
        f"{' and '.join(best)}."
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
    return effects.cropped_to_fill(picture, portrait_size(5))
