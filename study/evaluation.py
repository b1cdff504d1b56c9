"""Evaluation of one method: masks predicted, photos measured at their own size, sets summarised, files written.

Seconds per photo are measured afterwards: one photo after another, in one process, without reading and writing files.
"""

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from bsn.errors import InputError
from bsn.methods.prediction import Method, PhotoFile, predict_files
from bsn.metrics import evaluate_photo, summarise
from bsn.photos import read_palette, read_photo
from study.datasets import SETS, absence
from study.datasets.index import read_faces, read_index

VALIDATION = "validation"  # part of PFCN's training list, on which settings are chosen
MEASURED = (*SETS, VALIDATION)
HEADLINE = ("mean_iou", "boundary_iou")  # of PFCN's test photos, and of its validation photos
TIMED_PHOTOS = 8  # per set


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A photo to measure.

    Attributes:
        set: name of its set.
        id: within the set.
        file: photo, alignment, and where the predicted mask is written.
        target: true mask, PNG of uint8 {0, 1, 255 = ignored}.
    """

    set: str
    id: str
    file: PhotoFile
    target: Path


def evaluated_photos(data: Path, *, out: Path) -> list[Sample]:
    """The test photos of every set, then PFCN's validation photos.

    Args:
        data: folder with `portraits/` and `faces/`.
        out: folder for the predicted masks, one subfolder per set.
    """
    samples = []
    for name in MEASURED:
        source, split = ("pfcn", VALIDATION) if name == VALIDATION else (name, "test")
        portraits, faces = data / "portraits" / source, data / "faces" / f"{source}.csv"
        samples += kept_photos(name, portraits=portraits, faces=faces, out=out / name, split=split)
    return samples


def kept_photos(set_name: str, *, portraits: Path, faces: Path, out: Path, split: str = "test") -> list[Sample]:
    """The kept photos of one split of a set, in the order of its index.

    Args:
        set_name: the `set` of the samples.
        portraits: the set's folder, with its index.csv.
        faces: the set's faces CSV.
        out: folder for the predicted masks, made if missing.
        split: "test", or PFCN's "validation".
    """
    out.mkdir(parents=True, exist_ok=True)
    affines = {photo_id: face.affine for photo_id, face in read_faces(faces).items()}
    return [
        Sample(
            set=set_name,
            id=row.id,
            file=PhotoFile(photo=portraits / row.image, affine=affines[row.id], mask=out / f"{row.id}.png"),
            target=portraits / row.mask,
        )
        for row in read_index(portraits / "index.csv")
        if row.kept and row.split == split
    ]


def evaluate_samples(
    photos: Sequence[Sample], *, method: Method, title: str, frame_is_boundary: bool = False
) -> pd.DataFrame:
    """Predict and measure photos; photos are measured while the next ones are predicted.

    Args:
        photos: to measure.
        method: to predict with.
        title: of the progress bar.
        frame_is_boundary: as in `bsn.metrics.boundary_iou`.

    Returns:
        One row per photo: `set`, `id`, and the metrics of `bsn.metrics.evaluate_photo`.

    Raises:
        InputError: a photo or mask cannot be read, a photo cannot be segmented, or there are no photos.
    """
    if not photos:
        raise InputError("there is no test photo in data/portraits; its index.csv files have the reasons")
    predicted = predict_files([photo.file for photo in photos], method=method)
    with ThreadPoolExecutor(1) as pool:
        pending = [
            pool.submit(_measure, mask, photo.target, frame_is_boundary)
            for photo, mask in zip(photos, tqdm(predicted, total=len(photos), desc=title, unit=" photos"), strict=True)
        ]
        measured = [
            {"set": photo.set, "id": photo.id, **future.result()} for photo, future in zip(photos, pending, strict=True)
        ]
    return pd.DataFrame(measured)


def _measure(mask: Path, target: Path, frame_is_boundary: bool) -> dict[str, float]:
    predicted, wanted = read_palette(mask), read_palette(target)
    try:
        return evaluate_photo(predicted // 255, wanted, frame_is_boundary=frame_is_boundary)
    except ValueError as error:
        raise InputError(f"{target}: {error}") from error


def summarise_sets(photos: pd.DataFrame, portraits: Path, *, seed: int) -> dict[str, dict[str, Any]]:
    """`bsn.metrics.summarise` of every set; `{"absent": <reason>}` for a set without photos.

    Args:
        photos: rows of `evaluate_samples`.
        portraits: folder of the sets.
        seed: of the bootstrap.
    """
    rows = dict(iter(photos.groupby("set")))
    return {
        name: summarise(rows[name], seed=seed) if name in rows else {"absent": _absence(name, portraits)}
        for name in MEASURED
    }


def _absence(set_name: str, portraits: Path) -> str:
    if set_name == VALIDATION:
        return "no validation photo is listed, or none can be used"
    return absence(portraits / set_name) or "no photo of this set passed the portrait filter"


def write_metrics(folder: Path, summary: dict[str, Any], photos: pd.DataFrame) -> None:
    """Write a method's files in methods/, photos/ and headline/.

    Args:
        folder: `metrics/`.
        summary: content of the JSON in methods/, with `method` and `sets`.
        photos: rows of `evaluate_samples`.
    """
    name = summary["method"]
    for part in ("methods", "photos", "headline"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    photos.to_csv(folder / "photos" / f"{name}.csv", index=False, float_format="%.6g")
    headline = {
        f"{prefix}{key}": round(summary["sets"][set_name][key], 4)
        for set_name, prefix in (("pfcn", ""), (VALIDATION, "validation_"))
        for key in HEADLINE
        if key in summary["sets"][set_name]
    }
    (folder / "headline" / f"{name}.json").write_text(json.dumps({name: headline}, indent=1) + "\n", "utf-8")
    (folder / "methods" / f"{name}.json").write_text(json.dumps(summary, indent=1) + "\n", "utf-8")


def seconds_per_set(method: Method, samples: Sequence[Sample]) -> dict[str, float]:
    """`seconds_per_photo` of each set that has samples."""
    files: dict[str, list[PhotoFile]] = defaultdict(list)
    for sample in samples:
        files[sample.set].append(sample.file)
    return {set_name: seconds_per_photo(method, photos) for set_name, photos in files.items()}


def seconds_per_photo(method: Method, files: Sequence[PhotoFile]) -> float:
    """Median seconds over at most TIMED_PHOTOS photos, evenly spread over `files`, after one photo to warm up.

    Args:
        method: to time.
        files: at least one.
    """
    places = np.unique(np.linspace(0, len(files) - 1, TIMED_PHOTOS).round().astype(int))
    method(read_photo(files[0].photo), files[0].affine)
    return median(_seconds(method, files[place]) for place in places)


def _seconds(method: Method, file: PhotoFile) -> float:
    photo = read_photo(file.photo)
    started = time.perf_counter()
    method(photo, file.affine)
    return time.perf_counter() - started
