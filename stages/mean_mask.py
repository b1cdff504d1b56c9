"""Mean mask of PFCN's training photos, eq. (6) -> data/mean_mask/: unaligned, and aligned by the faces."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bsn.alignment import aligned_mean_mask, mean_mask
from bsn.errors import InputError
from bsn.photos import read_palette
from study.datasets.index import PhotoRow, read_faces, read_index
from study.runner import run_stage

PORTRAITS, FACES, OUT = Path("data/portraits/pfcn"), Path("data/faces/pfcn.csv"), Path("data/mean_mask")


def mean_masks() -> None:
    """Write mean_mask.npy and aligned.npy, (800, 600) float32."""
    rows = [row for row in read_index(PORTRAITS / "index.csv") if row.kept and row.split == "train"]
    if not rows:
        raise InputError("PFCN has no training photos here, and the mean mask is their masks' mean")
    affines = {name: face.affine for name, face in read_faces(FACES).items() if face.affine is not None}
    aligned = [row for row in rows if row.id in affines]
    OUT.mkdir(parents=True, exist_ok=True)
    np.save(OUT / "mean_mask.npy", mean_mask(_masks(rows, "mean mask")))
    found = aligned_mean_mask(_masks(aligned, "aligned"), (affines[row.id] for row in aligned))
    np.save(OUT / "aligned.npy", found)


def _masks(rows: list[PhotoRow], name: str) -> Iterator[np.ndarray]:
    for row in tqdm(rows, desc=name, unit=" masks"):
        yield read_palette(PORTRAITS / row.mask)


if __name__ == "__main__":
    run_stage(mean_masks)
