"""data/portraits/pfcn + data/faces/pfcn.csv + attributes/<attribute>.csv -> data/attributes/<attribute>.csv."""

from functools import partial
from pathlib import Path

import cv2
from tqdm import tqdm

from bsn.attributes import hair, label, read_overrides, write_labels
from bsn.data.tables import read_faces, read_index
from bsn.errors import InputError
from stages.params import load
from stages.runner import run_stage

PORTRAITS, FACES = Path("data/portraits/pfcn"), Path("data/faces/pfcn.csv")
OVERRIDES, OUT = Path("attributes"), Path("data/attributes")


def attributes(name: str) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    if name == "none":
        (OUT / "none.csv").write_text("id\n")
        return
    if name != "hair":
        raise InputError(f"attribute = {name!r} is refused; allowed: none, hair")
    params = load().hair
    attribute = hair(min_width=params.min_width, below_mouth=params.below_mouth)
    rows = read_index(PORTRAITS / "index.csv")
    overrides = read_overrides(OVERRIDES / f"{name}.csv", attribute, known={row.id for row in rows})
    affines = {key: face.affine for key, face in read_faces(FACES).items()}
    kept = [row for row in rows if row.kept]
    photos = (
        (row.id, partial(cv2.imread, str(PORTRAITS / row.mask), cv2.IMREAD_UNCHANGED), affines[row.id])
        for row in tqdm(kept, desc=name, unit=" masks")
    )
    write_labels(OUT / f"{name}.csv", attribute, label(attribute, photos, overrides=overrides))


if __name__ == "__main__":
    run_stage(attributes)
