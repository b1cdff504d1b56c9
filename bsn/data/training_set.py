"""The training photos of PFCN in memory, at working size, with the labels of one method."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from bsn.data.photos import read_photo
from bsn.data.samples import TrainingPhoto, working_labels
from bsn.data.tables import PhotoRow, read_faces, read_index
from bsn.errors import InputError
from bsn.inputs import working_photo

KERNEL_FILE = "kernel.json"


def attribute_classes(file: Path) -> list[dict[str, int]]:
    """For each attribute in `data/attributes/<name>.csv`, class by photo id: classes are numbered by name.

    The columns are the photo's id, an attribute's value, and where that value came from; no attribute, no column.
    """
    table = pd.read_csv(file, dtype=str)
    names = [column for column in table.columns if column not in ("id", "source")]
    return [dict(zip(table["id"], pd.factorize(table[name], sort=True)[0].tolist(), strict=True)) for name in names]


def training_photos(
    portraits: Path,
    faces: Path,
    labels: Path,
    *,
    size: tuple[int, int],
    attributes: Sequence[Mapping[str, int]] = (),
    threads: int = 2,
) -> list[TrainingPhoto]:
    """Read every kept training photo.

    portraits: `data/portraits/pfcn`. faces: its faces CSV. labels: a folder of `<id>.png` label codes and the
    `kernel.json` that says how they were made. size: (h, w) of the working copy. attributes: for each attribute the
    class of each photo id.
    """
    rows = [row for row in read_index(portraits / "index.csv") if row.kept and row.split == "train"]
    if not rows:
        raise InputError(f"{portraits} has no training photos; every network is trained on PFCN")
    affines = {name: face.affine for name, face in read_faces(faces).items()}
    kernel = json.loads((labels / KERNEL_FILE).read_text())

    def read(row: PhotoRow) -> TrainingPhoto:
        photo = working_photo(read_photo(portraits / row.image), affines[row.id], size)
        codes = cv2.imread(str(labels / f"{row.id}.png"), cv2.IMREAD_UNCHANGED)
        soft = working_labels(codes, photo.image.shape[:2], width=kernel["width"], reading=kernel["reading"])
        classes = np.array([attribute.get(row.id, -1) for attribute in attributes], np.int64)
        return TrainingPhoto(id=row.id, photo=photo, labels=soft, attributes=classes)

    with ThreadPoolExecutor(threads) as pool:
        return list(tqdm(pool.map(read, rows), total=len(rows), desc="training photos", unit=" photos"))
