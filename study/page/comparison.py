"""`compare/`: a few test photos with every method's portrait laid over them, for the page's slider.

A photo is one JPEG; the truth and each method are a small PNG that covers what is not the portrait with paper, so
that a browser needs nothing but two pictures over a third.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from bsn.photos import read_palette, read_photo
from study.tables.choice import NAMES, Chosen, choose, scores, subject
from study.tables.results import Results

LONGEST = 640  # Pixels of a picture's longer side.
INDEX = "compare.json"
_PAPER = (246, 246, 246)
_STEPS = 4  # Of opacity along the contour; 4 are 2 bits a pixel.
_MOST = 224  # Opacity of the paper, of 255: 88 %, as in the figures.


def compare(results: Results, portraits: Path, predictions: Path, folder: Path) -> dict:
    """Write `<photo>/photo.jpg`, `<photo>/truth.png`, `<photo>/<method>.png` and `compare.json`; returns the latter.

    `portraits` and `predictions` are the folders of the stages: `pfcn/index.csv` and `<method>/pfcn/<id>.png`. Only
    methods that PFCN was measured for and whose predictions are there take part; without any, `photos` is empty.
    Raises InputError when a picture cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    methods = [
        method
        for method in NAMES
        if method in results.photos and next((predictions / method / "pfcn").glob("*.png"), None) is not None
    ]
    iou, boundary = (scores(results, column, methods) for column in ("iou", "boundary_iou"))
    rows = {row.id: row for row in results.portraits.get("pfcn", [])}
    photos = []
    for chosen in choose(iou, boundary):
        row = rows[chosen.id]
        files = {"truth": portraits / "pfcn" / row.mask}
        files |= {method: predictions / method / "pfcn" / f"{chosen.id}.png" for method in methods}
        size = _draw(portraits / "pfcn" / row.image, files, folder / chosen.id)
        photos.append(_entry(chosen, size, iou.loc[chosen.id], boundary.loc[chosen.id]))
    comparison = {
        "methods": [{"key": method, "name": NAMES[method]} for method in methods],
        "subject": subject(methods),
        "photos": photos,
    }
    (folder / INDEX).write_text(json.dumps(comparison, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return comparison


def overlay(mask: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Paper over all but the portrait: a palette picture of `size` (width, height), clear where the portrait is.

    `mask` uint8 (H, W), portrait where 1.
    """
    outside = cv2.resize((mask != 1).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    image = Image.fromarray(np.rint(outside * (_STEPS - 1)).astype(np.uint8)).convert("P")
    image.putpalette(_PAPER * _STEPS)
    image.info["transparency"] = bytes(_MOST * step // (_STEPS - 1) for step in range(_STEPS))
    return image


def _draw(photo: Path, masks: dict[str, Path], folder: Path) -> tuple[int, int]:
    """One photo's pictures; returns their size (width, height)."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = read_photo(photo)
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    Image.fromarray(small).save(folder / "photo.jpg", quality=84, optimize=True)
    for name, file in masks.items():
        mask = read_palette(file)
        # The truth is 0, 1 and 255 for ignored; predictions are 0 and 255.
        drawn = overlay(mask if name == "truth" else mask // 255, size)
        drawn.save(folder / f"{name}.png", bits=2, optimize=True)
    return size


def _entry(chosen: Chosen, size: Sequence[int], iou: pd.Series, boundary: pd.Series) -> dict:
    """The photo as `compare.json` holds it; a number that is undefined is null."""
    numbers = {method: {"iou": _number(iou[method]), "boundary_iou": _number(boundary[method])} for method in iou.index}
    return {**asdict(chosen), "width": size[0], "height": size[1], "scores": numbers}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
