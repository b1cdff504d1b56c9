"""Drawing of figures: colours, sheets of pictures and words at whole pixels, and masks shown on photos.

Pictures are uint8 (H, W, 3) RGB, masks (H, W) with the portrait where 1.
"""

from collections.abc import Sequence
from functools import cache
from typing import cast

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Picture = np.ndarray
"""uint8 (H, W, 3) RGB."""

INK = "#1f2933"
MUTED = "#667483"
PALE = "#eef1f4"

# The paper's three classes, as RGB.
FOREGROUND = (27, 154, 170)
BOUNDARY = (255, 138, 61)
BACKGROUND = (31, 45, 66)

SET_COLOURS = {"coco": "#0072b2", "cocostuff": "#009e73", "voc": "#d55e00"}
# Okabe and Ito's, which colour-blind readers can tell apart.
METHOD_COLOURS = {
    "graph_cut": "#999999",
    "portrait_fcn": "#e69f00",
    "portrait_deeplab": "#0072b2",
    "bsn_ac": "#009e73",
    "bsn_gk": "#cc79a7",
    "bsn_ik": "#d55e00",
    "bsn": INK,
}
# BSN_AC equals PortraitDeepLabv2 in phase one: dashed, it does not hide that line.
METHOD_DASHES = {"bsn_ac": (0, (3, 2.2))}

# Pixels of a sheet, its spaces and its type.
WIDTH = 1400
GAP = 14
MARGIN = 24
HEAD = 26
SMALL = 22
_CORNER = 10
_PAPER = np.float32(246)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Aileron, the typeface inside Pillow, so that no font has to be installed."""
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


def blank(words: str, size: tuple[int, int]) -> Picture:
    """Pale (width, height) cell with the reason why it shows no picture."""
    image = Image.new("RGB", size, PALE)
    ImageDraw.Draw(image).text((size[0] / 2, size[1] / 2), words, MUTED, font(SMALL), anchor="mm")
    return np.asarray(image)


def tagged(picture: Picture, words: str) -> Picture:
    """The picture with a short label on a dark ground in its lower left corner."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    x, y = 10, image.height - 10
    left, top, right, bottom = draw.textbbox((x + 9, y - 8), words, font=font(SMALL), anchor="lb")
    draw.rounded_rectangle((left - 9, top - 7, right + 9, bottom + 8), 7, INK)
    draw.text((x + 9, y - 8), words, "white", font(SMALL), anchor="lb")
    return np.asarray(image)


def grid(rows: Sequence[Sequence[Picture]], *, heads: Sequence[str] = (), titles: Sequence[str] = ()) -> Image.Image:
    """Lay out rows of pictures, with a heading over each column and a title over each row.

    Args:
        rows: pictures; those of one row have the same height. Each row is centred.
        heads: one per column, or none.
        titles: one per row, or none.

    Returns:
        A sheet as wide as its widest row and the margins.
    """
    lines = [sum(cell.shape[1] for cell in row) + GAP * (len(row) - 1) for row in rows]
    head = HEAD + 22 if heads else 0
    title = SMALL + 24 if titles else 0
    height = head + sum(title + row[0].shape[0] for row in rows) + GAP * (len(rows) - 1)
    sheet = Image.new("RGB", (max(lines) + 2 * MARGIN, height + 2 * MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    y = MARGIN + head
    for number, row in enumerate(rows):
        x = MARGIN + (max(lines) - lines[number]) // 2
        if titles:
            draw.text((x, y + title / 2), titles[number], MUTED, font(SMALL), anchor="lm")
            y += title
        for column, cell in enumerate(row):
            if heads and not number:
                draw.text((x + cell.shape[1] / 2, MARGIN + head / 2 - 8), heads[column], INK, font(HEAD), anchor="mm")
            sheet.paste(Image.fromarray(cell), (x, y), _rounded(cell.shape[1], cell.shape[0]))
            x += cell.shape[1] + GAP
        y += row[0].shape[0] + GAP
    return sheet


def notice(words: str) -> Image.Image:
    """Sheet with the reason why a figure was not drawn."""
    sheet = Image.new("RGB", (WIDTH, 220), PALE)
    ImageDraw.Draw(sheet).text((WIDTH / 2, 110), words, MUTED, font(30), anchor="mm")
    return sheet


def cell_width(columns: int) -> int:
    """Width in pixels of one cell where `columns` equal cells share a sheet."""
    return (WIDTH - 2 * MARGIN - GAP * (columns - 1)) // columns


def portrait_size(columns: int) -> tuple[int, int]:
    """(width, height) in pixels of one 3:4 cell where `columns` equal cells share a sheet."""
    width = cell_width(columns)
    return width, width * 4 // 3


def faded_background(photo: Picture, mask: np.ndarray) -> Picture:
    """The photo with everything but the portrait faded to near white."""
    alpha = _portrait(mask).astype(np.float32)[..., None]
    faded = 0.12 * photo + 0.88 * _PAPER
    return np.rint(alpha * photo + (1 - alpha) * faded).astype(np.uint8)


def outlined(photo: Picture, mask: np.ndarray, *, thickness: int) -> Picture:
    """The photo with the mask's contour as an anti-aliased line, `thickness` pixels of the photo wide."""
    contours, _ = cv2.findContours(_portrait(mask).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    lines = [line for contour in contours for line in _inside(contour, mask.shape)]
    return cv2.polylines(photo.copy(), lines, False, BOUNDARY, thickness, cv2.LINE_AA)


def silhouette(mask: np.ndarray) -> Picture:
    """A mask or mean mask in 0..1, as a blend of the background's and the foreground's colour."""
    share = np.asarray(mask, np.float32)[..., None]
    portrait, outside = np.array([FOREGROUND, BACKGROUND], np.float32)
    mixed = share * portrait + (1 - share) * outside
    return np.rint(mixed).astype(np.uint8)


@cache
def _rounded(width: int, height: int) -> Image.Image:
    """An alpha mask with smooth round corners, drawn four times as large."""
    mask = Image.new("L", (4 * width, 4 * height), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), 4 * _CORNER, 255)
    return mask.resize((width, height), Image.Resampling.BOX)


def _portrait(mask: np.ndarray) -> np.ndarray:
    """bool (H, W), true where the mask is 1. Refuses a mask of 0 and 255, on which nothing would show."""
    portrait = mask == 1
    if not portrait.any() and (mask == 255).any():
        raise ValueError("the mask has no portrait (1) and only ignored pixels (255); divide a prediction's PNG by 255")
    return portrait


def _inside(contour: np.ndarray, shape: tuple[int, int]) -> list[np.ndarray]:
    """The parts of a closed contour that do not run along the photo's edge."""
    points = contour[:, 0]
    height, width = shape
    edge = (points[:, 0] == 0) | (points[:, 0] == width - 1) | (points[:, 1] == 0) | (points[:, 1] == height - 1)
    if not edge.any():
        return [np.vstack([points, points[:1]])]
    first = int(np.flatnonzero(edge)[0])
    points, edge = np.roll(points, -first, axis=0), np.roll(edge, -first)
    runs = np.split(np.arange(len(points)), np.flatnonzero(np.diff(edge.astype(np.int8))) + 1)
    return [points[run] for run in runs if not edge[run[0]]]
