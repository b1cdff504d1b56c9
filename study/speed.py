"""Seconds per photo of a method: one photo after another, in one process, without reading and writing files."""

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from bsn.photos import read_photo
from study.provenance import commit, environment
from study.tracking.stages import SOURCES

if TYPE_CHECKING:  # they load torch, which the table of stages/timings.py can do without
    from bsn.methods.prediction import Method, PhotoFile
    from study.evaluation import Sample

PHOTOS = 8
# One file per method evaluated on this machine, which git and DVC ignore: times differ from run to run, so that no out
# of a stage may hold them.
TIMINGS = Path("timings")


def seconds_per_set(method: "Method", samples: Sequence["Sample"]) -> dict[str, float]:
    """`seconds_per_photo` of each set that has samples."""
    files: dict[str, list[PhotoFile]] = defaultdict(list)
    for sample in samples:
        files[sample.set].append(sample.file)
    return {set_name: seconds_per_photo(method, photos) for set_name, photos in files.items()}


def seconds_per_photo(method: "Method", files: Sequence["PhotoFile"]) -> float:
    """Median seconds over at most PHOTOS photos, evenly spread over `files` (at least one), after one to warm up."""
    places = np.unique(np.linspace(0, len(files) - 1, PHOTOS).round().astype(int))
    method(read_photo(files[0].photo), files[0].affine)
    return median(_seconds(method, files[place]) for place in places)


def _seconds(method: "Method", file: "PhotoFile") -> float:
    photo = read_photo(file.photo)
    started = time.perf_counter()
    method(photo, file.affine)
    return time.perf_counter() - started


def write_timing(method: str, seconds: Mapping[str, float], *, profile: str) -> None:
    """Write timings/<method>.json: seconds per photo by set, and the environment they were measured in."""
    made = {"profile": profile, **environment(), "commit": commit(Path(), SOURCES) or "unknown"}
    TIMINGS.mkdir(exist_ok=True)
    (TIMINGS / f"{method}.json").write_text(json.dumps({"method": method, "made": made, "seconds": seconds}) + "\n")
