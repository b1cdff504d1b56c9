"""Photos fetched one by one, with a list of those that could not be had."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from bsn.errors import InputError
from study.datasets.candidates import Candidate
from study.datasets.portraits import PortraitRule, turned_down
from study.fetch import Download, FetchError, fetch_files

# Dead links are strewn about; so many in a row are a network that is down.
DEAD_IN_A_ROW = 50


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A photo that could not be had: its id, its address (empty: it has none), and why."""

    id: str
    url: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What a download has brought: the `root` of the official tree, a line about it, and the photos it lacks."""

    root: Path
    summary: str
    missing: tuple[Missing, ...] = ()


def wanted(candidates: Iterable[Candidate], rule: PortraitRule, *, label: str) -> list[Candidate]:
    """Those that the annotations alone do not turn down: only their photos are looked at, and so fetched."""
    return [found for found in tqdm(candidates, desc=label, unit=" photos") if turned_down(found, rule) is None]


def fetch_photos(photos: Mapping[str, Download], folder: Path, *, label: str) -> list[Missing]:
    """Fetch each photo (by id) into the folder; those that failed are returned.

    Raises InputError when DEAD_IN_A_ROW of them fail one after the other.
    """
    missing, in_a_row = [], 0
    for name, (download, got) in zip(photos, fetch_files(photos.values(), folder, label=label), strict=True):
        if not isinstance(got, FetchError):
            in_a_row = 0
            continue
        missing.append(Missing(id=name, url=download.urls[0], reason=str(got)))
        in_a_row += 1
        if in_a_row == DEAD_IN_A_ROW:
            raise InputError(
                f"{DEAD_IN_A_ROW} photos in a row could not be fetched, the last one because: {got}; "
                "run this again when the network is there, it goes on where it stopped"
            )
    return missing


def gigabytes(size: int) -> str:
    """Bytes for people."""
    return f"{size / 1e9:.2f} GB"
