"""PFCN (Shen et al. 2016): the download, and the release's photos, masks, lists and 49-point face trackers.

The tree is `data/images_data_crop/NNNNN.jpg`, `data/images_mask/NNNNN_mask.mat` (`mask`, {0, 1}),
`data/images_tracker/NNNNN.mat` (`tracker`), `trainlist.mat` and `testlist.mat` beside them or one folder up. The
release holds no photos: they are fetched from their owners by its `alldata_urls.txt`, and cropped by its `crop.txt`.
"""

import io
import re
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bsn.alignment import FRAME
from bsn.disk import write_atomically
from bsn.errors import InputError
from bsn.matlab import read_leaves, read_matrix
from bsn.photos import read_photo
from study.datasets.downloads import Downloaded, MissingPhoto, fetch_photos
from study.datasets.index import Candidate
from study.fetch import Download, fetch_archives, unpack
from study.text import read_lines

FOLDERS = ("images_data_crop", "images_mask", "images_tracker")
FILES = ("trainlist.mat", "testlist.mat", "meanmask.png", "alldata_urls.txt", "crop.txt")
ORIGINALS = "images_data"  # folder of the owners' photos, before they are cropped
MAX_BYTES = 5 * 10**9
JPEG_QUALITY = 95

# Of the release's 1.2 million pairs of photos, those of one scene (identical, in grey, a moment later, cropped
# differently) correlate by at least .89. The next pair has .871, and no photo has more than .882 with a mirrored other.
SAME_SCENE = 0.885
SOMEWHAT_ALIKE = 0.4
# Views of a photo, as shares of its sides, at 3 x 3 places each: one of them matches a scene cropped otherwise.
VIEWS = (1.0, 0.93, 0.86, 0.78)
SMALL, TINY = (96, 128), (24, 32)  # pixels, width and height, of the photo that views are cut from, and of a view
POINTS = 49  # of a face
FAR = 2000  # pixels; larger coordinates are invalid, as the photos are 600 wide and 800 high
# 1, 1.0, 00001 or 00001.jpg: numbers and names as lists have them.
_NUMBER = re.compile(r"\s*(\d{1,9})(?:\.0|\.jpg)?\s*", re.ASCII | re.IGNORECASE)

Crop = tuple[int, int, int, int]  # rows y0 to y1, then columns x0 to x1, 0-based, half open


def download_pfcn(folder: Path, archives: Path, *, release: Download) -> Downloaded:
    """Download masks, trackers and lists, and each listed photo as `images_data_crop/NNNNN.jpg`.

    A photo that the release does not hold is fetched by its address in `alldata_urls.txt`, kept under `images_data/`,
    cropped by `crop.txt` and resized to 800x600.

    Args:
        folder: the tree is made in it.
        archives: keeps the release.
        release: the zip.

    Raises:
        FetchError: no address serves the release.
        InputError: it is another archive.
    """
    (archive,) = fetch_archives([release], archives)
    unpack(archive, folder, wanted=_is_data, max_bytes=MAX_BYTES)
    root = _root(folder, release)
    listed = {candidate.id: candidate.photo for candidate in candidates(root)}
    lacking = {name: file for name, file in listed.items() if not file.is_file()}
    urls, crops = read_urls(_file(root, "alldata_urls.txt")), read_crops(_file(root, "crop.txt"))
    missing, photos = [], {}
    for name in lacking:
        url = urls.get(name)
        if name not in crops:
            missing.append(MissingPhoto(id=name, url=url or "", reason="crop.txt does not name it"))
        elif not url:
            missing.append(MissingPhoto(id=name, url="", reason="the release gives no address"))
        else:
            photos[name] = Download(name=f"{ORIGINALS}/{name}.jpg", urls=(url,))
    dead = fetch_photos(photos, root, label="pfcn photos")
    missing += dead
    for name in photos.keys() - {photo.id for photo in dead}:
        try:
            write_atomically(lacking[name], [crop_photo(read_photo(root / photos[name].name), crops[name])])
        except InputError as reason:
            missing.append(MissingPhoto(id=name, url=photos[name].urls[0], reason=str(reason)))
    missing.sort(key=lambda photo: photo.id)
    summary = f"{len(listed) - len(missing)} of {len(listed)} photos; {len(missing)} cannot be had"
    return Downloaded(root=root, summary=summary, missing=tuple(missing))


def crop_photo(photo: np.ndarray, crop: Crop) -> bytes:
    """Crop an owner's photo and resize it to 800x600.

    Args:
        photo: (H, W, 3) uint8 RGB.
        crop: the photo's line of `crop.txt`.

    Returns:
        A JPEG.

    Raises:
        InputError: the photo is smaller than its crop, so it is another one, such as a site's picture "no longer
            available".
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
    """The address by id from lines of `NNNNN.jpg URL`; None where the release says `None`."""
    return {name: None if url == "None" else url for name, url in _lines(file, fields=2)}


def read_crops(file: Path) -> dict[str, Crop]:
    """The crop by id from lines of `NNNNN.jpg y0 y1 x0 x1`. Raises InputError for a bad line."""
    crops = {}
    for name, *numbers in _lines(file, fields=5):
        if not all(number.isdecimal() and len(number) < 10 for number in numbers):
            raise InputError(f"{file.name}: the crop of {name} is {' '.join(numbers)}, not four whole numbers")
        y0, y1, x0, x1 = map(int, numbers)
        if not (y0 < y1 and x0 < x1):
            raise InputError(f"{file.name}: the crop of {name} is empty: rows {y0} to {y1}, columns {x0} to {x1}")
        crops[name] = (y0, y1, x0, x1)
    return crops


def candidates(root: Path, *, validation: Collection[int] = ()) -> Iterator[Candidate]:
    """Read the lists: the test photos, the validation photos, then the other training photos; `id` is NNNNN.

    Args:
        root: the release.
        validation: numbers of photos in the training list that are kept out of training, to choose settings on.

    Raises:
        InputError: there is no release at `root`, or a validation photo is not in its training list.
    """
    data = _data(root)
    listed = {name: _numbers(root, data, f"{name}list") for name in ("test", "train")}
    held_out = set(validation)
    strangers = sorted(held_out - set(listed["train"]))
    if strangers:
        raise InputError(
            f"validation names {', '.join(map(str, strangers))}, which the training list does not; leave them out"
        )
    chosen = [number for number in listed["train"] if number in held_out]
    rest = [number for number in listed["train"] if number not in held_out]
    for split, numbers in (("test", listed["test"]), ("validation", chosen), ("train", rest)):
        for number in numbers:
            name = f"{number:05d}"
            yield Candidate(
                id=name,
                split=split,
                photo=data / "images_data_crop" / f"{name}.jpg",
                count_persons=lambda: None,
                load_mask=partial(_mask, data / "images_mask" / f"{name}_mask.mat"),
            )


def tracker(root: Path, name: str) -> np.ndarray | None:
    """The 49 points of photo `name`, float32 (49, 2) x, y in photo pixels; None where no face was found.

    Of two faces it is the one with the larger spread of points: in all 16 such photos of the release the other one is a
    pendant, a pet, a doll, a cup or somebody far behind. Pendants and cups are on the person's mask, so that the mask
    cannot tell. Raises InputError when there is no tracker or it holds no points of a face.
    """
    leaves = read_leaves(_data(root) / "images_tracker" / f"{name}.mat", "tracker")
    matrices = [leaf for leaf in leaves if isinstance(leaf, np.ndarray) and leaf.size]
    if not matrices:
        return None
    # A tracker's struct has other fields, such as the pose.
    points = [matrix for matrix in matrices if matrix.shape[1:] == (2,) and len(matrix) % POINTS == 0]
    if not points:
        raise InputError(f"the tracker of {name} is {matrices[0].shape}, not a multiple of {POINTS} points x, y")
    faces = [face for matrix in points for face in matrix.reshape(-1, POINTS, 2) if _is_face(face)]
    if not faces:
        raise InputError(f"the tracker of {name} has points that are no numbers, outside of the photo or all in one")
    return max(faces, key=lambda face: np.prod(np.ptp(face, axis=0))).astype(np.float32)


def _is_face(points: np.ndarray) -> bool:
    """Whether an affine map can be fitted to the points; comparisons with NaN are false."""
    return bool((np.abs(points) < FAR).all() and np.ptp(points, axis=0).min() >= 1)


def views(photo: np.ndarray) -> np.ndarray:
    """Vectors that `Scenes` compares: of the whole photo and 27 crops of it.

    Args:
        photo: (H, W, 3) uint8 RGB.

    Returns:
        float32 (28, 2304), each row of mean 0 and length 1.
    """
    small = cv2.resize(photo, SMALL, interpolation=cv2.INTER_AREA)
    found = []
    for share in VIEWS:
        width, height = (round(side * share) for side in SMALL)
        places = 1 if share == 1 else 3
        for top in np.linspace(0, SMALL[1] - height, places).astype(int):
            for left in np.linspace(0, SMALL[0] - width, places).astype(int):
                view = cv2.resize(small[top : top + height, left : left + width], TINY, interpolation=cv2.INTER_AREA)
                centred = view.ravel().astype(np.float32)
                centred -= centred.mean()
                found.append(centred / max(float(np.linalg.norm(centred)), 1e-6))
    return np.stack(found)


class Scenes:
    """Finds photos that show one scene, by their `views`."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._views = np.empty((0, 28, 3 * TINY[0] * TINY[1]), np.float32)

    def add(self, name: str, seen: np.ndarray) -> None:
        """Add a photo and its `views`."""
        self._names.append(name)
        if len(self._names) > len(self._views):
            self._views = np.concatenate([self._views, np.empty((256, *seen.shape), np.float32)])
        self._views[len(self._names) - 1] = seen

    def like(self, seen: np.ndarray) -> list[str]:
        """Names of the photos that show the scene of this one: a view of either correlates with the whole other."""
        known = self._views[: len(self._names)]
        if not len(known):
            return []
        # Views of a photo overlap: where the whole photos differ much, no pair of views is compared.
        near = np.flatnonzero(known[:, 0] @ seen[0] > SOMEWHAT_ALIKE)
        closer = known[near]
        best = np.maximum((closer[:, 0] @ seen.T).max(axis=1), (closer @ seen[0]).max(axis=1))
        return [self._names[number] for number, value in zip(near, best, strict=True) if value >= SAME_SCENE]


def _data(root: Path) -> Path:
    for data in (root / "data", root):
        if (data / "images_mask").is_dir():
            return data
    raise InputError(f"{root} is no PFCN release: neither data/images_mask nor images_mask is in it")


def _numbers(root: Path, data: Path, name: str) -> list[int]:
    file = next((f for f in (data / f"{name}.mat", root / f"{name}.mat") if f.is_file()), data / f"{name}.mat")
    entries = [entry for leaf in read_leaves(file, name) for entry in np.ravel(leaf).tolist() if str(entry).strip()]
    numbers = set()
    for entry in entries:
        number = _NUMBER.fullmatch(str(entry))
        if number is None:
            raise InputError(f"{file.name} lists {entry!r}, not a photo's number or name, such as 1 or 00001.jpg")
        numbers.add(int(number[1]))
    return sorted(numbers)


def _mask(file: Path) -> np.ndarray:
    mask = read_matrix(file, "mask")
    if not np.isin(mask, (0, 1)).all():
        raise InputError(f"{file.name} holds something else than a {{0, 1}} mask")
    return mask.astype(np.uint8)


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
    """Whether a member of the release is data; code and macOS' own files are not unpacked."""
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
