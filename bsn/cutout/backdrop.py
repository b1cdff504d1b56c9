"""What a portrait is put in front of: a plain colour, or another picture."""

import os
from collections.abc import Callable

import cv2
import numpy as np
from PIL import ImageColor

from bsn.errors import InputError
from bsn.photos import read_upright

# From (height, width) to uint8 (H, W, 3) RGB.
Backdrop = Callable[[int, int], np.ndarray]


def backdrop(text: str) -> Backdrop:
    """A picture's path, or a colour as CSS writes it: white, #00b140, rgb(0,177,64).

    A picture fills the photo: it keeps its shape, and what is too much is cut off evenly on two sides.
    Raises InputError for what is neither, and for a picture that can't be read.
    """
    if os.path.isfile(text):
        picture = read_upright(text).pixels
        return lambda height, width: _fill(picture, height, width)
    try:
        colour = ImageColor.getrgb(text)
    except ValueError:
        colour = ()
    if len(colour) != 3:
        raise InputError(
            f"background = {text!r} is neither a picture that is there nor a colour; "
            "colours are written as white, #00b140 or rgb(0,177,64)"
        )
    return lambda height, width: np.full((height, width, 3), colour, np.uint8)


def _fill(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    scale = max(height / picture.shape[0], width / picture.shape[1])
    rows, columns = min(round(height / scale), picture.shape[0]), min(round(width / scale), picture.shape[1])
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    middle = picture[top : top + max(rows, 1), left : left + max(columns, 1)]
    return cv2.resize(middle, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
