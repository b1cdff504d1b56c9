"""Face of each kept photo -> data/faces/<set>.csv: five landmarks and the affine map to the reference frame."""

from pathlib import Path

import torch
from tqdm import tqdm

from bsn.faces import MIN_FACE, FaceDetector
from study.datasets import SETS, tree
from study.datasets.index import read_index, write_faces
from study.datasets.portraits import indexed_faces, pfcn_faces
from study.params import load
from study.runner import run_stage

RAW, PORTRAITS, OUT = Path("data/raw"), Path("data/portraits"), Path("data/faces")


def faces() -> None:
    """Align PFCN's faces by its trackers or MTCNN, and the other sets' faces as the portrait filter found them."""
    params = load().portraits
    # The last digits of a face depend on the number of threads.
    torch.set_num_threads(1)
    release = tree(RAW / "pfcn")
    for set_name in SETS:
        folder = PORTRAITS / set_name
        kept = [row for row in read_index(folder / "index.csv") if row.kept]
        rows = tqdm(kept, desc=set_name, unit=" photos")
        if set_name == "pfcn" and release is not None:
            detector = FaceDetector(min_face_fraction=MIN_FACE, min_probability=params.min_probability)
            found = pfcn_faces(rows, root=release, portraits=folder, detector=detector)
        else:
            found = indexed_faces(rows)
        write_faces(OUT / f"{set_name}.csv", found)


if __name__ == "__main__":
    run_stage(faces)
