"""How well two people's masks of one photo agree: PFCN holds some photos twice, each with a mask of its own.

    python -m benchmarks.ceiling /data/pfcn      # the official release

No method can be expected to agree better with one of the two masks than the other one does. Pairs are the photos that
`study.datasets.pfcn` takes for one scene and whose pixels are the same but for compression.
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

SAME_PIXELS = 4.0  # grey levels, the mean difference between two photos that are one
NUMBERS = ("iou", "boundary_iou", "band_4", "band_10", "band_20")


def ceiling(root: str) -> None:
    """Print one row per pair, and their mean."""
    scenes, found = pfcn.Scenes(), {}
    pairs: list[tuple[str, str]] = []
    for candidate in tqdm(list(pfcn.candidates(Path(root))), unit=" photos"):
        try:
            seen = pfcn.views(read_photo(candidate.photo))
        except InputError:  # not all photos of the lists can still be had
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
    """Whether two photos have the same pixels, but for compression and colour."""
    grey = [read_photo(candidate.photo).mean(axis=2) for candidate in (one, other)]
    return grey[0].shape == grey[1].shape and float(np.abs(grey[0] - grey[1]).mean()) < SAME_PIXELS


def agreement(one: Candidate, other: Candidate) -> dict[str, float]:
    """All metrics of one photo's mask against the other's, the mean of both directions."""
    masks = one.load_mask(), other.load_mask()
    both = evaluate_photo(*masks), evaluate_photo(*reversed(masks))
    return {key: (both[0][key] + both[1][key]) / 2 for key in NUMBERS}


if __name__ == "__main__":
    run_stage(ceiling)
