"""python -m experiments.verify [--keep FOLDER]: reproduce the last commit from nothing and compare its numbers.

Runs `dvc repro` in a clone (in FOLDER, which stays) and compares metrics/methods/*.json, metrics/tables.json and
reports/table*.csv. Where the profile pins the instruction set and there is no GPU, all digits must agree; otherwise
each number may differ by its entry in ALLOWED. Exits with 1 where one differs by more or is missing, or DVC fails.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import yaml
from dvc.utils.flatten import flatten

from bsn.errors import InputError
from bsn.model_format import BASELINES
from experiments.clone import clone, clone_variables
from experiments.commands import run_attached
from study.provenance import machine
from study.runner import run_stage

FILES = ("metrics/methods/*.json", "metrics/tables.json", "reports/table*.csv")
NATIVE = "native"  # a profile's `instructions` where no instruction set is pinned

# Another instruction set rounds sums differently, which after some hundred steps acts like another seed. So a number
# may differ like networks of two seeds: by four standard deviations over three seeds of the sketch trials (60 photos;
# not committed) times the root of two; on fewer photos by more, as their root. Anything else, such as parameters, may
# not differ.
ALLOWED = {
    "mean_iou": 0.03,
    "mean_iou_low": 0.04,
    "mean_iou_high": 0.03,
    "difference": 0.03,
    "gain": 0.04,
    "gain_low": 0.05,
    "gain_high": 0.05,
    "miou_two_class": 0.04,
    "boundary_iou": 0.09,
    "boundary_iou_gain": 0.12,
    "boundary_iou_gain_low": 0.14,
    "boundary_iou_gain_high": 0.14,
    "boundary_f": 0.12,
    "band": 0.1,
}
PHOTOS = 60
# Without training, rounding errors do not grow.
ALLOWED_UNTRAINED = 0.005


@dataclass(frozen=True)
class Difference:
    """A value that differs from the commit's; None where one side has no such value."""

    file: str
    key: str
    committed: Any
    now: Any
    allowed: float

    @property
    def distance(self) -> float:
        """Absolute difference; infinite where a side is not a number."""
        numbers = isinstance(self.committed, int | float) and isinstance(self.now, int | float)
        return abs(self.now - self.committed) if numbers else math.inf

    @property
    def too_large(self) -> bool:
        """Whether the distance exceeds what is allowed, apart from rounding."""
        return not self.distance <= self.allowed + 1e-9

    def __str__(self) -> str:
        distance = f"{self.distance:.6f}" if math.isfinite(self.distance) else "-"
        return (
            f"{self.file} {self.key}: committed {self.committed}, now {self.now}, difference {distance}, "
            f"allowed {self.allowed:.3g}{' <- more than allowed' if self.too_large else ''}"
        )


def verify(*arguments: str) -> None:
    """Verify the commit and exit with 1 where it is not reproduced.

    Raises:
        InputError: there is no commit, nothing to compare, or `dvc repro` failed.
    """
    parser = argparse.ArgumentParser(
        prog="python -m experiments.verify", description="Run the last commit again, and compare its numbers."
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="clone to FOLDER and keep it")
    keep = parser.parse_args(arguments).keep
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="verify-")))
        head, folder = clone(Path(), keep or scratch / "clone")
        committed = read(folder)
        if not committed:
            raise InputError(f"commit {head[:10]} has none of {', '.join(FILES)}: nothing to compare")
        print(f"commit {head[:10]} in {folder}: running every stage", flush=True)
        command = (sys.executable, "-m", "dvc", "repro", "--force", "--no-run-cache")
        if run_attached(command, folder=folder, variables=clone_variables(scratch)):
            raise InputError(f"commit {head[:10]} is not verified: dvc repro failed in the clone, see above")
        differences = find_differences(
            committed, read(folder), exact=pins_instructions(folder) and machine().endswith("no GPU")
        )
    for difference in differences:
        print(difference)
    print(verdict(head, committed, differences))
    if any(difference.too_large for difference in differences):
        raise SystemExit(1)


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Return {file: {key: value}} of all that is compared in a checkout."""
    return {
        str(file.relative_to(folder)): dict(
            _rows(file) if file.suffix == ".csv" else flatten(json.loads(file.read_text()))
        )
        for pattern in FILES
        for file in sorted(folder.glob(pattern))
    }


def find_differences(
    committed: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]], *, exact: bool
) -> list[Difference]:
    """Return the differences between two results of `read`, sorted; `exact` allows none of them."""
    photos = {
        key.split(".")[1]: value
        for values in committed.values()
        for key, value in values.items()
        if _counts_photos(key)
    }
    found = []
    for file in committed.keys() | now.keys():
        before, after = committed.get(file, {}), now.get(file, {})
        for key in before.keys() | after.keys():
            if before.get(key) != after.get(key):
                allowed = 0.0 if exact else allowance(file, key, photos)
                found.append(Difference(file, key, before.get(key), after.get(key), allowed))
    return sorted(found, key=lambda difference: (difference.file, difference.key))


def allowance(file: str, key: str, photos: dict[str, int]) -> float:
    """Return by how much a number may differ where the instruction set is not pinned.

    Args:
        file: its file.
        key: its key in the file, such as sets.pfcn.mean_iou.
        photos: number of photos per set.
    """
    parts = key.split(".")
    measure = "band" if "band" in parts else parts[-1]
    if measure == "weights":  # their hash: any rounding changes it
        return math.inf
    if measure not in ALLOWED:
        return 0.0
    if "gain" not in measure and {Path(file).stem, *parts} & set(BASELINES):
        return ALLOWED_UNTRAINED
    number = min((photos[part] for part in parts if part in photos), default=PHOTOS)
    return ALLOWED[measure] * math.sqrt(max(1, PHOTOS / number))


def pins_instructions(folder: Path) -> bool:
    """Return whether the profile pins the instruction set, so that every processor that has it computes the same.

    The profile always fixes the number of threads, constraints.txt the packages.
    """
    profile = yaml.safe_load((folder / "params.yaml").read_text())["profile"]
    return yaml.safe_load((folder / f"profiles/{profile}.yaml").read_text()).get("instructions", NATIVE) != NATIVE


def verdict(head: str, committed: dict[str, dict[str, Any]], differences: list[Difference]) -> str:
    """Return the last line of the output."""
    number, bad = sum(map(len, committed.values())), sum(difference.too_large for difference in differences)
    commit = f"commit {head[:10]} is"
    if bad:
        return f"{commit} NOT verified: {bad} of {number} values differ by more than is allowed"
    if differences:
        return f"{commit} verified: {len(differences)} of {number} values differ, none by more than is allowed"
    return f"{commit} verified: all {number} values are the committed ones"


def _counts_photos(key: str) -> bool:
    """Keys such as sets.coco.photos of metrics/methods/<method>.json."""
    return key.startswith("sets.") and key.endswith(".photos")


def _rows(file: Path) -> Iterator[tuple[str, Any]]:
    """(key, value) pairs of a table; a key is set, method and column, such as coco.bsn.mean_iou."""
    for row in pd.read_csv(file).astype(object).to_dict("records"):
        name = ".".join(str(row[part]) for part in ("set", "method") if part in row)
        for column, value in row.items():
            if column not in ("set", "method"):
                yield f"{name}.{column}", None if pd.isna(value) else value


if __name__ == "__main__":
    run_stage(verify, again="nothing was compared; run the same command again")
