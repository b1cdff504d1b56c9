"""The two CSV tables that data stages hand on: a set's photos (`index.csv`) and its faces (`<set>.csv`)."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(kw_only=True)
class PhotoRow:
    """One photo that was looked at; None where nothing is known.

    `image` and `mask` are paths relative to the index's folder, empty unless kept. `listed`: lists (VOC: years)
    that name the photo. `faces`: faces found, of which `box` (4,), `points` (5, 2) and `probability` are the
    largest's; `face_fraction` is the area of its grown and clipped box over the photo's, `on_mask` the share of
    its clipped box on the person. They are plain MTCNN's where a face could count at any margin of
    `study.datasets.margins`, else those of a coarse look.
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


@dataclass(kw_only=True)
class FaceRow:
    """Five points (5, 2) of one kept photo and its affine (2, 3) to the frame; None when `source` is none."""

    id: str
    source: str
    points: np.ndarray | None = None
    affine: np.ndarray | None = None


def write_index(file: Path, rows: Iterable[PhotoRow]) -> None:
    """`index.csv`: a row a photo."""
    _write(file, INDEX, (_photo_cells(row) for row in rows))


def read_index(file: Path) -> list[PhotoRow]:
    """The rows that `write_index` wrote."""
    return [
        PhotoRow(
            **{key: cells[key] for key in ("id", "split", "reason", "image", "mask")},
            **{key: _number(cells[key], int) for key in ("height", "width", "listed", "persons", "faces")},
            **{key: _number(cells[key], float) for key in SHARES},
            kept=cells["kept"] == "True",
            box=_array(cells, BOX, (4,)),
            points=_array(cells, POINTS, (5, 2)),
        )
        for cells in _read(file)
    ]


def write_faces(file: Path, rows: Iterable[FaceRow]) -> None:
    """`<set>.csv`: a row a kept photo."""
    _write(
        file,
        FACES,
        (
            {
                "id": row.id,
                "source": row.source,
                **_cells(POINTS, row.points, ".2f"),
                **_cells(AFFINE, row.affine, ".8f"),
            }
            for row in rows
        ),
    )


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


def _photo_cells(row: PhotoRow) -> dict[str, object]:
    cells = {key: getattr(row, key) for key in INDEX if hasattr(row, key)}
    for key in SHARES:
        cells[key] = None if cells[key] is None else f"{cells[key]:.6f}"
    # The box with all that a float32 holds: counts at other margins are taken from here.
    return {**cells, **_cells(BOX, row.box, ".4f"), **_cells(POINTS, row.points, ".2f")}


def _cells(names: list[str], values: np.ndarray | None, form: str) -> dict[str, str]:
    if values is None:
        return dict.fromkeys(names, "")
    return {name: format(float(value), form) for name, value in zip(names, np.ravel(values), strict=True)}


def _array(cells: dict[str, str], names: list[str], shape: tuple[int, ...]) -> np.ndarray | None:
    if cells[names[0]] == "":
        return None
    return np.array([float(cells[name]) for name in names]).reshape(shape)


def _number(cell: str, kind: type) -> int | float | None:
    return kind(cell) if cell else None


def _write(file: Path, columns: list[str], rows: Iterable[dict[str, object]]) -> None:
    """The whole table under its name, or nothing."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with disk_errors(file):
        write_atomically(file, [text.getvalue().encode()])


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
