"""Inputs of the figures: photos, masks, predictions and numbers of one run, read on demand."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from bsn.cutout.cutout import Cutout
from bsn.errors import InputError
from bsn.faces import Detector
from bsn.photos import read_palette, read_photo
from study.datasets.index import PhotoRow, read_faces, read_index
from study.paper import METHODS, SETS


class Missing(Exception):
    """A figure's inputs are missing; the message is shown in the figure's place."""


@dataclass(frozen=True)
class Material:
    """Files and settings of one run, in the layout that the stages write."""

    portraits: Path
    """`<set>/index.csv`, `images/` and `masks/`."""
    predictions: Path
    """`<method>/<set>/<id>.png`, 0 and 255."""
    photos: Path
    """`<method>.csv` with set, id and the metrics of each photo."""
    faces: Path
    """`<set>.csv` with the affine of each photo that has a face."""
    hair: Path
    """CSV: id, hair (long or short)."""
    mean_mask: Path
    """`.npy`, float32 (800, 600)."""
    models: Path
    """`<method>/curves.csv` and the trained network."""
    margins: Path
    """CSV: set, margin, photos, photos_paper."""
    detector: Detector
    """Finds faces in the background."""
    kernel_width: float
    """`kernel.width`, pixels of the 800x600 frame."""
    kernel_reading: str
    """`kernel.reading` of eq. (1)."""
    global_low: float
    """`global_kernel.a` of eq. (6)."""
    global_high: float
    """`global_kernel.b` of eq. (6)."""
    global_reading: str
    """`global_kernel.reading` of eq. (6)."""
    seed: int
    """Of the bootstrap over photos."""

    @cached_property
    def _rows(self) -> dict[str, dict[str, PhotoRow]]:
        """The kept photos of each set, by id."""
        files = {name: self.portraits / name / "index.csv" for name in SETS}
        return {name: {row.id: row for row in read_index(file) if row.kept} for name, file in files.items()}

    def ids(self, name: str, split: str = "test") -> list[str]:
        """Ids of the set's kept photos in one split, in the index's order; raises Missing without any."""
        ids = [row.id for row in self._rows[name].values() if row.split == split]
        if not ids:
            raise Missing(f"No {SETS[name]} photos in this run.")
        return ids

    def photo(self, name: str, photo: str) -> np.ndarray:
        """uint8 (H, W, 3) RGB."""
        return _read(read_photo, self.portraits / name / self._rows[name][photo].image)

    def mask(self, name: str, photo: str) -> np.ndarray:
        """uint8 (H, W): 0 background, 1 portrait, 255 ignored."""
        return _read(read_palette, self.portraits / name / self._rows[name][photo].mask)

    def has(self, method: str, name: str) -> bool:
        """Whether the method was evaluated on the set."""
        return next((self.predictions / method / name).glob("*.png"), None) is not None

    def need(self, method: str, name: str) -> None:
        """Raise Missing unless the method was evaluated on the set."""
        if not self.has(method, name):
            raise Missing(f"{METHODS[method]} was not run on {SETS[name]}.")

    def prediction(self, method: str, name: str, photo: str) -> np.ndarray:
        """uint8 (H, W) {0, 1}."""
        return _read(read_palette, self.predictions / method / name / f"{photo}.png") // 255

    def scores(self, method: str, name: str) -> pd.DataFrame:
        """Metrics of the set's photos by id; raises Missing where the method was not run on the set."""
        file = self.photos / f"{method}.csv"
        rows = pd.read_csv(file, dtype={"id": str}) if file.exists() else pd.DataFrame(columns=["set", "id"])
        rows = rows[rows["set"] == name].set_index("id")
        if rows.empty:
            raise Missing(f"{METHODS[method]} was not run on {SETS[name]}.")
        return rows

    def affines(self, name: str) -> dict[str, np.ndarray]:
        """Affines from photo to face frame, float64 (2, 3), by id of the photos that have a face."""
        file = self.faces / f"{name}.csv"
        rows = read_faces(file) if file.exists() else {}
        return {photo: row.affine for photo, row in rows.items() if row.affine is not None}

    def cutout(self, method: str, name: str, photo: str) -> Cutout:
        """The photo with the method's mask, as the input of the effects of `python -m bsn segment`."""
        mask = self.prediction(method, name, photo)
        # All four sets hold portraits of one person.
        return Cutout(photo=self.photo(name, photo), mask=mask, faces=1, band=self.kernel_width)


def evenly_spaced(ids: list[str], number: int) -> list[str]:
    """At most `number` of the ids, evenly spaced along the list."""
    if len(ids) <= number:
        return list(ids)
    return [ids[place] for place in np.linspace(0, len(ids) - 1, number).round().astype(int)]


def _read(reader: Callable[[Path], np.ndarray], file: Path) -> np.ndarray:
    try:
        return reader(file)
    except InputError as reason:
        raise Missing(f"{reason}.") from None
