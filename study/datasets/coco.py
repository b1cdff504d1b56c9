"""COCO instances, 2017 or 2014: the download, and person masks from polygons and run lengths, train and val together.

The tree is `annotations/instances_{train,val}<year>.json` and the photos in `{train,val}<year>/`. The key is the
integer id: 2014 and 2017 name the same photos.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from pycocotools import mask as rle

from bsn.errors import InputError
from bsn.photos import MAX_PIXELS
from study.datasets import COCO_YEAR
from study.datasets.downloads import Downloaded, fetch_photos, gigabytes
from study.datasets.index import Candidate, is_bare, is_person
from study.datasets.portraits import PortraitRule, possible_portraits
from study.fetch import Download, fetch_archives, unpack

PARTS = ("train", "val")
# The zip holds 1.0 GB of captions, keypoints and instances.
MAX_BYTES = 4 * 10**9
# COCO's compressed run lengths: numbers of up to six characters, of which the last is below "P".
_COMPRESSED = re.compile(r"([P-o]{0,5}[0-O])+")


# Segmentations stay JSON until a mask is asked for: parsed to the end, the 450 MB of the training annotations would be
# some gigabytes of Python objects.
class _Image(msgspec.Struct, gc=False):
    id: int
    file_name: str
    height: int
    width: int
    coco_url: str | None = None


class _Category(msgspec.Struct, gc=False):
    id: int | str
    name: str


class _Annotation(msgspec.Struct, gc=False):
    image_id: int
    category_id: int | str
    segmentation: msgspec.Raw
    iscrowd: int = 0
    id: int | None = None


class _Instances(msgspec.Struct, gc=False):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


class _Photo(msgspec.Struct):
    """The annotations of one id; `persons` are the segmentations of its persons, crowds included."""

    file: Path
    size: tuple[int, int]
    url: str | None
    rejection: str | None
    persons: list[bytes] = []
    crowds: int = 0


def download_coco(
    folder: Path,
    archives: Path,
    *,
    annotations: Download,
    mirrors: Sequence[str],
    whole: int,
    year: int,
    rule: PortraitRule,
) -> Downloaded:
    """Download the annotations, then the photos that they do not reject.

    Args:
        folder: becomes the tree.
        archives: keeps the annotations' zip.
        annotations: that zip.
        mirrors: a photo is fetched from the address in its annotation, then from `<mirror>/<part>/<file>` of each.
        whole: bytes of all of COCO's photos, to report what was saved.
        year: 2014 or 2017.
        rule: the portrait filter's.

    Raises:
        FetchError: no address serves the annotations.
    """
    (archive,) = fetch_archives([annotations], archives)
    wanted = {f"annotations/instances_{part}{year}.json" for part in PARTS}
    unpack(archive, folder, wanted=wanted.__contains__, max_bytes=MAX_BYTES)
    found = list(candidates(folder, year=year))
    chosen = possible_portraits(found, rule, label="coco annotations")
    photos = {}
    for candidate in chosen:
        name = candidate.photo.relative_to(folder).as_posix()
        urls = [candidate.url, *(f"{mirror}/{name}" for mirror in mirrors)]
        photos[candidate.id] = Download(name=name, urls=tuple(url for url in urls if url))
    missing = fetch_photos(photos, folder, label="coco photos")
    size = sum(candidate.photo.stat().st_size for candidate in chosen if candidate.photo.is_file())
    summary = (
        f"{len(chosen) - len(missing)} of {len(found)} photos, {gigabytes(size)} in place of {gigabytes(whole)}: "
        f"{gigabytes(max(whole - size, 0))} saved"
    )
    return Downloaded(root=folder, summary=summary, missing=tuple(missing))


def candidates(root: Path, *, year: int = COCO_YEAR) -> Iterator[Candidate]:
    """Read both annotation files: one candidate per photo, in the order of their ids, each of twelve digits.

    A person annotated with iscrowd=1 stands for several people: it counts as two and rejects the photo.
    Raises InputError when there is no annotation file or one is broken.
    """
    photos = _read(root, year)
    for number in sorted(photos):
        photo = photos.pop(number)
        yield Candidate(
            id=f"{number:012d}",
            split="test",
            photo=photo.file,
            count_persons=partial(int, len(photo.persons) + photo.crowds),
            load_mask=partial(_mask, number, photo.persons, photo.size),
            rejection=photo.rejection or ("crowd" if photo.crowds else None),
            url=photo.url,
        )


def person_counts(root: Path, *, year: int = COCO_YEAR) -> dict[int, int]:
    """Number of persons of each photo, by integer id; a crowd counts as two."""
    return {number: len(photo.persons) + photo.crowds for number, photo in _read(root, year).items()}


def _read(root: Path, year: int) -> dict[int, _Photo]:
    files = {f"{part}{year}": root / "annotations" / f"instances_{part}{year}.json" for part in PARTS}
    there = {part: file for part, file in files.items() if file.is_file()}
    if not there:
        names = " or ".join(f"annotations/{file.name}" for file in files.values())
        raise InputError(f"{root} is no COCO tree of {year}: {names} is not in it")
    photos: dict[int, _Photo] = {}
    for part, file in there.items():
        try:
            content = msgspec.json.decode(file.read_bytes(), type=_Instances)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OSError) as error:
            raise InputError(f"{file.name} is not a COCO annotation file ({error})") from error
        for image in content.images:
            _add_photo(photos, image, root / part)
        _add_persons(photos, content.annotations, _person_ids(content.categories, file.name), file.name)
    return photos


def _person_ids(categories: list[_Category], name: str) -> set[str]:
    """The ids, as text, that the file `name` gives to the category person: 1 in COCO's own, 0 in many exports."""
    persons = {str(category.id) for category in categories if is_person(category.name)}
    if not persons:
        raise InputError(f'{name} has no category "person" among its {len(categories)} categories')
    for category in categories:
        if str(category.id) in persons and not is_person(category.name):
            raise InputError(f"{name} gives the id {category.id} to both person and {category.name}")
    return persons


def _add_photo(photos: dict[int, _Photo], image: _Image, folder: Path) -> None:
    size, rejection = (image.height, image.width), None
    if not is_bare(image.file_name):
        rejection = f"file_name {image.file_name!r} is not a file's name without a folder"
    elif min(size) < 1 or image.height * image.width > MAX_PIXELS:
        rejection = f"its annotation gives it {image.height}x{image.width} pixels"
    # A name that leads to another folder is never opened; the id's own name stands in its place.
    file = folder / (image.file_name if is_bare(image.file_name) else f"{image.id:012d}.jpg")
    known = photos.setdefault(image.id, _Photo(file, size, image.coco_url, rejection))
    if known.file != file:
        known.rejection = f"id is also that of {folder.name}/{file.name}"
    elif known.size != size:
        known.rejection = f"id is also that of a photo of {image.height}x{image.width} pixels"


def _add_persons(photos: dict[int, _Photo], annotations: list[_Annotation], person_ids: set[str], name: str) -> None:
    """The persons of one file; an annotation that stands in it twice is one person."""
    seen: dict[int, _Annotation] = {}
    for found in annotations:
        photo = photos.get(found.image_id)
        if str(found.category_id) not in person_ids or photo is None:
            continue
        first = found if found.id is None else seen.setdefault(found.id, found)
        if first is found:
            # A copy: a view would keep the whole file in memory.
            photo.persons.append(bytes(found.segmentation))
            photo.crowds += found.iscrowd != 0
        elif found != first:
            photo.rejection = f"two annotations of {name} have the id {found.id}"


def _mask(number: int, persons: list[bytes], size: tuple[int, int]) -> np.ndarray:
    """Union of the persons' masks, uint8 (H, W)."""
    mask = np.zeros(size, dtype=np.uint8)
    for person in persons:
        try:
            mask |= _rasterized(msgspec.json.decode(person), *size)
        # pycocotools' C code raises errors of many types.
        except Exception as error:
            raise InputError(f"the annotation of {number:012d} is no polygon or run length ({error})") from error
    return mask


def _rasterized(shape: Any, height: int, width: int) -> np.ndarray:
    """The mask of a segmentation, uint8 (H, W), which is checked first: pycocotools trusts what it is given."""
    if isinstance(shape, dict):
        if list(shape["size"]) != [height, width]:
            raise ValueError(f"run lengths of a photo of {shape['size']}")
        counts = shape["counts"]
        if isinstance(counts, str):
            counts = _uncompressed(counts)
        # pycocotools leaves the pixels that no run covers as they were in memory.
        if not all(isinstance(count, int) for count in counts) or min(counts) < 0 or sum(counts) != height * width:
            raise ValueError("run lengths that do not add up to the photo")
        run_lengths: Any = {"size": [height, width], "counts": counts}
        return rle.decode(rle.frPyObjects(run_lengths, height, width))
    for polygon in shape:
        corners = np.array(polygon, dtype=float)
        if corners.ndim != 1 or corners.size % 2 or corners.size < 4:
            raise ValueError("a polygon that is not x, y, x, y, ...")
        # pycocotools traces outlines pixel by pixel, so a distant corner costs memory and time.
        if not (np.abs(corners.reshape(-1, 2)) <= [2 * width, 2 * height]).all():
            raise ValueError("a polygon far outside of the photo")
    # A line between two points encloses nothing, and pycocotools would take it for a box.
    areas = [polygon for polygon in shape if len(polygon) >= 6]
    if not areas:
        return np.zeros((height, width), np.uint8)
    return rle.decode(rle.merge(rle.frPyObjects(areas, height, width)))


def _uncompressed(text: str) -> list[int]:
    """Run lengths of COCO's compressed text (maskApi.c, rleFrString); pycocotools reads past the end of a cut one.

    A character is "0" plus six bits: five of the number, the low ones first, and one that is set until its last
    character. The fifth bit of that is the sign. From the fourth number on it is the difference to the last but one.
    """
    if not _COMPRESSED.fullmatch(text):
        raise ValueError("compressed run lengths that break off")
    counts, number, shift = [], 0, 0
    for code in text.encode():
        bits = code - ord("0")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number = shift = 0
    return counts
