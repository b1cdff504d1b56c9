"""COCO: the annotations first, then only the photos that could be portraits."""

from collections.abc import Sequence
from pathlib import Path

from study.datasets import coco
from study.datasets.official.photos import Brought, fetch_photos, gigabytes, wanted
from study.datasets.portraits import PortraitRule
from study.fetch import Download, fetch_archives, unpack

# The zip holds 1.0 GB of captions, keypoints and instances.
MAX_BYTES = 4 * 10**9


def bring_coco(
    folder: Path,
    archives: Path,
    *,
    annotations: Download,
    mirrors: Sequence[str],
    whole: int,
    year: int,
    rule: PortraitRule,
) -> Brought:
    """`annotations/instances_{train,val}<year>.json` and the photos that `rule` will look at.

    A photo is fetched from the address that its annotation gives, then from `<mirror>/<part>/<file>` of each mirror.
    whole: bytes of all photos, to say what was saved. Raises FetchError when the annotations cannot be had.
    """
    (archive,) = fetch_archives([annotations], archives)
    parts = [f"annotations/instances_{part}{year}.json" for part in ("train", "val")]
    unpack(archive, folder, wanted=parts.__contains__, max_bytes=MAX_BYTES)
    found = list(coco.candidates(folder, year=year))
    chosen = wanted(found, rule, label="coco annotations")
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
    return Brought(root=folder, summary=summary, missing=tuple(missing))
