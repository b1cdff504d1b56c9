"""COCO 2017 instances: person masks from polygons and run lengths, train and val together.

The key is the integer id: 2014 and 2017 name the same photos.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from pycocotools import mask as rle

from bsn.data.candidates import Candidate
from bsn.errors import InputError

PERSON = 1
PARTS = ("train2017", "val2017")


def candidates(root: Path) -> Iterator[Candidate]:
    """Every photo of both annotation files, in the order of their ids; `id` has COCO's twelve digits.

    A person annotated with iscrowd=1 stands for several people: it counts as two and turns the photo down.
    """
    images, persons = _annotations(root)
    for number in sorted(images):
        first, *others = images[number]
        clash = [f"{file.parent.name}/{file.name}" for file, _ in others if file != first[0]]
        file, size = first
        found = persons[number]
        crowds = sum(bool(person.get("iscrowd")) for person in found)
        yield Candidate(
            id=f"{number:012d}",
            split="test",
            photo=file,
            count_persons=partial(int, len(found) + crowds),
            load_mask=partial(_mask, number, found, size),
            rejection=f"id is also that of {', '.join(clash)}" if clash else "crowd" if crowds else None,
        )


def person_counts(root: Path) -> dict[int, int]:
    """How many persons each photo holds, by integer id; a crowd counts as two."""
    return {int(candidate.id): candidate.count_persons() for candidate in candidates(root)}


def _annotations(root: Path) -> tuple[dict, dict]:
    images, persons = defaultdict(list), defaultdict(list)
    files = [(part, root / "annotations" / f"instances_{part}.json") for part in PARTS]
    files = [(part, file) for part, file in files if file.is_file()]
    if not files:
        raise InputError(f"{root} is no COCO tree: annotations/instances_train2017.json or _val2017 is not in it")
    for part, file in files:
        try:
            content = json.loads(file.read_text(), object_hook=_without_other_things)
            for image in content["images"]:
                entry = (root / part / image["file_name"], (image["height"], image["width"]))
                images[int(image["id"])].append(entry)
            for person in filter(None, content["annotations"]):
                persons[int(person["image_id"])].append(person)
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise InputError(f"{file.name} is not a COCO annotation file ({error!r})") from error
    return images, persons


def _without_other_things(entry: dict) -> dict | None:
    """Drop the 79 other categories while the file is parsed: they are two thirds of its 450 MB."""
    return entry if entry.get("category_id", PERSON) == PERSON else None


def _mask(number: int, persons: list[dict], size: tuple[int, int]) -> np.ndarray:
    """Union of the persons' masks, uint8 (H, W)."""
    mask = np.zeros(size, dtype=np.uint8)
    for person in persons:
        try:
            shape = person["segmentation"]
            if isinstance(shape, dict) and isinstance(shape["counts"], list):
                shape = rle.frPyObjects(shape, *size)
            elif isinstance(shape, list):
                shape = rle.merge(rle.frPyObjects(shape, *size))
            mask |= rle.decode(shape)
        except Exception as error:
            raise InputError(f"the annotation of {number:012d} is no polygon or run length") from error
    return mask
