"""COCO-Stuff 10K v1.1: the person label of its pixel maps.

`imageLists/{train,test,all}.txt` name the photos (COCO_train2014_000000000009), `images/<name>.jpg` are they,
`annotations/<name>.mat` hold `S` (H, W): 0 unlabelled, 1 person, other things and stuff above.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bsn.errors import InputError
from bsn.matlab import read_matrix
from bsn.photos import MAX_PIXELS
from study.datasets.candidates import Candidate, is_bare
from study.text import read_names

PERSON, UNLABELLED = 1, 0
LISTS = ("train", "test", "all")
# A piece of the person label below this share of the photo is a hand or a lock cut off, not somebody else.
MIN_PERSON = 0.01


def candidates(root: Path, *, person_counts: Mapping[int, int]) -> Iterator[Candidate]:
    """The photos of all lists, in the order of their ids; `id` has COCO's twelve digits.

    The pixel maps do not tell persons apart: their number is looked up in `person_counts` (by COCO's integer
    id), and where it is not there the `pieces` of the person label are counted.
    """
    names: dict[int, list[str]] = {}
    for name in sorted(listed(root)):
        names.setdefault(number(name), []).append(name)
    for key in sorted(names):
        name, *others = names[key]
        file, known = root / "annotations" / f"{name}.mat", person_counts.get(key)
        yield Candidate(
            id=f"{key:012d}",
            split="test",
            photo=root / "images" / f"{name}.jpg",
            count_persons=partial(int, known) if known is not None else partial(_pieces, file),
            load_mask=partial(_mask, file),
            rejection=f"id is also that of {', '.join(others)}" if others else None,
        )


def pieces(person: np.ndarray) -> int:
    """Connected pieces (8 neighbours) of a bool (H, W) map, each at least MIN_PERSON of it; 1 if all are smaller."""
    if not person.any():
        return 0  # OpenCV 5 ends the process (SIGSEGV) on a map of no pixels
    stats = cv2.connectedComponentsWithStats(person.astype(np.uint8), connectivity=8)[2]
    areas = stats[1:, cv2.CC_STAT_AREA]
    return max(int((areas >= MIN_PERSON * person.size).sum()), 1)


def listed(root: Path) -> set[str]:
    """The names in all lists of the tree. Raises InputError when there are none, or one is no name of a photo."""
    files = [root / "imageLists" / f"{name}.txt" for name in LISTS]
    names = {name for file in files if file.is_file() for name in read_names(file)}
    if not names:
        raise InputError(f"{root} is no COCO-Stuff tree: imageLists/{{train,test,all}}.txt name no photo")
    for name in names:
        number(name)
    return names


def number(name: str) -> int:
    """COCO's integer id in a name of the lists."""
    digits = name.rpartition("_")[2]
    if not digits.isdecimal() or not is_bare(name):
        raise InputError(f"imageLists name {name!r}; a name ends in COCO's number, as COCO_train2014_000000000009")
    return int(digits)


def _labels(file: Path) -> np.ndarray:
    labels = read_matrix(file, "S")
    if not 0 < labels.size <= MAX_PIXELS or not np.isfinite(labels).all():
        raise InputError(f"S of {file.name} is {labels.dtype} {labels.shape}, not a label for each pixel of a photo")
    return labels


def _pieces(file: Path) -> int:
    return pieces(_labels(file) == PERSON)


def _mask(file: Path) -> np.ndarray:
    """Unlabelled pixels may be anything, so they are ignored (255)."""
    labels = _labels(file)
    return np.select([labels == PERSON, labels == UNLABELLED], [1, 255], 0).astype(np.uint8)
