"""PFCN: the release, then its photos one by one from where their owners have them, cropped as the release says."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bsn.alignment import FRAME
from bsn.disk import write_atomically
from bsn.errors import InputError
from bsn.photos import read_photo
from study.datasets import pfcn
from study.datasets.official.photos import Brought, Missing, fetch_photos
from study.fetch import Download, fetch_archives, unpack
from study.text import read_lines

MAX_BYTES = 5 * 10**9
FOLDERS = ("images_data_crop", "images_mask", "images_tracker")
FILES = ("trainlist.mat", "testlist.mat", "meanmask.png", "alldata_urls.txt", "crop.txt")
ORIGINALS = "images_data"
JPEG_QUALITY = 95

Crop = tuple[int, int, int, int]


def bring_pfcn(folder: Path, archives: Path, *, release: Download) -> Brought:
    """The release's masks, trackers and lists, and each listed photo as `images_data_crop/NNNNN.jpg`.

    A photo that the release does not hold is fetched by its address in `alldata_urls.txt`, kept under `images_data/`,
    cropped by `crop.txt` and brought to 800x600. What cannot be had is in `missing`. Raises FetchError when the release
    cannot be had.
    """
    (archive,) = fetch_archives([release], archives)
    unpack(archive, folder, wanted=_is_data, max_bytes=MAX_BYTES)
    root = _root(folder, release)
    listed = {candidate.id: candidate.photo for candidate in pfcn.candidates(root)}
    lacking = {name: file for name, file in listed.items() if not file.is_file()}
    urls, crops = read_urls(_file(root, "alldata_urls.txt")), read_crops(_file(root, "crop.txt"))
    missing = []
    photos = {}
    for name in lacking:
        if name not in crops:
            missing.append(Missing(id=name, url=urls.get(name) or "", reason="crop.txt does not name it"))
        elif not urls.get(name):
            missing.append(Missing(id=name, url="", reason="the release gives no address"))
        else:
            photos[name] = Download(name=f"{ORIGINALS}/{name}.jpg", urls=(urls[name],))
    dead = fetch_photos(photos, root, label="pfcn photos")
    missing += dead
    for name in photos.keys() - {photo.id for photo in dead}:
        try:
            write_atomically(lacking[name], [crop_photo(read_photo(root / photos[name].name), crops[name])])
        except InputError as reason:
            missing.append(Missing(id=name, url=urls[name], reason=str(reason)))
    missing.sort(key=lambda photo: photo.id)
    summary = f"{len(listed) - len(missing)} of {len(listed)} photos; {len(missing)} cannot be had"
    return Brought(root=root, summary=summary, missing=tuple(missing))


def crop_photo(photo: np.ndarray, crop: Crop) -> bytes:
    """A JPEG of `photo` (H, W, 3) RGB, cut to rows y0 to y1 and columns x0 to x1 (half open), then 800x600.

    Raises InputError when the photo is smaller than its crop: it is another one, as where the owner's site answers
    with a picture that says "no longer available".
    """
    y0, y1, x0, x1 = crop
    if y1 > photo.shape[0] or x1 > photo.shape[1]:
        raise InputError(
            f"the photo is {photo.shape[0]}x{photo.shape[1]}, its crop goes to row {y1} and column {x1}: another photo"
        )
    inside = photo[y0:y1, x0:x1]
    shrinks = inside.shape[0] > FRAME[0]
    resized = cv2.resize(inside, FRAME[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    buffer = io.BytesIO()
    Image.fromarray(resized).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def read_urls(file: Path) -> dict[str, str | None]:
    """`NNNNN.jpg URL` a line: address by id, None where the release says `None`."""
    return {name: None if url == "None" else url for name, url in _lines(file, fields=2)}


def read_crops(file: Path) -> dict[str, Crop]:
    """`NNNNN.jpg y0 y1 x0 x1` a line: y0, y1, x0, x1 by id, 0-based, half open."""
    crops = {}
    for name, *numbers in _lines(file, fields=5):
        if not all(number.isdecimal() for number in numbers):
            raise InputError(f"{file.name}: the crop of {name} is {' '.join(numbers)}, not four whole numbers")
        y0, y1, x0, x1 = map(int, numbers)
        if not (y0 < y1 and x0 < x1):
            raise InputError(f"{file.name}: the crop of {name} is empty: rows {y0} to {y1}, columns {x0} to {x1}")
        crops[name] = (y0, y1, x0, x1)
    return crops


def _lines(file: Path, *, fields: int) -> Iterator[list[str]]:
    """The fields of each line, the first without its `.jpg`; between them is white space or one of `,` and `;`."""
    for number, line in enumerate(read_lines(file), 1):
        cells = line.split()
        if len(cells) == 1:
            # An address may have commas of its own.
            cells = re.split("[,;]", cells[0], maxsplit=fields - 1)
        cells = [cell.strip(',;"') for cell in cells]
        if not any(cells):
            continue
        if len(cells) != fields:
            raise InputError(f"{file.name}, line {number}: {line!r} has {len(cells)} fields, not {fields}")
        yield [cells[0].removesuffix(".jpg"), *cells[1:]]


def _is_data(member: str) -> bool:
    """Whether a member of the release is data: its code, and what a Mac adds, stay packed."""
    *folders, name = member.split("/")
    return "__MACOSX" not in folders and (name in FILES or any(folder in FOLDERS for folder in folders))


def _root(folder: Path, release: Download) -> Path:
    """The folder above `data/`, wherever in the release it is."""
    found = sorted(folder.rglob("images_mask"))
    if len(found) != 1:
        raise InputError(f"{release.name} holds {len(found)} folders images_mask, not one: is it the PFCN release?")
    data = found[0].parent
    return data.parent if data.name == "data" else data


def _file(root: Path, name: str) -> Path:
    file = next((file for file in (root / "data" / name, root / name) if file.is_file()), None)
    if file is None:
        raise InputError(f"{root} holds no {name}: the photos cannot be fetched without it")
    return file
