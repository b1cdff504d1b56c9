"""python -m benchmarks.metrics [FOLDER]: speed of all metrics of a photo at 800x600, relative to numpy and scipy.

IoU, the counts of the two-class mIoU, boundary IoU, boundary F and nine trimap bands from two masks in memory on one
core, for drawn portraits or the masks (PNG) of a folder. The peer gives the same numbers; both take turns.
"""

# The prediction is the portrait with a wavering edge. Void border: the target ignores 5 px along the contour, as in
# PASCAL VOC. Processor time, which other work on the machine changes less; the best round of each counts.

import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt

from bsn.metrics import BAND_WIDTHS, BOUNDARY_FRACTION, BOUNDARY_TOLERANCE, evaluate_photo
from bsn.photos import read_palette
from drawn.catalog import picture_of

PHOTOS, ROUNDS, GOAL = 12, 3, 40
Pair = tuple[np.ndarray, np.ndarray]


def by_scipy(prediction: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Compute the metrics of `evaluate_photo` by numpy and scipy."""
    predicted, wanted, valid = prediction != 0, target == 1, target != 255
    found = _overlap(predicted & valid, wanted, valid)
    line_a, line_b = (mask & ~binary_erosion(mask, border_value=1) for mask in (predicted & valid, wanted))
    diagonal = np.hypot(*target.shape)
    near_a, near_b = (distance_transform_edt(~line) <= BOUNDARY_TOLERANCE * diagonal for line in (line_a, line_b))
    precision, recall = near_b[line_a].mean(), near_a[line_b].mean()
    if not valid.all():
        nearer = distance_transform_edt(~wanted) < distance_transform_edt(target != 0)
        predicted, wanted = np.where(valid, predicted, nearer), np.where(valid, wanted, nearer)
    square, depth = np.ones((3, 3), bool), round(BOUNDARY_FRACTION * diagonal)
    rim_a, rim_b = (m & ~binary_erosion(m, square, depth, border_value=1) & valid for m in (predicted, wanted))
    contour = (wanted & binary_dilation(~wanted)) | (~wanted & binary_dilation(wanted))
    distance = distance_transform_edt(~contour)
    bands = {}
    for width in BAND_WIDTHS:
        band = (distance < width / 2) & valid
        inside = _overlap(predicted & band, wanted & band, band)
        bands[f"band_{width}"] = inside["intersection"] / inside["union"] if band.any() else float("nan")
    return {
        "iou": found["intersection"] / found["union"],
        "boundary_iou": (rim_a & rim_b).sum() / (rim_a | rim_b).sum(),
        "boundary_f": 2 * precision * recall / (precision + recall),
        **found,
        **bands,
    }


def _overlap(predicted: np.ndarray, wanted: np.ndarray, valid: np.ndarray) -> dict[str, float]:
    return {
        "intersection": (predicted & wanted).sum(),
        "union": (predicted | wanted).sum(),
        "background_intersection": (~predicted & ~wanted & valid).sum(),
        "background_union": (~(predicted & wanted) & valid).sum(),
    }


def pair(portrait: np.ndarray, seed: int, *, void: bool) -> Pair:
    """Return a prediction of a portrait, uint8 {0, 1}, and its target, with a void border of 5 px where `void`."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal(portrait.shape), (0, 0), 4)
    soft = cv2.GaussianBlur(portrait.astype(np.float64), (0, 0), 6)
    target, square = portrait.copy(), np.ones((5, 5), np.uint8)
    if void:
        target[cv2.dilate(portrait, square) != cv2.erode(portrait, square)] = 255
    return (soft + 2 * noise > 0.5).astype(np.uint8), target


def seconds(method: Callable[[np.ndarray, np.ndarray], dict], pairs: list[Pair]) -> float:
    """Return processor time per photo."""
    started = time.process_time()
    for prediction, target in pairs:
        method(prediction, target)
    return (time.process_time() - started) / len(pairs)


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        files = sorted(Path(sys.argv[1]).glob("*.png"))[:PHOTOS]
        masks = [(read_palette(file) == 1).astype(np.uint8) for file in files]
    else:
        masks = [picture_of("pfcn", index, 1).people[0].astype(np.uint8) for index in range(PHOTOS)]
    print(f"{len(masks)} masks of {masks[0].shape[0]}x{masks[0].shape[1]}, one core")
    print(f"| targets | ours, photos/s (goal {GOAL}) | by_scipy, photos/s | ratio | by round |\n|---|---|---|---|---|")
    for name, void in (("all labelled", False), ("with a void border", True)):
        pairs = [pair(mask, seed, void=void) for seed, mask in enumerate(masks)]
        for prediction, target in pairs[:3]:
            ours, theirs = evaluate_photo(prediction, target), by_scipy(prediction, target)
            np.testing.assert_allclose([ours[key] for key in theirs], list(theirs.values()), rtol=1e-9)
        rounds = [(seconds(evaluate_photo, pairs), seconds(by_scipy, pairs)) for _ in range(ROUNDS)]
        ours, theirs = (min(times) for times in zip(*rounds, strict=True))
        by_round = ", ".join(f"{their / our:.1f}" for our, their in rounds)
        print(f"| {name} | {1 / ours:.0f} | {1 / theirs:.1f} | {theirs / ours:.1f} x | {by_round} |", flush=True)


if __name__ == "__main__":
    main()
