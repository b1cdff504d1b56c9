"""`compare/`: a few test photos, chosen by rules, with the mask of every method, for the page's slider.

A photo is one JPEG; the truth and each method are a small palette PNG that covers the background, so that a browser
only lays two pictures over a third.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from bsn.photos import read_palette, read_photo
from study.paper import BASELINE, FLOOR, METHODS, NAMES
from study.tables import formats
from study.tables.results import Results

LONGEST = 640  # pixels of a picture's longer side
INDEX = "compare.json"
_PAPER = (246, 246, 246)
_STEPS = 4  # of opacity along the contour; 4 are 2 bits per pixel
_MOST = 224  # opacity of the covered background, of 255: 88 %, as in the figures


@dataclass(frozen=True)
class Chosen:
    """A photo for the slider."""

    id: str
    rule: str
    """The rule that chose it, in words."""
    value: str
    """Its number by that rule, as written on the page."""


@dataclass(frozen=True)
class ComparedPhoto(Chosen):
    """A photo of the slider, as `compare.json` holds it."""

    width: int
    height: int
    scores: dict[str, dict[str, float | None]]
    """Method -> `iou` and `boundary_iou`; None where undefined."""


@dataclass(frozen=True)
class Comparison:
    """Content of `compare.json`."""

    methods: list[dict[str, str]]
    """`key` and `name` of each method."""
    subject: str | None
    """The method that the rules are about; None without any."""
    photos: list[ComparedPhoto]


def compare(results: Results, portraits: Path, predictions: Path, folder: Path) -> Comparison:
    """Write `<photo>/photo.jpg`, `<photo>/truth.png`, `<photo>/<method>.png` and `compare.json`.

    Methods without numbers on PFCN or without predictions are left out; without any method there is no photo.

    Args:
        results: of the run.
        portraits: folder of `pfcn/index.csv` with its images and masks.
        predictions: folder of `<method>/pfcn/<id>.png`.
        folder: where the files are written.

    Raises:
        InputError: a picture cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    methods = [
        method
        for method in NAMES
        if method in results.photos and next((predictions / method / "pfcn").glob("*.png"), None) is not None
    ]
    iou, boundary = (results.scores(column, methods) for column in ("iou", "boundary_iou"))
    rows = {row.id: row for row in results.portraits.get("pfcn", [])}
    photos = []
    for chosen in choose(iou, boundary):
        row = rows[chosen.id]
        files = {"truth": portraits / "pfcn" / row.mask}
        files |= {method: predictions / method / "pfcn" / f"{chosen.id}.png" for method in methods}
        width, height = _draw(portraits / "pfcn" / row.image, files, folder / chosen.id)
        scores = {
            method: {
                "iou": _number(iou.loc[chosen.id, method]),
                "boundary_iou": _number(boundary.loc[chosen.id, method]),
            }
            for method in methods
        }
        photos.append(ComparedPhoto(**asdict(chosen), width=width, height=height, scores=scores))
    comparison = Comparison([{"key": key, "name": NAMES[key]} for key in methods], subject(methods), photos)
    text = json.dumps(asdict(comparison), indent=2, ensure_ascii=False)
    (folder / INDEX).write_text(text + "\n", "utf-8")
    return comparison


def choose(iou: pd.DataFrame, boundary: pd.DataFrame) -> list[Chosen]:
    """Choose up to eight different photos, one per rule.

    If the photo of a rule is taken, the rule gives its next one and names the rank. Rules are left out if they need a
    method that was not run, or if no photo is left.

    Args:
        iou: one row per photo, one column per method, as `Results.scores` returns it.
        boundary: the same for boundary IoU.
    """
    chosen: dict[str, Chosen] = {}
    for rule, write, ranked in _rules(iou, boundary):
        for rank, (photo, value) in enumerate(ranked.items(), start=1):
            if photo not in chosen:
                words = rule if rank == 1 else f"{rule} (rank {rank})"
                chosen[str(photo)] = Chosen(str(photo), words, write(value))
                break
    return list(chosen.values())


def subject(methods: Iterable[str]) -> str | None:
    """The method that the rules are about: BSN, or else the last one of Table 1 that was run; None without any."""
    run = [method for method in METHODS if method in methods]
    return run[-1] if run else None


def overlay(mask: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Palette picture that covers everything but the portrait.

    Args:
        mask: uint8 (H, W), portrait where 1.
        size: of the picture, (width, height).
    """
    outside = cv2.resize((mask != 1).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    image = Image.fromarray(np.rint(outside * (_STEPS - 1)).astype(np.uint8)).convert("P")
    image.putpalette(_PAPER * _STEPS)
    image.info["transparency"] = bytes(_MOST * step // (_STEPS - 1) for step in range(_STEPS))
    return image


def _rules(iou: pd.DataFrame, boundary: pd.DataFrame) -> Iterator[tuple[str, Callable[..., str], pd.Series]]:
    """Rule in words, how its number is written, and the photos' numbers by it, the best fit first."""
    ours = subject(iou)
    if ours is None:
        return
    name = METHODS[ours]
    ranked = iou.loc[:, ours].dropna().sort_values(kind="stable")
    middle = (len(ranked) - 1) / 2
    by_distance = sorted(range(len(ranked)), key=lambda place: (abs(place - middle), place))
    yield f"Median IoU of {name}", formats.percent, ranked.iloc[by_distance]
    yield f"Highest IoU of {name}", formats.percent, ranked.iloc[::-1]
    yield f"Lowest IoU of {name}", formats.percent, ranked
    if BASELINE in iou and ours != BASELINE:
        gain = (iou.loc[:, ours] - iou.loc[:, BASELINE]).dropna().sort_values(kind="stable")
        yield f"Largest gain of {name} over {METHODS[BASELINE]}", formats.signed_percent, gain.loc[gain > 0].iloc[::-1]
        yield f"Largest loss of {name} to {METHODS[BASELINE]}", formats.signed_percent, gain.loc[gain < 0]
    edges = boundary.loc[:, ours].dropna().sort_values(kind="stable")
    yield f"Lowest boundary IoU of {name}", formats.percent, edges
    run = iou.loc[:, [method for method in METHODS if method in iou]]
    apart = (run.max(axis=1) - run.min(axis=1)).dropna().sort_values(kind="stable")
    yield "Largest difference between methods", formats.percent, apart.iloc[::-1]
    if FLOOR in iou:
        yield (
            "Least like the mean mask: its IoU",
            formats.percent,
            iou.loc[:, FLOOR].dropna().sort_values(kind="stable"),
        )


def _draw(photo: Path, masks: dict[str, Path], folder: Path) -> Sequence[int]:
    """Write one photo's pictures; returns their width and height."""
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


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
