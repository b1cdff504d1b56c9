"""The measured numbers of one run, read from metrics/ and data/portraits/, and series of them for plots."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bsn.errors import InputError
from bsn.metrics import paired_difference
from bsn.model_format import BASELINES
from study.datasets.index import PhotoRow, read_index
from study.datasets.portraits import portraits_by_margin
from study.paper import BASELINE, NAMES, SETS, TABLE_2
from study.params import Params


@dataclass(frozen=True)
class Results:
    """Numbers of one run. Methods and sets that were not run have no entry."""

    profile: str
    drawn: bool
    """Whether the photos are drawings."""
    seed: int
    """Of the bootstrap."""
    min_face: float
    """The portrait filter's smallest face, as a share of the photo."""
    min_on_mask: float
    """The portrait filter's smallest share of a face box on the person's mask."""
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    """`metrics/methods/<method>.json` by method."""
    photos: dict[str, pd.DataFrame] = field(default_factory=dict)
    """`metrics/photos/<method>.csv` by method."""
    portraits: dict[str, list[PhotoRow]] = field(default_factory=dict)
    """`data/portraits/<set>/index.csv` by set."""

    @property
    def setting(self) -> str:
        """How far the run's numbers can be compared with the paper's, in words."""
        if self.drawn:
            return "drawn data, not comparable with the paper"
        if self.profile == "paper":
            return "real photos"
        return "real photos, but not the paper's network and training schedule"

    def summary(self, method: str, name: str) -> dict[str, Any]:
        """The method's numbers on the set, as `bsn.metrics.summarise` returns them; empty where there are none."""
        entry = self.metrics.get(method, {}).get("sets", {}).get(name, {})
        return {} if "absent" in entry else entry

    def absence(self, name: str) -> str | None:
        """Why the set was not evaluated, as recorded by the evaluation; None if some method was run on it."""
        entries = [record.get("sets", {}).get(name, {}) for record in self.metrics.values()]
        if any("mean_iou" in entry for entry in entries):
            return None
        reasons = [entry["absent"] for entry in entries if "absent" in entry]
        return reasons[0].rstrip(".") if reasons else "no method was evaluated on it"

    def kept(self, name: str) -> int | None:
        """Number of the set's photos that passed the portrait filter; None without photos."""
        rows = self.portraits.get(name)
        return sum(row.kept for row in rows) if rows else None

    def kept_by_margin(self, name: str) -> dict[float, int] | None:
        """Number of photos that would pass the portrait filter by margin of the face box; None without photos."""
        rows = self.portraits.get(name)
        return portraits_by_margin(rows, min_face=self.min_face, min_on_mask=self.min_on_mask) if rows else None

    def scores(self, column: str, methods: Iterable[str]) -> pd.DataFrame:
        """`column` of the PFCN photos' CSVs, one row per photo that all methods have and one column per method."""
        series = {}
        for method in methods:
            rows = self.photos[method]
            series[method] = rows[rows["set"] == "pfcn"].set_index("id")[column]
        return pd.concat(series, axis=1, join="inner").sort_index() if series else pd.DataFrame()

    def gain(self, method: str, baseline: str, name: str, *, measure: str = "iou") -> tuple[float, float, float] | None:
        """Mean paired difference of a metric over the photos that both methods have.

        Args:
            method: key of `photos`.
            baseline: key of `photos`.
            name: the set.
            measure: column of the photos' CSV.

        Returns:
            Mean of `method - baseline` and its 95 % bootstrap interval over photos; None where one was not run.
        """
        if method not in self.photos or baseline not in self.photos:
            return None
        ours, theirs = (
            rows.loc[rows["set"] == name, ["id", measure]] for rows in (self.photos[method], self.photos[baseline])
        )
        both = ours.merge(theirs, on="id", suffixes=("", "_baseline"))
        if both.empty:
            return None
        return paired_difference(both[measure].to_numpy(), both[f"{measure}_baseline"].to_numpy(), seed=self.seed)


def load_results(params: Params) -> Results:
    """Read the results of this checkout under its parameters."""
    return read_results(
        Path("metrics"),
        Path("data/portraits"),
        methods=[*params.methods, *BASELINES],
        profile=params.profile,
        drawn=params.data.draw is not None,
        seed=params.seed,
        min_face=params.portraits.min_face,
        min_on_mask=params.portraits.min_on_mask,
    )


def read_results(
    metrics: Path,
    portraits: Path,
    *,
    methods: Collection[str] = tuple(NAMES),
    profile: str,
    drawn: bool,
    seed: int,
    min_face: float,
    min_on_mask: float,
) -> Results:
    """Read the results of one run.

    Args:
        metrics: folder of `methods/<method>.json` and `photos/<method>.csv`.
        portraits: folder of `<set>/index.csv`.
        methods: names; files of others are of methods that the user has removed from params.yaml.
        profile: that the metrics must come from.
        drawn: whether the photos are drawings.
        seed: of the bootstrap.
        min_face: of the portrait filter.
        min_on_mask: of the portrait filter.

    Raises:
        InputError: a metrics file comes from another profile.
    """
    results = Results(profile, drawn, seed, min_face, min_on_mask)
    for method in NAMES:
        file = metrics / "methods" / f"{method}.json"
        if method not in methods or not file.exists():
            continue
        results.metrics[method] = _record(file, profile)
        rows = metrics / "photos" / f"{method}.csv"
        results.photos[method] = pd.read_csv(rows, dtype={"id": str, "set": str})
    for name in SETS:
        index = portraits / name / "index.csv"
        if index.exists():
            results.portraits[name] = read_index(index)
    return results


def _record(file: Path, profile: str) -> dict[str, Any]:
    record = json.loads(file.read_text("utf-8"))
    if record["profile"] != profile:
        raise InputError(f"{file} was made with profile {record['profile']!r}, not {profile!r}: run `dvc repro`")
    return record


def band_rows(results: Results) -> pd.DataFrame:
    """Mean band IoU on PFCN: one row per `width` in pixels of the photo, one column per method that was measured."""
    bands = {method: results.summary(method, "pfcn").get("band", {}) for method in NAMES}
    table = pd.DataFrame({method: band for method, band in bands.items() if band})
    table.index = table.index.astype(int)
    return table.sort_index().rename_axis("width").reset_index()


def pair_rows(results: Results) -> pd.DataFrame:
    """IoU of PortraitDeepLabv2 and BSN, one row per PFCN photo; no rows unless both were run."""
    methods = (BASELINE, "bsn")
    if not all(method in results.photos for method in methods):
        return pd.DataFrame(columns=pd.Index(["id", *methods]))
    return results.scores("iou", methods).reset_index(names="id")


def margin_rows(results: Results) -> pd.DataFrame:
    """Photos of Table 2, one row per set and margin of the face box: set, margin, photos, photos_paper."""
    counted = {name: results.kept_by_margin(name) or {} for name in TABLE_2}
    rows = [
        {"set": name, "margin": margin, "photos": photos, "photos_paper": TABLE_2[name]}
        for name, counts in counted.items()
        for margin, photos in counts.items()
    ]
    return pd.DataFrame(rows, columns=pd.Index(["set", "margin", "photos", "photos_paper"]))
