"""Helpers of the download tests: a file's content, ways to fetch it, and the size of its partial file."""

import hashlib
import random
from pathlib import Path

import pytest

from study.fetch import Download, FetchError, fetch_archives

CONTENT = random.Random(1).randbytes(300_000)
HALF = 150_000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def published(*urls: str, content: bytes = CONTENT, **more) -> Download:
    """Download with a published size and hash."""
    return Download(**{"name": "a.bin", "urls": urls, "size": len(content), "sha256": sha256(content), **more})


def unpublished(*urls: str, **more) -> Download:
    return Download(**{"name": "a.bin", "urls": urls, **more})


def fetch(folder: Path, download: Download) -> bytes:
    (file,) = fetch_archives([download], folder)
    assert file == folder / download.name
    assert not list(folder.rglob("*.part*")), "a finished file leaves no part behind"
    return file.read_bytes()


def refusal(folder: Path, *downloads: Download) -> str:
    """Assert that fetching fails, and return its one-line message."""
    with pytest.raises(FetchError) as caught:
        fetch_archives(downloads, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def broken_off(site, folder: Path, download: Download, path: str) -> None:
    """Fetch half of `path` into the partial file, as a process that ended midway would."""
    site.fail(path, breaks_after=HALF)
    site.fail(path, status=404)
    refusal(folder, download)
    assert (folder / "a.bin.part").stat().st_size == HALF
    assert not (folder / "a.bin").exists()
    site.requests.clear()


def part_size(folder: Path) -> int:
    part = folder / "a.bin.part"
    return part.stat().st_size if part.exists() else 0
