"""Photo effects from a mask, for Figure 9. Photos are uint8 (H, W, 3) RGB; alpha is float32 (H, W) in 0..1."""

import cv2
import numpy as np


def soft_edge(photo: np.ndarray, mask: np.ndarray, *, radius: int = 8) -> np.ndarray:
    """Alpha of a hard mask (1 = portrait): a guided filter (He et al. 2010) lets the edge follow the photo.

    Only within `radius` of the contour: everywhere else the mask is believed.
    """
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    hard = (mask == 1).astype(np.float32)
    mean_grey, mean_hard = _mean(grey, radius), _mean(hard, radius)
    slope = (_mean(grey * hard, radius) - mean_grey * mean_hard) / (_mean(grey**2, radius) - mean_grey**2 + 1e-3)
    offset = mean_hard - slope * mean_grey
    alpha = np.clip(_mean(slope, radius) * grey + _mean(offset, radius), 0, 1)
    square = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    alpha = np.maximum(alpha, cv2.erode(hard, square))
    alpha = np.minimum(alpha, cv2.dilate(hard, square))
    # Steeper than the filter leaves it: a haze around the portrait looks worse than a crisp edge.
    return np.clip((alpha - 0.5) * 1.8 + 0.5, 0, 1)


def layers(photo: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Foreground and background colours behind the mixture at the edge, float32 in 0..255.

    Blur fusion (Forte 2021): each side's colour spreads under the other, and what the blurred mixture leaves
    unexplained goes to the foreground. Without it the old background shines as a halo.
    """
    image, share = photo.astype(np.float32), alpha[..., None]
    foreground, background = _spread(image, share, 31), _spread(image, 1 - share, 31)
    foreground += share * (image - share * foreground - (1 - share) * background)
    return np.clip(foreground, 0, 255), background


def composite(foreground: np.ndarray, background: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """alpha * foreground + (1 - alpha) * background, uint8."""
    share = alpha[..., None]
    return np.rint(np.clip(share * foreground + (1 - share) * background, 0, 255)).astype(np.uint8)


def replaced(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The portrait in front of an evening sky with lights out of focus."""
    return composite(layers(photo, alpha)[0], _evening(*alpha.shape), alpha)


def depth_of_field(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The background out of focus, as by a wide aperture; the portrait's colours do not leak into it."""
    foreground, background = layers(photo, alpha)
    reach = max(alpha.shape) // 50
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)).astype(np.float32)
    disc /= disc.sum()
    # Lenses blur light, not its gamma-coded value: highlights grow into discs.
    light = (background / 255) ** 2.2
    share = np.maximum(1 - alpha, 1e-3)
    blurred = cv2.filter2D(light * share[..., None], -1, disc) / cv2.filter2D(share, -1, disc)[..., None]
    return composite(foreground, 255 * np.clip(blurred, 0, 1) ** (1 / 2.2), alpha)


def cartoon(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Flat colours and dark lines for the portrait, two plain tones behind it."""
    smooth = _front(photo, alpha)
    for _ in range(4):
        smooth = cv2.bilateralFilter(smooth, 9, 30, 9)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
    tones = np.float32(lab[..., 0]) / 255
    steps = 7
    # A soft staircase: flat tones with short ramps between them, so that no noise shows at the steps.
    rest = tones * steps - np.floor(tones * steps)
    tones = (np.floor(tones * steps) + 1 / (1 + np.exp(-12 * (rest - 0.5)))) / steps
    lab[..., 0] = np.rint(255 * np.clip(tones, 0, 1))
    flat = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    hsv = cv2.cvtColor(flat, cv2.COLOR_RGB2HSV)
    hsv[..., 1] = np.clip(1.35 * hsv[..., 1].astype(np.float32), 0, 255)
    flat = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)
    return composite(flat * _ink(smooth)[..., None], _sunburst(*alpha.shape), alpha)


def stylised(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The portrait as a painting in front of a pencil drawing of its background."""
    smooth = cv2.edgePreservingFilter(_front(photo, alpha), sigma_s=40, sigma_r=0.35)
    painting = cv2.detailEnhance(smooth, sigma_s=12, sigma_r=0.12)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # Dodging a grey photo with its own blur leaves its lines, as pencil strokes.
    strokes = np.maximum(1 - grey / np.maximum(cv2.GaussianBlur(grey, (0, 0), 6), 1), 0)
    paper = np.float32([250, 246, 236])
    drawing = np.maximum(1 - 1.6 * strokes, 0)[..., None] * paper
    return composite(painting.astype(np.float32), drawing, alpha)


def _front(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The photo with its background's colours taken out of the edge, uint8."""
    return np.rint(layers(photo, alpha)[0]).astype(np.uint8)


def _mean(values: np.ndarray, radius: int) -> np.ndarray:
    return cv2.boxFilter(values, -1, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)


def _spread(image: np.ndarray, share: np.ndarray, radius: int) -> np.ndarray:
    """Local mean of the colours, weighted by `share`."""
    weight = _mean(np.ascontiguousarray(share[..., 0]), radius)[..., None]
    return _mean(image * share, radius) / np.maximum(weight, 1e-4)


def _ink(smooth: np.ndarray) -> np.ndarray:
    """Dark lines where the tone changes: difference of Gaussians, 1 on plain areas, float32 (H, W)."""
    grey = cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    difference = cv2.GaussianBlur(grey, (0, 0), 1.2) - 0.98 * cv2.GaussianBlur(grey, (0, 0), 2.4)
    return 0.15 + 0.85 * np.clip(1 + np.tanh(90 * np.minimum(difference, 0)), 0, 1)


def _evening(height: int, width: int) -> np.ndarray:
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
    return cv2.GaussianBlur(np.clip(sky, 0, 255), (0, 0), height / 400)


def _sunburst(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    turn = np.arctan2(y - 0.45 * height, x - 0.5 * width) / (2 * np.pi) * 16
    # The edge of a ray is as soft as one pixel.
    wave = np.clip(np.sin(2 * np.pi * turn) * np.hypot(y - 0.45 * height, x - 0.5 * width) / 16, -1, 1)
    share = (wave[..., None] + 1) / 2
    return share * np.float32([255, 205, 86]) + (1 - share) * np.float32([255, 186, 60])
