"""A method on test photos: masks written, and every photo measured at its own size."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from bsn.errors import InputError
from bsn.methods.prediction import Method, PhotoFile, predict_files
from bsn.metrics import evaluate_photo
from bsn.photos import read_palette
from study.datasets.index import read_faces, read_index


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A photo of a set, and where its true mask lies, uint8 {0, 1, 255 = ignored}."""

    set: str
    id: str
    file: PhotoFile
    target: Path


def kept_photos(set_name: str, *, portraits: Path, faces: Path, out: Path, split: str = "test") -> list[Sample]:
    """The kept photos of one split of a set, in the order of its index.

    Args:
        set_name: the `set` of the samples.
        portraits: the set's folder, with its index.csv.
        faces: the set's faces CSV.
        out: the folder, made if need be, for the predicted masks.
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
    """A row a photo: set, id, and what `evaluate_photo` measures; the same rows whenever it runs.

    The measuring runs beside the next predictions. title: of the progress bar. frame_is_boundary: the convention of
    `bsn.metrics.boundary_iou`.
    """
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
