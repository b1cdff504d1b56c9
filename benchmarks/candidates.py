"""python -m benchmarks.candidates: time and memory of selecting COCO photos, relative to pycocotools' index.

Synthetic annotations of COCO's size: 123,287 photos, about 900,000 annotations, outlines as long as COCO's, crowds as
run lengths. Ours selects as the download does: every candidate with the exact mask area of one-person photos. The peer
loads and indexes them (pycocotools.coco.COCO). Each runs in its own process.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

PHOTOS = {"train": 118_287, "val": 5_000}
HEIGHT, WIDTH = 480, 640
OTHERS = 5.1  # mean number of other objects per photo
CROWDS = 0.05  # share of the photos with several persons that have a crowd region too
OUTLINES = 4_000  # number of different outlines


def write_annotations(folder: Path, rng: np.random.Generator) -> int:
    """Write `instances_{train,val}2017.json` to `folder` and return their size in bytes."""
    folder.mkdir(parents=True)
    outlines = [_outline(rng) for _ in range(OUTLINES)]
    crowds = [_crowd(rng) for _ in range(200)]
    first = 1
    for part, photos in PHOTOS.items():
        ids = range(first, first + photos)
        first += photos
        with (folder / f"instances_{part}2017.json").open("w") as stream:
            stream.write('{"info": {}, "licenses": [], "images": [')
            url = f"http://images.cocodataset.org/{part}2017"
            stream.write(
                ", ".join(
                    f'{{"license": 1, "file_name": "{n:012d}.jpg", "coco_url": "{url}/{n:012d}.jpg", '
                    f'"height": {HEIGHT}, "width": {WIDTH}, "date_captured": "2013-11-14 17:02:52", "id": {n}}}'
                    for n in ids
                )
            )
            stream.write('], "categories": [{"id": 1, "name": "person"}], "annotations": [')
            stream.write(", ".join(_annotations(ids, outlines, crowds, rng)))
            stream.write("]}")
    return sum(file.stat().st_size for file in folder.iterdir())


def _annotations(ids: range, outlines: list[str], crowds: list[str], rng: np.random.Generator) -> Iterator[str]:
    # As in COCO: about half of the photos show no person, a fifth exactly one.
    persons = rng.choice([0, 1, 2], len(ids), p=[0.46, 0.21, 0.33])
    persons = np.where(persons == 2, 2 + rng.poisson(4.4, len(ids)), persons)
    others = rng.poisson(OTHERS, len(ids))
    number = ids.start * 100
    for photo, people, things in zip(ids, persons, others, strict=True):
        categories = [1] * people + list(rng.integers(2, 91, things))
        for category in categories:
            number += 1
            yield _annotation(number, photo, category, outlines[rng.integers(len(outlines))], crowd=0)
        if people > 1 and rng.random() < CROWDS:
            number += 1
            yield _annotation(number, photo, 1, crowds[rng.integers(len(crowds))], crowd=1)


def _annotation(number: int, photo: int, category: int, segmentation: str, *, crowd: int) -> str:
    return (
        f'{{"segmentation": {segmentation}, "area": 702.1057499999998, "iscrowd": {crowd}, "image_id": {photo}, '
        f'"bbox": [473.07, 395.93, 38.65, 28.67], "category_id": {category}, "id": {number}}}'
    )


def _outline(rng: np.random.Generator) -> str:
    corners = int(rng.gamma(2, 9)) + 4
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radius = rng.lognormal(4, 0.8) * rng.uniform(0.7, 1.3, corners)
    x = np.clip(rng.uniform(0, WIDTH) + radius * np.cos(angle), 0, WIDTH).round(2)
    y = np.clip(rng.uniform(0, HEIGHT) + radius * np.sin(angle), 0, HEIGHT).round(2)
    return str([np.stack([x, y], axis=1).ravel().tolist()])


def _crowd(rng: np.random.Generator) -> str:
    counts = np.diff(np.sort(rng.choice(HEIGHT * WIDTH, 400, replace=False)), prepend=0).tolist()
    counts.append(HEIGHT * WIDTH - sum(counts))
    return f'{{"counts": {counts}, "size": [{HEIGHT}, {WIDTH}]}}'


def select(root: Path) -> None:
    """Select candidates: ours."""
    from study.datasets import coco
    from study.datasets.portraits import PortraitRule, annotated_rejection

    rule = PortraitRule(min_face=0.1, min_on_mask=0.5, box_margin=0.0)
    photos = chosen = 0
    for candidate in coco.candidates(root):
        photos += 1
        chosen += annotated_rejection(candidate, rule) is None
    print(f"{chosen} of {photos} photos to look at")


def index(root: Path) -> None:
    """Load and index the annotations: the peer."""
    from pycocotools.coco import COCO

    photos = [len(COCO(file).getImgIds(catIds=[1])) for file in sorted((root / "annotations").iterdir())]
    print(f"{sum(photos)} photos with a person in the index")


def _measured(name: str, root: Path) -> tuple[float, float]:
    started = time.perf_counter()
    process = os.posix_spawn(
        sys.executable, [sys.executable, "-m", "benchmarks.candidates", name, str(root)], os.environ
    )
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(f"{name} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    if len(sys.argv) == 3:
        {"select": select, "index": index}[sys.argv[1]](Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        size = write_annotations(root / "annotations", np.random.default_rng(0))
        print(f"{sum(PHOTOS.values())} photos, {size / 1e6:.0f} MB of annotations", flush=True)
        measured = {name: _measured(name, root) for name in ("select", "index")}
    print("| method | seconds | peak memory, MB |\n|---|---|---|")
    for name, label in (("select", "ours, with every mask's area"), ("index", "json and pycocotools' index, no mask")):
        print(f"| {label} | {measured[name][0]:.1f} | {measured[name][1]:.0f} |")
    (ours, memory), (theirs, peak) = measured["select"], measured["index"]
    print(f"ours takes {ours / theirs:.2f} of the peer's time and {memory / peak:.2f} of its memory")


if __name__ == "__main__":
    main()
