"""COCO-Stuff 10K: of its one zip the lists, the label maps of one-person photos, and the photos to look at."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from bsn.errors import InputError
from study.datasets import cocostuff
from study.datasets.official.photos import Brought, gigabytes, wanted
from study.datasets.portraits import PortraitRule
from study.fetch import Download, NoRanges, RemoteZip, fetch_archives, names, unpack

MAX_BYTES = 20 * 10**9
LIST = "imageLists/all.txt"


class Members(Protocol):
    """A zip here or far away: its members' `names`, its `size` in bytes, and how to have some of them."""

    names: list[str]
    size: int

    def fetch(self, names: Collection[str], out: Path, *, label: str) -> int:
        """Write the members below `out`; the bytes that came over the network."""


class LocalZip:
    """`Members` of an archive on this disk."""

    def __init__(self, file: Path) -> None:
        self.file, self.size, self.names = file, file.stat().st_size, names(file)

    def fetch(self, names: Collection[str], out: Path, *, label: str) -> int:
        """As Members says; nothing comes over the network."""
        unpack(self.file, out, wanted=set(names).__contains__, max_bytes=MAX_BYTES)
        return 0


def bring_cocostuff(
    folder: Path, archives: Path, *, release: Download, person_counts: Mapping[int, int], rule: PortraitRule
) -> Brought:
    """`imageLists/`, `annotations/*.mat` of one-person photos, and the `images/*.jpg` that `rule` will look at.

    person_counts: as in `study.datasets.cocostuff.candidates`. A server that does not give parts of a file, or a zip
    that is in `archives` already, is read whole. Raises FetchError when no address serves it.
    """
    members = _members(release, archives)
    place = next((name for name in members.names if name == LIST or name.endswith(f"/{LIST}")), None)
    if place is None:
        raise InputError(f"{release.name} is no COCO-Stuff 10K: {LIST} is not in it")
    prefix = place.removesuffix(LIST)
    root = folder / prefix
    lists = [name for name in members.names if name.startswith(f"{prefix}imageLists/") and name.endswith(".txt")]
    came = members.fetch(lists, folder, label="cocostuff lists")
    names = sorted(cocostuff.listed(root), key=cocostuff.number)
    maps = [f"{prefix}annotations/{name}.mat" for name in names if person_counts.get(cocostuff.number(name), 1) == 1]
    there = set(members.names)
    came += members.fetch([name for name in maps if name in there], folder, label="cocostuff label maps")
    chosen = wanted(cocostuff.candidates(root, person_counts=person_counts), rule, label="cocostuff annotations")
    photos = [candidate.photo.relative_to(folder).as_posix() for candidate in chosen]
    came += members.fetch([name for name in photos if name in there], folder, label="cocostuff photos")
    summary = (
        f"{len(maps)} label maps and {len(photos)} photos of {len(names)}, {gigabytes(came)} fetched of "
        f"{gigabytes(members.size)}"
    )
    return Brought(root=root, summary=summary)


def _members(release: Download, archives: Path) -> Members:
    if not (archives / release.name).is_file():
        try:
            return RemoteZip(release.urls, name=release.name, folder=archives)
        except NoRanges as reason:
            print(f"{reason}; fetching all of {release.name}")
    (archive,) = fetch_archives([release], archives)
    return LocalZip(archive)
