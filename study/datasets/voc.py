"""PASCAL VOC 2007, 2008 and 2012: the segmentation photos of the three years, each photo once.

VOC2012 names a photo 2007_000032 that VOC2007 names 000032, and holds the masks of 2008 again. Where a photo
stands in several years, the latest one whose photo and mask are both there is taken.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from bsn.errors import InputError
from bsn.photos import read_palette
from study.datasets.candidates import Candidate, is_bare, is_person
from study.datasets.cocostuff import pieces
from study.text import read_names, read_xml

YEARS = (2012, 2008, 2007)
LISTS = ("train", "val", "trainval", "test")
PERSON, VOID = 15, 255


def candidates(root: Path) -> Iterator[Candidate]:
    """Every photo with a segmentation in any year; `id` is YYYY_NNNNNN, `listed` the number of its years."""
    places: dict[str, list[tuple[Path, str]]] = {}
    for place, names in listed(root).items():
        for name in names:
            key = name if "_" in name else f"{place.removeprefix('VOC')}_{name}"
            places.setdefault(key, []).append((root / "VOCdevkit" / place, name))
    if not places:
        raise InputError(f"{root} is no VOC tree: no list in VOCdevkit/VOC*/ImageSets/Segmentation")
    for key in sorted(places):
        folder, name = next((place for place in places[key] if _is_whole(*place)), places[key][0])
        yield Candidate(
            id=key,
            split="test",
            listed=len(places[key]),
            photo=folder / "JPEGImages" / f"{name}.jpg",
            count_persons=partial(_count, folder, name),
            load_mask=partial(_mask, folder, name),
        )


def listed(root: Path) -> dict[str, set[str]]:
    """The segmented photos that each year's folder (VOC2012) lists, the latest first; years without any left out."""
    found = {}
    for place in (f"VOC{year}" for year in YEARS):
        files = [root / "VOCdevkit" / place / "ImageSets" / "Segmentation" / f"{name}.txt" for name in LISTS]
        names = {name for file in files if file.is_file() for name in read_names(file)}
        for name in names:
            if not is_bare(name):
                raise InputError(f"{place}/ImageSets/Segmentation names {name!r}, which is no file's name")
        if names:
            found[place] = names
    return found


def _is_whole(folder: Path, name: str) -> bool:
    return (folder / "JPEGImages" / f"{name}.jpg").is_file() and _classes_file(folder, name).is_file()


def _classes_file(folder: Path, name: str) -> Path:
    return folder / "SegmentationClass" / f"{name}.png"


def _count(folder: Path, name: str) -> int:
    """Persons by the best annotation there is: object masks, then boxes, then pieces of the class mask.

    Most photos show nobody: their class mask says so, and nothing else is opened.
    """
    classes = read_palette(_classes_file(folder, name))
    if not (classes == PERSON).any():
        return 0
    objects, boxes = folder / "SegmentationObject" / f"{name}.png", folder / "Annotations" / f"{name}.xml"
    if objects.is_file():
        objects = read_palette(objects)
        if objects.shape != classes.shape:
            raise InputError(f"the object mask of {name} is {objects.shape}, its class mask {classes.shape}")
        return len(set(np.unique(objects[classes == PERSON])) - {0, VOID})
    if boxes.is_file():
        # {*}: with or without a namespace.
        return sum(is_person(box.findtext("{*}name", "")) for box in read_xml(boxes).iterfind("{*}object"))
    return pieces(classes == PERSON)


def _mask(folder: Path, name: str) -> np.ndarray:
    classes = read_palette(_classes_file(folder, name))
    return np.select([classes == PERSON, classes == VOID], [1, 255], 0).astype(np.uint8)
