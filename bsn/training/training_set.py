"""The training photos of PFCN in memory, at working size, with the labels of one method."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from bsn.data.photos import read_palette, read_photo
from bsn.data.tables import PhotoRow, read_faces, read_index
from bsn.errors import InputError
from bsn.models.inputs import working_photo
from bsn.training.samples import TrainingPhoto, working_labels
from bsn.workers import threaded_map

KERNEL_FILE = "kernel.json"


def attribute_classes(file: Path) -> dict[str, dict[str, int]]:
    """Class by photo id, for each attribute in `data/attributes/<name>.csv` in the order of its columns.

    The columns are `id` and, for each attribute, its name and `<name>.source`, where the value came from. Classes are
    numbered by the names of the values. A photo whose value is empty is not in there.
    """
    known = {name: values.dropna() for name, values in _attribute_columns(file).items()}
    return {
        name: dict(zip(values.index, pd.factorize(values, sort=True)[0].tolist(), strict=True))
        for name, values in known.items()
    }


def attribute_values(file: Path) -> dict[str, list[str]]:
    """The values of each attribute in `data/attributes/<name>.csv`, in the order of `attribute_classes`' numbers."""
    return {name: sorted(values.dropna().unique()) for name, values in _attribute_columns(file).items()}


def training_photos(
    portraits: Path,
    faces: Path,
    labels: Path,
    *,
    size: tuple[int, int],
    reading: str,
    attributes: Mapping[str, Mapping[str, int]] | None = None,
    threads: int = 2,
) -> list[TrainingPhoto]:
    """Read every kept training photo.

    Args:
        portraits: `data/portraits/pfcn`.
        faces: its faces CSV.
        labels: a folder of `<id>.png` label codes, and `kernel.json` with the width of the band they were made for.
        size: (h, w) of the working copy.
        reading: of eq. (1), "distance", "closeness" or "sum".
        attributes: the class of each photo id, by attribute; -1 stands in the photo for a class that is not known.
        threads: that read.

    Raises:
        InputError: no photo is there, or none that has a class of some attribute.
    """
    attributes = attributes or {}
    rows = [row for row in read_index(portraits / "index.csv") if row.kept and row.split == "train"]
    if not rows:
        raise InputError(f"{portraits} has no training photos; every network is trained on PFCN")
    for name, classes in attributes.items():
        if not any(row.id in classes for row in rows):
            raise InputError(
                f"no training photo has a value of the attribute {name}: there is nothing to learn it from"
            )
    affines = {name: face.affine for name, face in read_faces(faces).items()}
    kernel = json.loads((labels / KERNEL_FILE).read_text("utf-8"))

    def read(row: PhotoRow) -> TrainingPhoto:
        photo = working_photo(read_photo(portraits / row.image), affines[row.id], size)
        codes = read_palette(labels / f"{row.id}.png")
        soft = working_labels(codes, photo.image.shape[:2], width=kernel["width"], reading=reading)
        classes = np.array([attribute.get(row.id, -1) for attribute in attributes.values()], np.int64)
        return TrainingPhoto(id=row.id, photo=photo, labels=soft, attributes=classes)

    photos = threaded_map(read, rows, threads=threads)
    return list(tqdm(photos, total=len(rows), desc="training photos", unit=" photos"))


def _attribute_columns(file: Path) -> dict[str, pd.Series]:
    """Values by photo id, for each attribute."""
    # A value may be the word "None" or "NA".
    table = pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""]).set_index("id")
    return {name: table[name] for name in table.columns if not name.endswith(".source")}
