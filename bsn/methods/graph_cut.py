"""Graph-cut baseline of Table 1 (Boykov and Jolly 2001), with the aligned mean mask as the prior."""

import cv2
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

_UNITS = 1000  # integer capacities per nat
_CELLS = 2**21  # maximum of a grid: a photo of 1x20000 at 160 rows would exceed any machine's memory
_MARGIN = 1e-3  # the prior is clipped to this distance from 0 and 1


def graph_cut(photo: np.ndarray, prior: np.ndarray, *, smoothness: float, contrast: float, height: int) -> np.ndarray:
    """Segment one photo by minimising an energy of the mask m:

        E(m) = sum of -log P(m) over pixels
             + smoothness * sum of [m differs] exp(-contrast |dI|^2 / 2 sigma^2) over neighbours

    P is the prior, dI the difference of two neighbours' colours, and sigma^2 the mean of |dI|^2. scipy's maximum flow
    finds the exact minimum, a cut of the 4-connected grid.

    Args:
        photo: (H, W, 3) uint8 RGB.
        prior: P, (H, W) float32 in 0..1, probability of portrait.
        smoothness: weight of the pairwise term.
        contrast: factor in the exponent of the pairwise term.
        height: rows of the grid; fewer for a very wide photo.

    Returns:
        (H, W) uint8 {0, 1}, resized from the grid.
    """
    width = photo.shape[1] * height / photo.shape[0]
    scale = min(1.0, (_CELLS / (width * height)) ** 0.5)
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    image = cv2.resize(photo, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    probability = np.clip(cv2.resize(prior, size, interpolation=cv2.INTER_AREA), _MARGIN, 1 - _MARGIN)
    mask = _minimum_cut(image, np.log(probability / (1 - probability)), smoothness, contrast)
    full = cv2.resize(mask.astype(np.float32), photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return (full > 0.5).astype(np.uint8)


def _minimum_cut(image: np.ndarray, log_odds: np.ndarray, smoothness: float, contrast: float) -> np.ndarray:
    """Mask (h, w) bool; the portrait is the source's side of the cut."""
    node = np.arange(log_odds.size).reshape(log_odds.shape)
    source, sink = log_odds.size, log_odds.size + 1
    left, right = node[:, :-1].ravel(), node[:, 1:].ravel()
    upper, lower = node[:-1].ravel(), node[1:].ravel()
    first, second = np.concatenate([left, upper]), np.concatenate([right, lower])
    pixels = image.reshape(-1, image.shape[-1])
    squared = ((pixels[first] - pixels[second]) ** 2).sum(axis=1)
    spread = max(2 * float(squared.mean()), 1e-6)
    bond = smoothness * np.exp(-contrast * squared / spread)

    odds = log_odds.ravel()
    portrait, background = np.flatnonzero(odds > 0), np.flatnonzero(odds < 0)
    tails = np.concatenate([first, second, np.full(portrait.size, source), background])
    heads = np.concatenate([second, first, portrait, np.full(background.size, sink)])
    capacities = np.concatenate([bond, bond, odds[portrait], -odds[background]]) * _UNITS
    nodes = log_odds.size + 2
    graph = csr_array((np.rint(capacities).astype(np.int32), (tails, heads)), shape=(nodes, nodes))

    residual = graph - maximum_flow(graph, source, sink).flow
    residual.data[residual.data < 0] = 0
    residual.eliminate_zeros()
    side = np.zeros(nodes, bool)
    side[breadth_first_order(residual, source, return_predecessors=False)] = True
    return side[:-2].reshape(log_odds.shape)
