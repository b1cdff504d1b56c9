"""python -m benchmarks.ceiling FOLDER: agreement of two annotators' masks in the official PFCN release.

PFCN holds some photos twice, each with its own mask. Their agreement shows how exact the masks are. Pairs are
photos of one scene by `study.datasets.pfcn` whose pixels are the same apart from compression and colour.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from bsn.errors import InputError
from bsn.metrics import evaluate_photo
from bsn.photos import read_photo
from study.datasets import pfcn
from study.datasets.index import Candidate
from study.runner import run_stage

SAME_PIXELS = 4.0  # grey levels: largest mean difference between two copies of a photo
NUMBERS = ("iou", "boundary_iou", "band_4", "band_10", "band_20")


def ceiling(root: str) -> None:
    """Print one row per pair, and their mean."""
    scenes, found = pfcn.Scenes(), {}
    pairs: list[tuple[str, str]] = []
    for candidate in tqdm(list(pfcn.candidates(Path(root))), unit=" photos"):
        try:
            seen = pfcn.views(read_photo(candidate.photo))
        except InputError:  # some photos of the lists are no longer available
            continue
        pairs += [(other, candidate.id) for other in scenes.like(seen)]
        scenes.add(candidate.id, seen)
        found[candidate.id] = candidate
    rows = [
        (pair, agreement(*(found[name] for name in pair))) for pair in pairs if is_same(*(found[name] for name in pair))
    ]
    print("| photos | " + " | ".join(NUMBERS) + " |\n|---" + "|---" * len(NUMBERS) + "|")
    for pair, numbers in rows:
        print(f"| {' and '.join(pair)} | " + " | ".join(f"{numbers[key]:.3f}" for key in NUMBERS) + " |")
    if rows:
        print(
            "| mean | " + " | ".join(f"{np.mean([numbers[key] for _, numbers in rows]):.3f}" for key in NUMBERS) + " |"
        )


def is_same(one: Candidate, other: Candidate) -> bool:
    """Return whether two photos have the same pixels, apart from compression and colour."""
    grey = [read_photo(candidate.photo).mean(axis=2) for candidate in (one, other)]
    return grey[0].shape == grey[1].shape and float(np.abs(grey[0] - grey[1]).mean()) < SAME_PIXELS


def agreement(one: Candidate, other: Candidate) -> dict[str, float]:
    """Return the metrics of one mask against the other, averaged over both directions."""
    masks = one.load_mask(), other.load_mask()
    both = evaluate_photo(*masks), evaluate_photo(*reversed(masks))
    return {key: (both[0][key] + both[1][key]) / 2 for key in NUMBERS}


if __name__ == "__main__":
    run_stage(ceiling)
