"""Label PFCN's photos for the attributes of one key of `attributes` in params.yaml -> data/attributes/<key>.csv.

The user's labels in attributes/<attribute>.csv override the rule, which reads masks and faces.
"""

from functools import partial
from pathlib import Path

from tqdm import tqdm

from bsn.attributes import hair_rule, label_photos
from bsn.photos import read_palette
from study.attribute_tables import read_attribute, write_values
from study.checking import require_choice
from study.datasets.index import read_faces, read_index
from study.params import load
from study.runner import run_stage

PORTRAITS, FACES = Path("data/portraits/pfcn"), Path("data/faces/pfcn.csv")
BY_USER, OUT = Path("attributes"), Path("data/attributes")


def attributes(name: str) -> None:
    """Write one row per photo that has a label."""
    params = load()
    require_choice("attributes", name, params.attributes)
    rows, faces = read_index(PORTRAITS / "index.csv"), read_faces(FACES)
    rules, known = {"hair": hair_rule(**params.hair.model_dump())}, {row.id for row in rows}
    learned = [
        read_attribute(key, BY_USER / f"{key}.csv", known=known, rule=rules.get(key)) for key in params.attributes[name]
    ]
    photos = (
        (row.id, partial(read_palette, PORTRAITS / row.mask), faces[row.id].affine)
        for row in tqdm([row for row in rows if row.kept], desc=name, unit=" masks")
    )
    OUT.mkdir(parents=True, exist_ok=True)
    write_values(OUT / f"{name}.csv", learned, label_photos(learned, photos))


if __name__ == "__main__":
    run_stage(attributes)
