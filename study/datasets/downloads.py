"""What the downloads of the four sets share: addresses (sources.yaml), their result, photos fetched one by one.

Each `download_<set>(folder, archives, ...)` makes `folder` the set's official tree, without the photos that the filter
would not look at, from archives that it keeps in `archives`. It may be stopped at any moment and called again: what is
there is not fetched twice.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from bsn.errors import InputError
from study.checking import Section, read_yaml, validated
from study.fetch import Download, FetchError, fetch_files

# A single server may be down; so many photos in a row for which none answers mean that the network is.
UNREACHABLE_IN_A_ROW = 50


SOURCES_FILE = Path("sources.yaml")

Address = Annotated[
    str, Field(pattern=r"^https?://\S+$", description="an address that starts with http:// or https://")
]


class Archive(Section):
    """One official archive."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$", description="a file's name without a folder")]
    urls: Annotated[list[Address], Field(min_length=1, description="a list of addresses")]
    size: Annotated[int | None, Field(ge=1, description="bytes, a whole number")] = None
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$", description="64 hexadecimal digits")] = None
    md5: Annotated[str | None, Field(pattern=r"^[0-9a-f]{32}$", description="32 hexadecimal digits")] = None

    def download(self) -> Download:
        """The entry as study.fetch takes it."""
        return Download(name=self.name, urls=tuple(self.urls), size=self.size, sha256=self.sha256, md5=self.md5)


class Photos(Section):
    """COCO's photos, which are downloaded one by one. whole: bytes of the official zips of all photos."""

    mirrors: Annotated[list[Address], Field(description="a list of addresses")]
    whole: Annotated[int, Field(ge=1, description="bytes, a whole number")]


class Pfcn(Section):
    """PFCN's release, which holds the URLs of its photos."""

    release: Archive


class Coco(Section):
    """COCO's annotations per year, and its photos."""

    annotations_2014: Archive
    annotations_2017: Archive
    photos: Photos


class CocoStuff(Section):
    """COCO-Stuff 10K: one zip of everything."""

    release: Archive


class Sources(Section):
    """All of sources.yaml. voc: one archive per key, which starts with the year."""

    pfcn: Pfcn
    coco: Coco
    cocostuff: CocoStuff
    voc: Annotated[dict[Annotated[str, Field(pattern=r"^(2007|2008|2012)_\w+$")], Archive], Field(min_length=1)]


def load_sources() -> Sources:
    """Read and check sources.yaml. Raises InputError with one line per invalid value."""
    return validated(Sources, read_yaml(SOURCES_FILE))


@dataclass(frozen=True, kw_only=True)
class MissingPhoto:
    """A photo that could not be downloaded: its id, its address (empty where it has none), and why."""

    id: str
    url: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """Result of a download: the `root` of the official tree, one line about it, and the photos that it lacks."""

    root: Path
    summary: str
    missing: tuple[MissingPhoto, ...] = ()


def fetch_photos(photos: Mapping[str, Download], folder: Path, *, label: str) -> list[MissingPhoto]:
    """Fetch photos one by one into `folder`; return those that failed.

    Args:
        photos: what to fetch, by the photo's id.
        folder: the folder that the names of `photos` are relative to.
        label: title of the progress bar.

    Raises:
        InputError: no server answered for UNREACHABLE_IN_A_ROW photos in a row. A dead link is an answer.
    """
    missing, in_a_row = [], 0
    for name, (download, got) in zip(photos, fetch_files(photos.values(), folder, label=label), strict=True):
        if not isinstance(got, FetchError):
            in_a_row = 0
            continue
        missing.append(MissingPhoto(id=name, url=download.urls[0] if download.urls else "", reason=got.reason))
        in_a_row = in_a_row + 1 if got.unreachable else 0
        if in_a_row == UNREACHABLE_IN_A_ROW:
            raise InputError(
                f"no server answered for {in_a_row} photos in a row, for the last one because: {got}; "
                "run this again when the network is back, it continues where it stopped"
            )
    return missing


def write_missing(file: Path, photos: Sequence[MissingPhoto]) -> None:
    """Write a CSV with the columns id, url and reason, one row per photo."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["id", "url", "reason"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(photo) for photo in photos)


def gigabytes(size: int) -> str:
    """`size` bytes as text, such as 1.25 GB."""
    return f"{size / 1e9:.2f} GB"
