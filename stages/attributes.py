"""data/portraits/pfcn + data/faces/pfcn.csv + attributes/*.csv -> data/attributes/<name>.csv, a key of `attributes`."""

from functools import partial
from pathlib import Path

from tqdm import tqdm

from bsn.attributes import hair_rule, label
from bsn.photos import read_palette
from study.attributes import attribute, write_labels
from study.checking import require_choice
from study.datasets.index import read_faces, read_index
from study.params import load
from study.runner import run_stage

PORTRAITS, FACES = Path("data/portraits/pfcn"), Path("data/faces/pfcn.csv")
TOLD, OUT = Path("attributes"), Path("data/attributes")


def attributes(name: str) -> None:
    params = load()
    require_choice("attributes", name, params.attributes)
    rules = {"hair": hair_rule(**params.hair.model_dump())}
    rows = read_index(PORTRAITS / "index.csv")
    known = {row.id for row in rows}
    learned = [attribute(a, TOLD / f"{a}.csv", known=known, rule=rules.get(a)) for a in params.attributes[name]]
    affines = {key: face.affine for key, face in read_faces(FACES).items()}
    kept = [row for row in rows if row.kept]
    photos = (
        (row.id, partial(read_palette, PORTRAITS / row.mask), affines[row.id])
        for row in tqdm(kept, desc=name, unit=" masks")
    )
    OUT.mkdir(parents=True, exist_ok=True)
    write_labels(OUT / f"{name}.csv", learned, label(learned, photos))


if __name__ == "__main__":
    run_stage(attributes)
