"""Schema of sources.yaml: URLs, sizes and hashes of the official archives."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from study.checking import Section, read_yaml, validated
from study.fetch import Download

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
