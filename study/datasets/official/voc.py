"""PASCAL VOC: each year's archive whole, for its hash; of its files only those of segmented photos with one person."""

from collections.abc import Iterable
from pathlib import Path

from bsn.errors import InputError
from study.datasets import voc
from study.datasets.official.photos import Brought, wanted
from study.datasets.portraits import PortraitRule
from study.fetch import Download, fetch_archives, names, unpack

MAX_BYTES = 10 * 10**9
LISTS = "/ImageSets/Segmentation/"
ANNOTATIONS = ("SegmentationClass", "SegmentationObject", "Annotations")


def bring_voc(folder: Path, archives: Path, *, releases: Iterable[Download], rule: PortraitRule) -> Brought:
    """`VOCdevkit/VOC<year>/`: lists and annotations of the segmented photos, and the photos that `rule` will look at.

    Raises FetchError when an archive cannot be had. The archives bear the year in their names (2008's and 2012's
    differ), so that none is written over another.
    """
    files = fetch_archives(list(releases), archives)
    inside = {file: names(file) for file in files}

    def unpack_all(chosen: Iterable[str]) -> None:
        chosen = set(chosen)
        for file in files:
            unpack(file, folder, wanted=chosen.__contains__, max_bytes=MAX_BYTES)

    members = [name for found in inside.values() for name in found]
    unpack_all(name for name in members if LISTS in name and name.endswith(".txt"))
    segmented = {place: set(listed) for place, listed in voc.listed(folder).items()}
    if not segmented:
        raise InputError(f"{', '.join(file.name for file in files)}: no VOCdevkit/VOC<year>{LISTS}*.txt in them")
    unpack_all(name for name in members if _is_of(name, ANNOTATIONS, segmented))
    chosen = wanted(voc.candidates(folder), rule, label="voc annotations")
    photos = {candidate.photo.relative_to(folder).as_posix() for candidate in chosen}
    unpack_all(photos)
    total = sum(map(len, segmented.values()))
    summary = f"{len(photos)} photos to look at, of {total} segmented ones in {len(segmented)} years"
    return Brought(root=folder, summary=summary)


def _is_of(member: str, folders: tuple[str, ...], segmented: dict[str, set[str]]) -> bool:
    """Whether VOCdevkit/VOC2012/<one of folders>/<name>.* is about a photo that the year's lists name."""
    parts = member.split("/")
    return len(parts) == 4 and parts[2] in folders and Path(parts[3]).stem in segmented.get(parts[1], ())
