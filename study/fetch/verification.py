"""Whether a fetched file is the right one."""

from pathlib import Path

from study.fetch.checksums import Record, digests
from study.fetch.downloads import Download
from study.fetch.web import Refused


def checked(download: Download, file: Path, record: Record | None) -> dict[str, str]:
    """The digests of `file`, found right; none where nobody asks for them. Raises Refused with what is wrong.

    record: remembers the first copy of what has no published hash; None where a change is of no interest.
    """
    size = file.stat().st_size
    if download.size is not None and size != download.size:
        raise Refused(f"{size} bytes, published are {download.size}")
    if not download.hashed and _is_page(file):
        raise Refused("a page, not the file")
    if record is None and not download.hashed:
        return {}
    found = digests(file) if record is None else record.digests(file, download.name)
    for kind, published in (("sha256", download.sha256), ("md5", download.md5)):
        if published is not None and found[kind] != published.lower():
            raise Refused(f"its {kind} is {found[kind]}, published is {published}")
    if record is not None and not download.hashed:
        change = record.changed_since_first_seen(download.name, found["sha256"], size)
        if change is not None:
            raise Refused(change)
    return found


def _is_page(file: Path) -> bool:
    """Whether the file begins as a web page does, whatever the server called it."""
    with file.open("rb") as stream:
        return stream.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))
