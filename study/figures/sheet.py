"""White sheets that photos and words are laid out on, at whole pixels: sharp, and the same bytes every time."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from study.figures.palette import INK, MUTED, PALE

WIDTH = 1400
GAP = 14
MARGIN = 24
HEAD = 26
SMALL = 22
_CORNER = 10

Picture = np.ndarray
"""uint8 (H, W, 3) RGB."""


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Aileron, the typeface that comes inside Pillow: no font has to be installed."""
    return ImageFont.load_default(size)


def scaled(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at (width, height), cropped around its middle where the proportions differ."""
    height, width = picture.shape[:2]
    factor = max(size[0] / width, size[1] / height)
    across, down = min(width, round(size[0] / factor)), min(height, round(size[1] / factor))
    left, top = (width - across) // 2, (height - down) // 2
    cut = picture[top : top + down, left : left + across]
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(cut, size, interpolation=smooth)


def blank(words: str, size: tuple[int, int]) -> Picture:
    """A pale (width, height) cell that says why there is no picture in it."""
    image = Image.new("RGB", size, PALE)
    ImageDraw.Draw(image).text((size[0] / 2, size[1] / 2), words, MUTED, font(SMALL), anchor="mm")
    return np.asarray(image)


def tagged(picture: Picture, words: str) -> Picture:
    """The picture with a few words on a dark chip in its lower left corner."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    x, y = 10, image.height - 10
    left, top, right, bottom = draw.textbbox((x + 9, y - 8), words, font=font(SMALL), anchor="lb")
    draw.rounded_rectangle((left - 9, top - 7, right + 9, bottom + 8), 7, INK)
    draw.text((x + 9, y - 8), words, "white", font(SMALL), anchor="lb")
    return np.asarray(image)


def grid(rows: Sequence[Sequence[Picture]], *, heads: Sequence[str] = (), titles: Sequence[str] = ()) -> Image.Image:
    """Rows of pictures: a heading over each column, a title over each row.

    The pictures of a row have one height; each row is centred on a sheet as wide as the widest.
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
    """A sheet that says why there is no figure."""
    sheet = Image.new("RGB", (WIDTH, 220), PALE)
    ImageDraw.Draw(sheet).text((WIDTH / 2, 110), words, MUTED, font(30), anchor="mm")
    return sheet


def cell_width(columns: int, width: int = WIDTH) -> int:
    """Width of one of so many equal cells on a sheet."""
    return (width - 2 * MARGIN - GAP * (columns - 1)) // columns


@cache
def _rounded(width: int, height: int) -> Image.Image:
    """An alpha mask with smooth round corners, drawn four times as large."""
    mask = Image.new("L", (4 * width, 4 * height), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), 4 * _CORNER, 255)
    return mask.resize((width, height), Image.Resampling.BOX)
