"""Records of one photo: the candidate that a reader yields, its row of `index.csv`, and its row of the faces CSV.

The filter writes `data/portraits/<set>/index.csv`, the stage `faces` writes `data/faces/<set>.csv`; both are read here.
"""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bsn.disk import disk_errors, write_atomically

BOX = ["x0", "y0", "x1", "y1"]
POINTS = [f"p{number}{axis}" for number in range(5) for axis in "xy"]
SHARES = ["face_fraction", "on_mask", "probability"]
AFFINE = ["a00", "a01", "a02", "a10", "a11", "a12"]
INDEX = [
    *("id", "split", "kept", "reason", "image", "mask", "height", "width"),
    *("listed", "persons", "faces", "face_fraction", "on_mask", "probability", *BOX, *POINTS),
]
FACES = ["id", "source", *POINTS, *AFFINE]
# File systems take 255 bytes, suffix and all; a longer name would end in an OSError.
MAX_NAME = 240


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One photo that a set's annotations name, with the annotations still on disk.

    Attributes:
        id: the photo's name in `index.csv`.
        split: "train", "validation" or "test".
        photo: the photo's file, which need not be there.
        count_persons: number of persons by the annotations; None where the set does not count them.
        load_mask: uint8 (H, W): 0 background, 1 portrait, 255 ignore.
        rejection: why the annotations alone reject the photo.
        url: the photo's address by the annotations.
        listed: number of the set's lists (VOC: years) that name the photo.

    `count_persons` and `load_mask` open files only when called, and raise InputError if those are missing or broken.
    """

    id: str
    split: str
    photo: Path
    count_persons: Callable[[], int | None]
    load_mask: Callable[[], np.ndarray]
    rejection: str | None = None
    url: str | None = None
    listed: int = 1


@dataclass(kw_only=True)
class PhotoRow:
    """One row of `index.csv`, which the filter fills in as it looks; None where nothing is known.

    Attributes:
        id, split, listed: as the candidate has them.
        kept: whether the photo is used.
        reason: why not; of a kept photo of PFCN, the earlier photos of the same scene.
        image, mask: paths relative to the index's folder, empty unless kept.
        height, width: of the photo, pixels.
        persons: number of persons by the annotations.
        faces: number of faces found. What follows is the largest one's: plain MTCNN's numbers where a face could count
            at any margin of `study.datasets.portraits.MARGINS`, else those of a faster, less exact detection.
        face_fraction: area of the grown and clipped box over the photo's area.
        on_mask: share of the clipped box on the person.
        probability: the detector's.
        box: x0, y0, x1, y1, float (4,), pixels.
        points: eyes, nose tip and mouth corners, float (5, 2) x, y, pixels.
    """

    id: str
    split: str
    kept: bool = False
    reason: str = ""
    image: str = ""
    mask: str = ""
    height: int | None = None
    width: int | None = None
    listed: int = 1
    persons: int | None = None
    faces: int | None = None
    face_fraction: float | None = None
    on_mask: float | None = None
    probability: float | None = None
    box: np.ndarray | None = None
    points: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class FaceRow:
    """One row of `data/faces/<set>.csv`: the face of one kept photo.

    Attributes:
        id: of the photo.
        source: "tracker" (PFCN's own points), "mtcnn", or "none" for a photo without a face.
        points: eyes, nose tip and mouth corners, float (5, 2) x, y, pixels; None without a face.
        affine: from the photo to the 800x600 reference frame, float (2, 3); None without a face.
    """

    id: str
    source: str
    points: np.ndarray | None = None
    affine: np.ndarray | None = None


def is_bare(name: str) -> bool:
    """Whether `name`, or a name with a suffix after it, names a file of its folder and nothing above or below it."""
    return name not in ("", ".", "..") and not set(name) & {"/", "\\", "\0"} and len(name.encode()) <= MAX_NAME


def is_person(name: str) -> bool:
    """Whether this name of a class, as an annotation spells it, is "person"."""
    return name.strip().casefold() == "person"


def write_index(file: Path, rows: Iterable[PhotoRow]) -> None:
    """Write `index.csv`, one row per photo, whole or not at all. Raises FullDisk."""
    _write(file, INDEX, (_photo_cells(row) for row in rows))


def read_index(file: Path) -> list[PhotoRow]:
    """The rows that `write_index` wrote, in its order."""
    return [
        PhotoRow(
            id=cells["id"],
            split=cells["split"],
            kept=cells["kept"] == "True",
            reason=cells["reason"],
            image=cells["image"],
            mask=cells["mask"],
            height=_int(cells["height"]),
            width=_int(cells["width"]),
            listed=int(cells["listed"]),
            persons=_int(cells["persons"]),
            faces=_int(cells["faces"]),
            face_fraction=_float(cells["face_fraction"]),
            on_mask=_float(cells["on_mask"]),
            probability=_float(cells["probability"]),
            box=_array(cells, BOX, (4,)),
            points=_array(cells, POINTS, (5, 2)),
        )
        for cells in _read(file)
    ]


def write_faces(file: Path, rows: Iterable[FaceRow]) -> None:
    """Write `<set>.csv`, one row per kept photo, whole or not at all. Raises FullDisk."""
    _write(file, FACES, (_face_cells(row) for row in rows))


def read_faces(file: Path) -> dict[str, FaceRow]:
    """The rows that `write_faces` wrote, by id."""
    return {
        cells["id"]: FaceRow(
            id=cells["id"],
            source=cells["source"],
            points=_array(cells, POINTS, (5, 2)),
            affine=_array(cells, AFFINE, (2, 3)),
        )
        for cells in _read(file)
    }


def _photo_cells(row: PhotoRow) -> dict[str, Any]:
    cells = {key: getattr(row, key) for key in INDEX if key not in (*BOX, *POINTS)}
    cells |= {key: f"{cells[key]:.6f}" for key in SHARES if cells[key] is not None}
    # The box with all that a float32 holds: counts at other margins are taken from here.
    return {**cells, **_cells(BOX, row.box, ".4f"), **_cells(POINTS, row.points, ".2f")}


def _face_cells(row: FaceRow) -> dict[str, Any]:
    points, affine = _cells(POINTS, row.points, ".2f"), _cells(AFFINE, row.affine, ".8f")
    return {"id": row.id, "source": row.source, **points, **affine}


def _cells(names: list[str], values: np.ndarray | None, form: str) -> dict[str, str]:
    if values is None:
        return dict.fromkeys(names, "")
    return {name: format(float(value), form) for name, value in zip(names, np.ravel(values), strict=True)}


def _int(cell: str) -> int | None:
    return int(cell) if cell else None


def _float(cell: str) -> float | None:
    return float(cell) if cell else None


def _array(cells: dict[str, str], names: list[str], shape: tuple[int, ...]) -> np.ndarray | None:
    if cells[names[0]] == "":
        return None
    return np.array([float(cells[name]) for name in names]).reshape(shape)


def _write(file: Path, columns: list[str], rows: Iterable[dict[str, Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with disk_errors(file):
        write_atomically(file, [text.getvalue().encode()])


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
