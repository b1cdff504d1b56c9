"""The measured numbers of one run, read from disk once, for the tables and the page."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from bsn.errors import InputError
from bsn.metrics import paired_difference
from study.datasets.index import PhotoRow, read_index
from study.datasets.portraits import portraits_by_margin
from study.paper import FLOOR, METHODS, SETS


@dataclass(frozen=True)
class Results:
    """Everything that the tables are made from. A method or set that was not run is simply not in here."""

    profile: str
    drawn: bool
    seed: int
    min_face: float
    """The filter's smallest face, share of the photo."""
    min_on_mask: float
    """The filter's smallest share of a face's box on the person's mask."""
    metrics: dict[str, dict] = field(default_factory=dict)
    """`metrics/methods/<method>.json` by method."""
    photos: dict[str, pd.DataFrame] = field(default_factory=dict)
    """`metrics/photos/<method>.csv` by method."""
    portraits: dict[str, list[PhotoRow]] = field(default_factory=dict)
    """`data/portraits/<set>/index.csv` by set."""

    @property
    def setting(self) -> str:
        """What the profile's numbers may be compared with, in words."""
        if self.drawn:
            return "drawn data: not comparable with the paper"
        if self.profile == "paper":
            return "real photos"
        return "real photos, but not the paper's network and schedule"

    def summary(self, method: str, name: str) -> dict:
        """The method's numbers on the set; empty when there are none."""
        entry = self.metrics.get(method, {}).get("sets", {}).get(name, {})
        return {} if "absent" in entry else entry

    def absence(self, name: str) -> str | None:
        """Why the set is not there, as the evaluation recorded it; None when some method was run on it."""
        entries = [record.get("sets", {}).get(name, {}) for record in self.metrics.values()]
        if any("mean_iou" in entry for entry in entries):
            return None
        reasons = [entry["absent"] for entry in entries if "absent" in entry]
        return reasons[0].rstrip(".") if reasons else "no method was evaluated on it"

    def margins(self, name: str) -> dict[float, int] | None:
        """Photos that the filter would keep by margin of the face box; None when there were none to look at."""
        rows = self.portraits.get(name)
        if not rows:
            return None
        return portraits_by_margin(rows, min_face=self.min_face, min_on_mask=self.min_on_mask)

    def gain(self, method: str, baseline: str, name: str, *, measure: str = "iou") -> tuple[float, float, float] | None:
        """Mean of `measure`, a column of the photos' CSV, of `method` less `baseline` over the set's photos, with its
        95 % bootstrap interval."""
        if method not in self.photos or baseline not in self.photos:
            return None
        ours, theirs = (_of_set(self.photos[key], name, measure) for key in (method, baseline))
        both = ours.merge(theirs, on="id", suffixes=("", "_baseline"))
        if both.empty:
            return None
        return paired_difference(both[measure].to_numpy(), both[f"{measure}_baseline"].to_numpy(), seed=self.seed)


def read_results(
    metrics: Path, portraits: Path, *, profile: str, drawn: bool, seed: int, min_face: float, min_on_mask: float
) -> Results:
    """Read `metrics/methods/*.json`, `metrics/photos/*.csv` and `data/portraits/*/index.csv`.

    `drawn` says that the photos are drawings; `min_face` and `min_on_mask` are the filter's. Raises InputError when
    a metrics file comes from another profile than `profile`.
    """
    results = Results(profile, drawn, seed, min_face, min_on_mask)
    for method in [*METHODS, FLOOR]:
        file = metrics / "methods" / f"{method}.json"
        if not file.exists():
            continue
        results.metrics[method] = _record(file, profile)
        rows = metrics / "photos" / f"{method}.csv"
        if rows.exists():
            results.photos[method] = pd.read_csv(rows, dtype={"id": str, "set": str})
    for name in SETS:
        index = portraits / name / "index.csv"
        if index.exists():
            results.portraits[name] = read_index(index)
    return results


def _record(file: Path, profile: str) -> dict:
    record = json.loads(file.read_text("utf-8"))
    if record["profile"] != profile:
        raise InputError(f"{file} was made with profile {record['profile']!r}, not {profile!r}: run `dvc repro`")
    return record


def _of_set(rows: pd.DataFrame, name: str, measure: str) -> pd.DataFrame:
    """id and measure of the set's photos."""
    return rows.loc[rows["set"] == name, ["id", measure]]
