"""Whether the last commit gives its own numbers: `dvc repro` from nothing in a clone of it, and each metric compared.

    python -m experiments.verify                    # or: make verify
    python -m experiments.verify --keep FOLDER      # the clone is made in FOLDER and stays there

Compares each number of metrics/methods/*.json, metrics/tables.json and reports/table*.csv with the committed one. Where
the profile pins the instruction set and there is no GPU, all must be the same to the last digit written; otherwise each
may differ as far as ALLOWED says. metrics/trials are not made again: `dvc repro` does not make them.

Ends with one line, and with exit status 1 where a number differs by more, where one is missing, and where DVC fails.
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

from bsn.errors import InputError
from experiments.clean import clone, environment
from experiments.commands import attend
from study.provenance import machine
from study.runner import run_stage

FILES = ("metrics/methods/*.json", "metrics/tables.json", "reports/table*.csv")
NATIVE = "native"  # a profile's `instructions`: whatever the processor has

# With another instruction set sums are rounded otherwise, and after some hundred steps that acts like another seed. So
# a number may differ by what networks of two seeds differ by: four standard deviations of the trials' three seeds each
# (metrics/trials, 60 photos), times the root of two. On fewer photos the same networks lie wider apart, by the root of
# their number. What is not named here, such as photos, parameters and the paper's own numbers, must be the same.
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
# Without training there is nothing to blow the rounding up.
UNTRAINED, ALLOWED_UNTRAINED = ("graph_cut", "mean_mask"), 0.005


@dataclass(frozen=True)
class Difference:
    """A number, or a text, that is not what the commit has. None: it is not there."""

    file: str
    key: str
    committed: Any
    now: Any
    allowed: float

    @property
    def distance(self) -> float:
        """Absolute; infinite between things that are no numbers."""
        numbers = isinstance(self.committed, int | float) and isinstance(self.now, int | float)
        return abs(self.now - self.committed) if numbers else math.inf

    @property
    def too_large(self) -> bool:
        """A last digit may round to either side."""
        return not self.distance <= self.allowed + 1e-9

    def __str__(self) -> str:
        distance = f"{self.distance:.6f}" if math.isfinite(self.distance) else "-"
        return (
            f"{self.file} {self.key}: committed {self.committed}, now {self.now}, difference {distance}, "
            f"allowed {self.allowed:.3g}{' <- more than allowed' if self.too_large else ''}"
        )


def verify(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="make verify", description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make the clone there, and leave it")
    keep = parser.parse_args(arguments).keep
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="verify-")))
        head, folder = clone(Path(), keep or scratch / "clone")
        committed = read(folder)
        if not committed:
            raise InputError(f"commit {head[:10]} has none of {', '.join(FILES)}: there is nothing to compare")
        print(f"commit {head[:10]} in {folder}: all of it from nothing", flush=True)
        command = (sys.executable, "-m", "dvc", "repro", "--force", "--no-run-cache")
        if attend(*command, folder=folder, environment=environment(scratch)):
            raise InputError(f"commit {head[:10]} is not verified: dvc repro failed in the clone, see above")
        differences = compare(committed, read(folder), exact=pinned(folder) and machine().endswith("no GPU"))
    for difference in differences:
        print(difference)
    print(verdict(head, committed, differences))
    if any(difference.too_large for difference in differences):
        raise SystemExit(1)


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """{file: {key: value}} of what is compared in a checkout."""
    return {
        str(file.relative_to(folder)): dict(
            _rows(file) if file.suffix == ".csv" else _leaves(json.loads(file.read_text()))
        )
        for pattern in FILES
        for file in sorted(folder.glob(pattern))
    }


def compare(committed: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]], *, exact: bool) -> list[Difference]:
    """What is not the same in what `read` found before and after. exact: whether nothing may differ."""
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
    """How far a number may be from the committed one where bytes are not pinned. photos: how many a set has."""
    parts = key.split(".")
    measure = "band" if "band" in parts else parts[-1]
    if measure == "weights":  # their fingerprint: any rounding changes all of it
        return math.inf
    if measure not in ALLOWED:
        return 0.0
    if "gain" not in measure and {Path(file).stem, *parts} & set(UNTRAINED):
        return ALLOWED_UNTRAINED
    number = min((photos[part] for part in parts if part in photos), default=PHOTOS)
    return ALLOWED[measure] * math.sqrt(max(1, PHOTOS / number))


def pinned(folder: Path) -> bool:
    """Whether the profile of a checkout pins the instruction set, so that all processors that have it compute the same.

    The number of threads is the profile's in any case, and the packages are those of constraints.txt.
    """
    profile = yaml.safe_load((folder / "params.yaml").read_text())["profile"]
    return yaml.safe_load((folder / f"profiles/{profile}.yaml").read_text()).get("instructions", NATIVE) != NATIVE


def verdict(head: str, committed: dict[str, dict[str, Any]], differences: list[Difference]) -> str:
    """The last line."""
    number, bad = sum(map(len, committed.values())), sum(difference.too_large for difference in differences)
    commit = f"commit {head[:10]} is"
    if bad:
        return f"{commit} NOT verified: {bad} of {number} values differ by more than is allowed"
    if differences:
        return f"{commit} verified: {len(differences)} of {number} values differ, none by more than is allowed"
    return f"{commit} verified: all {number} values are the committed ones"


def _counts_photos(key: str) -> bool:
    """Such as sets.coco.photos, of metrics/<method>.json."""
    return key.startswith("sets.") and key.endswith(".photos")


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield prefix, value
        return
    for key, inner in value.items():
        yield from _leaves(inner, f"{prefix}.{key}" if prefix else key)


def _rows(file: Path) -> Iterator[tuple[str, Any]]:
    """`coco.bsn.mean_iou` and so on: of set, method and column."""
    for row in pd.read_csv(file).astype(object).to_dict("records"):
        name = ".".join(str(row[part]) for part in ("set", "method") if part in row)
        for column, value in row.items():
            if column not in ("set", "method"):
                yield f"{name}.{column}", None if pd.isna(value) else value


if __name__ == "__main__":
    run_stage(verify, again="nothing was compared; run the same command again")
