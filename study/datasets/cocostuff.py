"""COCO-Stuff 10K v1.1: the download, and the person label of its pixel maps.

`imageLists/{train,test,all}.txt` name the photos (COCO_train2014_000000000009), which are `images/<name>.jpg`;
`annotations/<name>.mat` hold `S` (H, W): 0 unlabelled, 1 person, other things and stuff above.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from bsn.errors import InputError
from bsn.matlab import read_matrix
from bsn.photos import MAX_PIXELS
from study.datasets.downloads import Downloaded, gigabytes
from study.datasets.index import Candidate, is_bare
from study.datasets.portraits import PortraitRule, possible_portraits
from study.fetch import Download, NoRanges, RemoteZip, fetch_archives, member_names, unpack
from study.text import read_names

PERSON, UNLABELLED = 1, 0
LISTS = ("train", "test", "all")
MAX_BYTES = 20 * 10**9
# Smaller pieces of the person label, as a share of the photo, are cut-off parts of a person and not another person.
MIN_PERSON = 0.01


class Members(Protocol):
    """A zip on this disk or on a server: its members' `names`, its `size` in bytes, and their extraction."""

    names: list[str]
    size: int

    def fetch(self, names: Sequence[str], out: Path, *, label: str) -> int:
        """Extract members below `out`; return the number of bytes received over the network."""
        ...


class LocalZip:
    """`Members` of an archive on this disk."""

    def __init__(self, file: Path) -> None:
        self.file, self.size, self.names = file, file.stat().st_size, member_names(file)

    def fetch(self, names: Sequence[str], out: Path, *, label: str) -> int:
        """Extract members below `out`; returns 0, as nothing is received over the network."""
        unpack(self.file, out, wanted=set(names).__contains__, max_bytes=MAX_BYTES)
        return 0


def download_cocostuff(
    folder: Path, archives: Path, *, release: Download, person_counts: Mapping[int, int], rule: PortraitRule
) -> Downloaded:
    """Download the lists, the label maps of one-person photos, and the photos that these do not reject.

    Args:
        folder: the tree is made in it.
        archives: keeps the zip where it is read whole: it is there already, or its server serves no parts of files.
        release: the zip.
        person_counts: as in `candidates`.
        rule: the portrait filter's.

    Raises:
        FetchError: no address serves the zip.
        InputError: it is another archive.
    """
    members = _members(release, archives)
    anchor = "imageLists/all.txt"
    place = next((name for name in members.names if name == anchor or name.endswith(f"/{anchor}")), None)
    if place is None:
        raise InputError(f"{release.name} is no COCO-Stuff 10K: {anchor} is not in it")
    prefix = place.removesuffix(anchor)
    root, there = folder / prefix, set(members.names)
    lists = [name for name in members.names if name.startswith(f"{prefix}imageLists/") and name.endswith(".txt")]
    received = members.fetch(lists, folder, label="cocostuff lists")
    photos = sorted(listed(root), key=number)
    maps = [f"{prefix}annotations/{name}.mat" for name in photos if person_counts.get(number(name), 1) == 1]
    received += members.fetch([name for name in maps if name in there], folder, label="cocostuff label maps")
    found = possible_portraits(candidates(root, person_counts=person_counts), rule, label="cocostuff annotations")
    chosen = [candidate.photo.relative_to(folder).as_posix() for candidate in found]
    received += members.fetch([name for name in chosen if name in there], folder, label="cocostuff photos")
    summary = (
        f"{len(maps)} label maps and {len(chosen)} photos of {len(photos)}, {gigabytes(received)} fetched of "
        f"{gigabytes(members.size)}"
    )
    return Downloaded(root=root, summary=summary)


def candidates(root: Path, *, person_counts: Mapping[int, int]) -> Iterator[Candidate]:
    """Read the lists: one candidate per photo, in the order of their ids, each of COCO's twelve digits.

    Args:
        root: the tree.
        person_counts: number of persons by COCO's integer id (`study.datasets.coco.person_counts`), as the pixel maps
            do not tell persons apart. For a photo that is not in it, the `pieces` of the person label are counted.

    Raises:
        InputError: as `listed`.
    """
    photos: dict[int, list[str]] = {}
    for name in sorted(listed(root)):
        photos.setdefault(number(name), []).append(name)
    for key in sorted(photos):
        name, *others = photos[key]
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
    """The names in all lists of the tree. Raises InputError when there are none, or one is not a photo's name."""
    files = [root / "imageLists" / f"{name}.txt" for name in LISTS]
    photos = {name for file in files if file.is_file() for name in read_names(file)}
    if not photos:
        raise InputError(f"{root} is no COCO-Stuff tree: imageLists/{{train,test,all}}.txt name no photo")
    for name in photos:
        number(name)
    return photos


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


def _members(release: Download, archives: Path) -> Members:
    if not (archives / release.name).is_file():
        try:
            return RemoteZip(release.urls, name=release.name, folder=archives)
        except NoRanges:
            print(f"{release.name}: the server sends no parts of a file; downloading the whole archive")
    (archive,) = fetch_archives([release], archives)
    return LocalZip(archive)
