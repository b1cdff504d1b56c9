"""What a matte and the two layers of a photo make: all in uint8 RGB, at the photo's own size.

None of it takes the photo's own pixels at the edge, where the old background is mixed in and would shine as a halo.
"""

import cv2
import numpy as np

from bsn.cutout.matting import frame_scale, shrunk_size

# Radius of a point of light out of focus, over the photo's longer side.
APERTURE = 0.02
_TONES = 7  # steps of lightness in a cartoon


def grey(alpha: np.ndarray) -> np.ndarray:
    """A matte as a picture, (H, W) uint8."""
    return np.rint(255 * alpha).astype(np.uint8)


def cut_out(foreground: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """RGBA, (H, W, 4): the colours are the portrait's own, as straight (not premultiplied) alpha asks for."""
    return np.dstack([foreground, grey(alpha)])


def composite(foreground: np.ndarray, alpha: np.ndarray, background: np.ndarray) -> np.ndarray:
    """alpha * foreground + (1 - alpha) * background. Colours uint8 (H, W, 3), alpha float32 (H, W)."""
    return cv2.blendLinear(foreground, background, np.ascontiguousarray(alpha), 1 - alpha)


def out_of_focus(background: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The background as by a wide aperture, (H, W, 3); nothing of the portrait's colours leaks into it.

    On at most MATTE_PIXELS: nothing sharp is left to be lost.
    """
    height, width = alpha.shape
    size = shrunk_size(height, width)
    # Lenses blur light, not its gamma-coded value: highlights grow into discs.
    light = cv2.resize((background.astype(np.float32) / 255) ** 2.2, size, interpolation=cv2.INTER_AREA)
    seen = np.maximum(1 - cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), 1e-3)
    reach = max(1, round(APERTURE * max(size)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)).astype(np.float32)
    light = cv2.filter2D(light * seen[..., None], -1, disc) / cv2.filter2D(seen, -1, disc)[..., None]
    coded = np.rint(255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    return cv2.resize(coded, (width, height), interpolation=cv2.INTER_LINEAR)


def cartoon(foreground: np.ndarray) -> np.ndarray:
    """Flat colours and dark lines, (H, W, 3).

    Colours are smoothed on at most MATTE_PIXELS; the steps of lightness and the lines are made at full size, as sharp
    as those of a small photo.
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
    """Flat tones with short ramps between them, so that no noise shows at the steps."""
    step, rest = np.divmod(tone * _TONES, 1)
    return (step + 1 / (1 + np.exp(-12 * (rest - 0.5)))) / _TONES


def _ink(tone: np.ndarray, scale: float) -> np.ndarray:
    """Near 0 on dark lines, 1 on plain areas, float32 (H, W): difference of Gaussians of a tone in 0..1."""
    fine, coarse = (cv2.GaussianBlur(tone, (0, 0), sigma * scale) for sigma in (1.2, 2.4))
    return 0.15 + 0.85 * (1 + np.tanh(90 * np.minimum(fine - 0.98 * coarse, 0)))
