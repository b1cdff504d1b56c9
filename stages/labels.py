"""Label codes of the training masks -> data/labels/<hard|soft>/; with distances to the contour, eq. (1), if soft."""

import json
from pathlib import Path

from tqdm import tqdm

from bsn.kernels import KERNEL_FILE, encode_codes, label_codes
from bsn.photos import read_palette
from bsn.workers import threaded_map
from study.checking import require_choice
from study.datasets.index import PhotoRow, read_index
from study.params import load
from study.runner import run_stage

PORTRAITS, OUT = Path("data/portraits/pfcn"), Path("data/labels")
KINDS = ("hard", "soft")


def labels(kind: str) -> None:
    """Write one PNG of label codes per photo, and the width of their band."""
    require_choice("labels", kind, KINDS)
    # Hard labels are codes with a band of width 0, so that training reads both in the same way.
    kernel = {"width": load().kernel.width if kind == "soft" else 0}
    rows = [row for row in read_index(PORTRAITS / "index.csv") if row.kept and row.split == "train"]
    folder = OUT / kind
    folder.mkdir(parents=True, exist_ok=True)

    def write(row: PhotoRow) -> None:
        mask = read_palette(PORTRAITS / row.mask)
        (folder / f"{row.id}.png").write_bytes(encode_codes(label_codes(mask, width=kernel["width"])))

    for _ in tqdm(threaded_map(write, rows), total=len(rows), desc=f"{kind} labels", unit=" photos"):
        pass
    (folder / KERNEL_FILE).write_text(json.dumps(kernel), "utf-8")


if __name__ == "__main__":
    run_stage(labels)
