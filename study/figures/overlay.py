"""Masks shown on photos. Photos are uint8 (H, W, 3) RGB, masks (H, W) portrait where 1."""

import cv2
import numpy as np

from study.figures.palette import BACKGROUND, BOUNDARY, FOREGROUND

_PAPER = np.float32(246)


def cutout(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The portrait as it is, all else faded to near white."""
    alpha = _portrait(mask).astype(np.float32)[..., None]
    faded = 0.12 * photo + 0.88 * _PAPER
    return np.rint(alpha * photo + (1 - alpha) * faded).astype(np.uint8)


def outlined(photo: np.ndarray, mask: np.ndarray, *, thickness: int, colour=BOUNDARY) -> np.ndarray:
    """The photo with the mask's contour drawn as a smooth line, `thickness` in pixels of the photo."""
    contours, _ = cv2.findContours(_portrait(mask).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    lines = [line for contour in contours for line in _inside(contour, mask.shape)]
    return cv2.polylines(photo.copy(), lines, False, colour, thickness, cv2.LINE_AA)


def silhouette(mask: np.ndarray) -> np.ndarray:
    """Mask, or a mean of masks, in 0..1 as a picture from the background's to the foreground's colour."""
    share = np.asarray(mask, np.float32)[..., None]
    mixed = share * np.float32(FOREGROUND) + (1 - share) * np.float32(BACKGROUND)
    return np.rint(mixed).astype(np.uint8)


def _portrait(mask: np.ndarray) -> np.ndarray:
    """Where the mask is 1. Raises ValueError for one of 0 and 255, such as a prediction's PNG: nothing would show."""
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
