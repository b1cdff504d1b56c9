"""Figure 9's stylisation, of layers that the matte has parted: uint8 (H, W, 3) RGB in and out."""

import cv2
import numpy as np


def painting(foreground: np.ndarray) -> np.ndarray:
    """Smooth areas with their details brought out, as in oil."""
    smooth = cv2.edgePreservingFilter(foreground, sigma_s=40, sigma_r=0.35)
    return cv2.detailEnhance(smooth, sigma_s=12, sigma_r=0.12)


def pencil(background: np.ndarray) -> np.ndarray:
    """The lines of a picture on cream paper."""
    grey = cv2.cvtColor(background, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # Dodging a grey photo with its own blur leaves its lines, as pencil strokes.
    strokes = np.maximum(1 - grey / np.maximum(cv2.GaussianBlur(grey, (0, 0), 6), 1), 0)
    paper = np.float32([250, 246, 236])
    return np.rint(np.maximum(1 - 1.6 * strokes, 0)[..., None] * paper).astype(np.uint8)
