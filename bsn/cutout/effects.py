"""Pictures made from the matte and the layers of a photo: cut-out, composite, blurred background, cartoon.

They use the estimated layers instead of the photo, whose pixels at the portrait's edge contain the old background and
would show it as a halo.
"""

import os
from collections.abc import Callable

import cv2
import numpy as np
from PIL import ImageColor

from bsn.cutout.matting import frame_scale, shrunk_size
from bsn.errors import InputError
from bsn.photos import read_upright

APERTURE = 0.02  # radius of a point of light out of focus, over the photo's longer side
_TONES = 7  # steps of lightness in a cartoon

# Function from (height, width) to a background of that size, (H, W, 3) uint8 RGB.
Backdrop = Callable[[int, int], np.ndarray]


def grey(alpha: np.ndarray) -> np.ndarray:
    """Convert a matte, (H, W) float in 0..1, to a grey picture, (H, W) uint8."""
    return np.rint(255 * alpha).astype(np.uint8)


def cut_out(foreground: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Join the portrait's colours and opacity.

    Args:
        foreground: (H, W, 3) uint8 RGB.
        alpha: (H, W) float32 in 0..1.

    Returns:
        (H, W, 4) uint8 RGBA, with straight (not premultiplied) alpha.
    """
    return np.dstack([foreground, grey(alpha)])


def composite(foreground: np.ndarray, alpha: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Put the portrait on a background: alpha * foreground + (1 - alpha) * background.

    Args:
        foreground: (H, W, 3) uint8 RGB.
        alpha: (H, W) float32 in 0..1.
        background: (H, W, 3) uint8 RGB.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    return cv2.blendLinear(foreground, background, np.ascontiguousarray(alpha), 1 - alpha)


def backdrop(text: str) -> Backdrop:
    """Read a new background.

    Args:
        text: path of a picture, which is scaled to cover the photo and cropped evenly on two sides; or a CSS colour:
            white, #00b140, rgb(0,177,64).

    Returns:
        Function that makes the background for a photo's (height, width).

    Raises:
        InputError: `text` is neither, or the picture cannot be read or has transparent pixels.
    """
    if os.path.isfile(text):
        found = read_upright(text)
        if found.opacity is not None:
            raise InputError(f"background = {text!r} has transparent pixels; save it without transparency")
        picture = found.pixels
        return lambda height, width: cropped_to_fill(picture, (width, height))
    try:
        colour = ImageColor.getrgb(text)
    except ValueError:
        colour = ()
    if len(colour) != 3 or max(colour) > 255:
        raise InputError(
            f"background = {text!r} is neither a file nor a colour; "
            "colours are written as white, #00b140 or rgb(0,177,64)"
        )
    return lambda height, width: np.full((height, width, 3), colour, np.uint8)


def cropped_to_fill(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture, (H, W, 3) uint8, to (width, height), cropped around the middle where the proportions differ."""
    height, width = picture.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    across, down = (min(full, max(1, round(part / scale))) for full, part in ((width, size[0]), (height, size[1])))
    left, top = (width - across) // 2, (height - down) // 2
    middle = picture[top : top + down, left : left + across]
    return cv2.resize(middle, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def out_of_focus(background: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Blur the background as a wide aperture does, without mixing the portrait's colours into it.

    Computed on at most 800x600 pixels, since the result has no detail that needs more.

    Args:
        background: (H, W, 3) uint8 RGB.
        alpha: (H, W) float32 in 0..1, opacity of the portrait.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = alpha.shape
    size = shrunk_size(height, width)
    # Lenses blur linear light, not gamma-coded values: highlights grow into discs.
    light = cv2.resize((background.astype(np.float32) / 255) ** 2.2, size, interpolation=cv2.INTER_AREA)
    seen = np.maximum(1 - cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), 1e-3)
    reach = max(1, round(APERTURE * max(size)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)).astype(np.float32)
    light = cv2.filter2D(light * seen[..., None], -1, disc) / cv2.filter2D(seen, -1, disc)[..., None]
    coded = np.rint(255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    return cv2.resize(coded, (width, height), interpolation=cv2.INTER_LINEAR)


def cartoon(foreground: np.ndarray) -> np.ndarray:
    """Draw the portrait in flat colours with dark lines.

    Colours are smoothed on at most 800x600 pixels; lightness steps and lines are computed at full size and stay sharp.

    Args:
        foreground: (H, W, 3) uint8 RGB.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = foreground.shape[:2]
    scale = max(1.0, frame_scale(height, width))
    small = cv2.resize(foreground, shrunk_size(height, width), interpolation=cv2.INTER_AREA)
    for _ in range(4):
        small = cv2.bilateralFilter(small, 9, 30, 9)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    if small.shape != foreground.shape:
        lab = cv2.resize(lab, (width, height), interpolation=cv2.INTER_CUBIC)
    ink = _ink(lab[..., 0] / 100, scale)
    lab[..., 0] = 100 * _staircase(lab[..., 0] / 100) * ink
    lab[..., 1:] *= 1.15 * ink[..., None]
    return np.rint(255 * np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)).astype(np.uint8)


def _staircase(tone: np.ndarray) -> np.ndarray:
    """Quantise tones in 0..1, with short ramps between the steps, which hide noise there."""
    step, rest = np.divmod(tone * _TONES, 1)
    return (step + 1 / (1 + np.exp(-12 * (rest - 0.5)))) / _TONES


def _ink(tone: np.ndarray, scale: float) -> np.ndarray:
    """0.15 on dark lines and 1 on plain areas, (H, W) float32: difference of Gaussians of a tone in 0..1."""
    fine, coarse = (cv2.GaussianBlur(tone, (0, 0), sigma * scale) for sigma in (1.2, 2.4))
    return 0.15 + 0.85 * (1 + np.tanh(90 * np.minimum(fine - 0.98 * coarse, 0)))
