"""python -m benchmarks.segment [PHOTOS TRUTH] [--peer "CMD {in} {out}"]: seconds, memory and quality of `bsn segment`.

Segments drawn 800x600 portraits, or a folder PHOTOS with true masks TRUTH of the same names, with models/bsn. The peer
is any command that reads the photos of the folder {in} and writes masks of their names to the folder {out}.
"""

# Cold: a new process for one photo, in processor and wall-clock time, the median of three. Warm: one more photo in a
# Python process that has segmented one. Folder: a new process for all photos; the start counts. Quality as in
# `bsn score`.

import argparse
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

import bsn
from bsn.cutout.photo_files import folder_files
from bsn.errors import InputError
from bsn.photos import read_photo
from bsn.score import score
from drawn.catalog import picture_of

DRAWN, ROUNDS, LARGE = 30, 3, (4243, 5657)  # photos; runs; width and height of 24 megapixels
GOALS = "3", "", "", ".15 (cut-out .4)", "10", "", "1500", "", ""
COLUMNS = (
    *("method", "cold, CPU s", "cold, s", "warm, CPU s", "warm, s", "photos/s over a folder", "peak, MB"),
    *("peak at 24 MP, MB", "Mean IoU", "Boundary IoU"),
)


@dataclass(frozen=True)
class Run:
    """One process: processor seconds, wall-clock seconds and peak memory in MB."""

    cpu: float
    wall: float
    peak: float


# Starts the command, because a process that this one starts would count this one's memory as its own.
LAUNCHER = """\
import os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(used.ru_utime + used.ru_stime, time.perf_counter() - started, used.ru_maxrss / 1e3)
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""


def run(command: Sequence[str]) -> Run:
    """Run a command to its end. Raises InputError if it fails."""
    done = subprocess.run([sys.executable, "-S", "-c", LAUNCHER, *command], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise InputError(f"{shlex.join(command)} failed")
    return Run(*map(float, done.stdout.split()))


def measure(
    name: str, command: Callable[[Path, Path], list[str]], photos: Path, truth: Path, work: Path, warm: str
) -> str:
    """Return a row of the table.

    Args:
        name: of the method.
        command: from the folders of photos and of masks to the command.
        photos: folder of photos.
        truth: folder of true masks.
        work: an empty folder, with `one` and `large` beside it, folders of one photo each.
        warm: its two columns, of a process that is warm.
    """
    outs = {kind: work / kind for kind in ("one", "large", "all")}
    for out in outs.values():
        out.mkdir(parents=True)
    cold = [run(command(work.parent / "one", outs["one"])) for _ in range(ROUNDS)]
    large = run(command(work.parent / "large", outs["large"]))
    whole = run(command(photos, outs["all"]))
    true = {file.stem.removesuffix("_mask"): file for file in folder_files(truth)}
    masks = {file.stem.removesuffix("_mask"): file for file in folder_files(outs["all"])}
    names = sorted(true.keys() & masks.keys())
    if not names:
        raise InputError(f"{name} wrote no mask with the name of a true one: {', '.join(sorted(masks)[:3]) or 'none'}")
    quality = score(masks, true, names, title=name)
    cpu, wall = (statistics.median(getattr(once, kind) for once in cold) for kind in ("cpu", "wall"))
    return (
        f"| {name} | {cpu:.2f} | {wall:.2f} | {warm} | {len(names) / whole.wall:.1f} | {cold[-1].peak:.0f} | "
        f"{large.peak:.0f} | {100 * quality['iou'].mean():.2f} | {100 * quality['boundary_iou'].mean():.2f} |"
    )


def warm_seconds(work: Callable[[Path], object], files: Sequence[Path]) -> str:
    """Median processor and wall-clock seconds per photo, the first one not counted."""
    seconds = []
    for file in files[: 2 * ROUNDS + 1]:
        started = time.process_time(), time.perf_counter()
        work(file)
        seconds.append((time.process_time() - started[0], time.perf_counter() - started[1]))
    return " | ".join(f"{statistics.median(values):.2f}" for values in zip(*seconds[1:], strict=True))


def draw(photos: Path, truth: Path) -> None:
    """Write drawn portraits and their masks."""
    for number in range(DRAWN):
        picture = picture_of("pfcn", number, 1)
        cv2.imwrite(str(photos / f"{number:02}.jpg"), picture.rgb[:, :, ::-1])
        cv2.imwrite(str(truth / f"{number:02}.png"), 255 * picture.people[0].astype("uint8"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="PHOTOS TRUTH")
    parser.add_argument("--peer", metavar="CMD")
    parser.add_argument("--model", default="models/bsn", metavar="DIR")
    parser.add_argument("--mean-mask", default="data/mean_mask/aligned.npy", metavar="FILE")
    options = parser.parse_args()
    if len(options.folders) not in (0, 2):
        parser.error("give two folders, PHOTOS and TRUTH, or none")

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        photos, truth = options.folders or (here / "photos", here / "truth")
        for made in ("photos", "truth", "one", "large"):
            (here / made).mkdir()
        if not options.folders:
            draw(photos, truth)
        files = folder_files(photos)
        (here / "one" / files[0].name).write_bytes(files[0].read_bytes())
        large = cv2.resize(read_photo(files[0])[:, :, ::-1], LARGE, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(here / "large" / "large.jpg"), large)

        def ours(source: Path, out: Path, *more: str) -> list[str]:
            trained = ["--model", options.model, "--mean-mask", options.mean_mask]
            return [sys.executable, "-m", "bsn", "segment", str(source), "--out", str(out), *trained, *more]

        def peer(source: Path, out: Path) -> list[str]:
            return [word.replace("{in}", str(source)).replace("{out}", str(out)) for word in shlex.split(options.peer)]

        portrait = bsn.Portrait.load(options.model, mean_mask=options.mean_mask)
        mask = warm_seconds(portrait.segment, files)
        cutout = warm_seconds(lambda file: portrait.cut_out(file).foreground, files)
        print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
        print(f"| goal | {' | '.join(GOALS)} |")
        masks = lambda source, out: ours(source, out, "--mask")  # noqa: E731
        for name, command, warm in (("ours, mask", masks, mask), ("ours, cut-out", ours, cutout)):
            print(measure(name, command, photos, truth, here / name, warm), flush=True)
        if options.peer:
            print(measure("peer", peer, photos, truth, here / "peer", " | "), flush=True)


if __name__ == "__main__":
    main()
