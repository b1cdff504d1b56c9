"""PASCAL VOC 2007, 2008 and 2012: the download, and the segmentation photos of the three years, each photo once.

The tree is `VOCdevkit/VOC<year>/`. VOC2012 names a photo 2007_000032 that VOC2007 names 000032, and holds the masks of
2008 again. Of a photo in several years, the latest one whose photo and mask are both there is taken.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from bsn.errors import InputError
from bsn.photos import read_palette
from study.datasets.cocostuff import pieces
from study.datasets.downloads import Downloaded
from study.datasets.index import Candidate, is_bare, is_person
from study.datasets.portraits import PortraitRule, possible_portraits
from study.fetch import Download, fetch_archives, member_names, unpack
from study.text import read_names, read_xml

YEARS = (2012, 2008, 2007)
LISTS = ("train", "val", "trainval", "test")
PERSON, VOID = 15, 255
ANNOTATIONS = ("SegmentationClass", "SegmentationObject", "Annotations")
MAX_BYTES = 10 * 10**9


def download_voc(folder: Path, archives: Path, *, releases: Iterable[Download], rule: PortraitRule) -> Downloaded:
    """Download each year's archive; unpack the lists, and annotations and photos of the segmented photos.

    The archives are fetched whole, because their published hashes are of the whole.

    Args:
        folder: becomes the tree, with the photos that the annotations do not reject.
        archives: keeps the archives.
        releases: the archives, one or more per year.
        rule: the portrait filter's.

    Raises:
        FetchError: no address serves an archive.
        InputError: the archives hold no list of segmented photos.
    """
    files = fetch_archives(list(releases), archives)
    members = [name for file in files for name in member_names(file)]

    def unpack_all(chosen: Iterable[str]) -> None:
        wanted = set(chosen)
        for file in files:
            unpack(file, folder, wanted=wanted.__contains__, max_bytes=MAX_BYTES)

    lists = "/ImageSets/Segmentation/"
    unpack_all(name for name in members if lists in name and name.endswith(".txt"))
    segmented = listed(folder)
    if not segmented:
        raise InputError(f"{', '.join(file.name for file in files)}: no VOCdevkit/VOC<year>{lists}*.txt in them")
    unpack_all(name for name in members if _annotates(name, segmented))
    chosen = possible_portraits(candidates(folder), rule, label="voc annotations")
    photos = {candidate.photo.relative_to(folder).as_posix() for candidate in chosen}
    unpack_all(photos)
    total = sum(map(len, segmented.values()))
    summary = f"{len(photos)} photos to look at, of {total} segmented ones in {len(segmented)} years"
    return Downloaded(root=folder, summary=summary)


def candidates(root: Path) -> Iterator[Candidate]:
    """Read the lists: one candidate per segmented photo; `id` is YYYY_NNNNNN, `listed` the number of its years."""
    places: dict[str, list[tuple[Path, str]]] = {}
    for place, photos in listed(root).items():
        for name in photos:
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
        photos = {name for file in files if file.is_file() for name in read_names(file)}
        for name in photos:
            if not is_bare(name):
                raise InputError(f"{place}/ImageSets/Segmentation names {name!r}, which is no file's name")
        if photos:
            found[place] = photos
    return found


def _annotates(member: str, segmented: Mapping[str, Collection[str]]) -> bool:
    """Whether an archive's VOCdevkit/VOC2012/<folder>/<name>.* annotates a photo that the year's lists name."""
    parts = member.split("/")
    return len(parts) == 4 and parts[2] in ANNOTATIONS and Path(parts[3]).stem in segmented.get(parts[1], ())


def _is_whole(folder: Path, name: str) -> bool:
    return (folder / "JPEGImages" / f"{name}.jpg").is_file() and _classes_file(folder, name).is_file()


def _classes_file(folder: Path, name: str) -> Path:
    return folder / "SegmentationClass" / f"{name}.png"


def _count(folder: Path, name: str) -> int:
    """Number of persons by the best annotation there is: object masks, then boxes, then pieces of the class mask.

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
