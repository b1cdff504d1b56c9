"""Seconds per photo of a method: one photo after another, in one process, without reading and writing files."""

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from bsn.photos import read_photo
from study.provenance import SOURCES, commit, environment

if TYPE_CHECKING:  # they load torch, which the table of stages/timings.py can do without
    from bsn.methods.prediction import Method, PhotoFile
    from study.evaluation import Sample

PHOTOS = 8
# One file per method evaluated on this machine, which git and DVC ignore: times differ from run to run, so that no out
# of a stage may hold them.
TIMINGS = Path("timings")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Time of one method on this machine.

    Attributes:
        seconds: per photo, by set; empty where it was not measured.
        environment: `study.provenance.environment` of the measurement.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


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


def write_timing(method: str, seconds: Mapping[str, float], *, profile: str, weights: str | None) -> None:
    """Write timings/<method>.json: seconds per photo by set, and the environment they were measured in.

    Args:
        method: its name.
        seconds: per photo, by set.
        profile: of the study.
        weights: fingerprint of the method's weights, None for a baseline.
    """
    made = {"profile": profile, **environment(), "commit": commit(Path(), SOURCES) or "unknown"}
    TIMINGS.mkdir(exist_ok=True)
    content = {"method": method, "weights": weights, "made": made, "seconds": seconds}
    (TIMINGS / f"{method}.json").write_text(json.dumps(content) + "\n")


def read_timing(folder: Path, method: str, *, profile: str, weights: str | None) -> Timing:
    """Time of a method with these weights in this profile, from the project in `folder`; empty without one."""
    file = folder / TIMINGS / f"{method}.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    if not found or (found["made"]["profile"], found.get("weights")) != (profile, weights):
        return Timing()
    made = {key: value for key, value in found["made"].items() if key not in ("profile", "commit")}
    return Timing(seconds=found["seconds"], environment=made)
