"""PASCAL VOC 2007, 2008 and 2012: the segmentation photos of the three years, each photo once.

VOC2012 names a photo 2007_000032 that VOC2007 names 000032, and holds the masks of 2008 again. Where a photo
stands in several years, the latest one whose photo and mask are both there is taken.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from bsn.data.candidates import Candidate
from bsn.data.cocostuff import pieces
from bsn.data.photos import read_palette
from bsn.errors import InputError

YEARS = (2012, 2008, 2007)
LISTS = ("train", "val", "trainval", "test")
PERSON, VOID = 15, 255


def candidates(root: Path) -> Iterator[Candidate]:
    """Every photo with a segmentation in any year; `id` is YYYY_NNNNNN."""
    places: dict[str, list[tuple[Path, str]]] = {}
    for year in YEARS:
        folder = root / "VOCdevkit" / f"VOC{year}"
        for name in _names(folder):
            places.setdefault(f"{year}_{name}" if "_" not in name else name, []).append((folder, name))
    if not places:
        raise InputError(f"{root} is no VOC tree: no list in VOCdevkit/VOC*/ImageSets/Segmentation")
    for key in sorted(places):
        folder, name = next((place for place in places[key] if _is_whole(*place)), places[key][0])
        yield Candidate(
            id=key,
            split="test",
            photo=folder / "JPEGImages" / f"{name}.jpg",
            count_persons=partial(_count, folder, name),
            load_mask=partial(_mask, folder, name),
        )


def _names(folder: Path) -> set[str]:
    files = [folder / "ImageSets" / "Segmentation" / f"{name}.txt" for name in LISTS]
    return {line.strip() for file in files if file.is_file() for line in file.read_text().splitlines()} - {""}


def _is_whole(folder: Path, name: str) -> bool:
    return (folder / "JPEGImages" / f"{name}.jpg").is_file() and _classes_file(folder, name).is_file()


def _classes_file(folder: Path, name: str) -> Path:
    return folder / "SegmentationClass" / f"{name}.png"


def _count(folder: Path, name: str) -> int:
    """Persons by the best annotation there is: object masks, then boxes, then pieces of the class mask."""
    classes = read_palette(_classes_file(folder, name))
    objects, boxes = folder / "SegmentationObject" / f"{name}.png", folder / "Annotations" / f"{name}.xml"
    if objects.is_file():
        objects = read_palette(objects)
        if objects.shape != classes.shape:
            raise InputError(f"the object mask of {name} is {objects.shape}, its class mask {classes.shape}")
        return len(set(np.unique(objects[classes == PERSON])) - {0, VOID})
    if boxes.is_file():
        try:
            return [found.text for found in ElementTree.parse(boxes).iterfind("object/name")].count("person")
        except ElementTree.ParseError as error:
            raise InputError(f"{boxes.name} is not XML ({error})") from error
    return pieces(classes == PERSON)


def _mask(folder: Path, name: str) -> np.ndarray:
    classes = read_palette(_classes_file(folder, name))
    return np.select([classes == PERSON, classes == VOID], [1, 255], 0).astype(np.uint8)
