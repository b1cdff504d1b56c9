"""Trials over several seeds: means over seeds and photos, and tables of methods, readings and the attribute branch."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from bsn.errors import InputError
from study import paper
from study.tables import formats
from study.tables.formats import Columns, Table, column, method_name
from study.text import read_table

LEVEL = 0.95
POWER = 0.8  # share of studies in which a true gain of the `detectable` size is significant


BANDS = (2, 4, 10, 20)  # pixels
# Trials of the readings of eq. (1) and of eq. (6), as the table describes them.
READINGS = (
    {
        "distance": "BSN_IK, eq. (1), `distance`: d / d_max",
        "closeness": "BSN_IK, eq. (1), `closeness`: 1 - d / d_max",
        "sum": "BSN_IK, eq. (1), `sum`: d / sum of d",
    },
    {
        "text": "BSN_GK, eq. (6), `text`: likely boundary places weigh b",
        "printed": "BSN_GK, eq. (6), `printed`: likely boundary places weigh a",
    },
)
_PARTS = {"validation": "Validation", "pfcn": "Test"}
# Key in the CSV -> column of the photos' CSV.
_IOUS = {"mean_iou": "iou", "boundary_iou": "boundary_iou"}
_MEASURES = {**_IOUS, **{f"band_{width}": f"band_{width}" for width in BANDS}}
_SEEDS_COMMAND = "Made by `dvc repro trials/dvc.yaml:seeds`."


def read_trials(folder: Path, names: Iterable[str]) -> pd.DataFrame:
    """Read the photos of every `<folder>/<name>-<seed>.json` into one table, after the columns `trial` and `seed`.

    Raises:
        InputError: there is no trial, or `photos/<name>-<seed>.csv` of one is missing.
    """
    tables = []
    for name in names:
        for trial in sorted(folder.glob(f"{name}-*.json")):
            file = folder / "photos" / f"{trial.stem}.csv"
            if not file.exists():
                raise InputError(f"{file} is missing; get it with: git checkout, or dvc repro trials/dvc.yaml")
            rows = _read_words(file)
            numbers = rows.columns.intersection([*_MEASURES.values()])
            rows[numbers] = rows[numbers].astype(float)
            rows.insert(0, "trial", name)
            rows.insert(1, "seed", int(trial.stem.rpartition("-")[2]))
            tables.append(rows)
    if not tables:
        raise InputError(f"{folder} holds no trial of this report; run them with: dvc repro trials/dvc.yaml")
    return pd.concat(tables, ignore_index=True)


def _read_words(file: Path) -> pd.DataFrame:
    # A value of an attribute may be 0, true, "None" or "NA".
    return pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])


@dataclass(frozen=True)
class CrossedMean:
    """Mean of a table of seeds by photos; standard error and degrees of freedom are NaN if there is no interval."""

    mean: float
    error: float = float("nan")
    freedom: float = float("nan")

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The t-interval; NaN twice if there is none."""
        half = float(t.ppf((1 + level) / 2, self.freedom)) * self.error
        return self.mean - half, self.mean + half

    def detectable(self, level: float = LEVEL) -> float:
        """Smallest true mean whose interval excludes 0 in 80 % of such studies: (t_level + t_power) standard errors."""
        return float(t.ppf((1 + level) / 2, self.freedom) + t.ppf(POWER, self.freedom)) * self.error


def crossed_mean(values: np.ndarray) -> CrossedMean:
    """Mean of `values` with its standard error over seeds and photos, both seen as drawn at random.

    Every seed is tested on the same photos, so a two-way analysis of variance separates what varies by seed, what by
    photo, and the rest. With mean squares A of S seeds, B of N photos and E of the rest, the variance of the mean is
    (A + B - E) / (S N), and its degrees of freedom are Satterthwaite's ("An approximate distribution of estimates of
    variance components", Biometrics Bulletin 2(6), 1946). A mean square below E, which would make a variance negative,
    counts as E: then the interval is rather too wide.

    A bootstrap over three seeds would be too narrow: where seeds differ most, a 95 % interval misses the truth in 11 %
    of simulated studies, and this one in 5 %.

    Args:
        values: float (S, N), one row per seed and one column per photo, such as gains over the baseline with the
            same seed. Seeds without any value and photos that lack a value under one of the other seeds are left out.

    Returns:
        The mean (NaN without values), and with at least two seeds and two photos its error.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[~np.isnan(values).all(axis=1)]
    values = values[:, ~np.isnan(values).any(axis=0)]
    mean = float(values.mean()) if values.size else float("nan")
    seeds, photos = values.shape
    if min(seeds, photos) < 2:
        return CrossedMean(mean)
    by_seed, by_photo = (values.mean(axis=axis, keepdims=True) - mean for axis in (1, 0))
    rest = np.sum((values - mean - by_seed - by_photo) ** 2) / ((seeds - 1) * (photos - 1))
    of_seeds = max(photos * np.sum(by_seed**2) / (seeds - 1), rest)
    of_photos = max(seeds * np.sum(by_photo**2) / (photos - 1), rest)
    variance = of_seeds + of_photos - rest
    spread = of_seeds**2 / (seeds - 1) + of_photos**2 / (photos - 1) + rest**2 / ((seeds - 1) * (photos - 1))
    freedom = variance**2 / spread if spread else seeds - 1  # 0 where all values are equal
    return CrossedMean(mean, float(np.sqrt(variance / (seeds * photos))), float(freedom))


def seeds_tables(photos: pd.DataFrame, *, profile: str) -> tuple[Table, Table]:
    """Build the table of mean and boundary IoU, and the table of the bands along the contour; one row per method.

    Each row has mean and standard deviation over the seeds, and the gain over the baseline with the interval of
    `crossed_mean`. A gain is significant if the interval at the level of Bonferroni's correction, .05 over the number
    of gains in both tables, excludes 0.

    Args:
        photos: `method`, `seed`, `id`, `iou`, `boundary_iou` and `band_<width>` of every photo under every seed of
            every method. A method without rows has no row. With one seed, deviation and interval are missing.
        profile: named in the notes.
    """
    scores = {str(method): _by_seed_and_photo(rows, _MEASURES) for method, rows in photos.groupby("method")}
    compared = [name for name in scores if name != paper.BASELINE] if paper.BASELINE in scores else []
    comparisons = len(compared) * len(_MEASURES)
    rows, unpaired = [], []
    for method in [name for name in paper.TABLE_1 if name in scores]:
        seeds = scores[method]["mean_iou"].index
        row: dict[str, Any] = {"method": method, "seeds": len(seeds)}
        if method in compared and (alone := seeds.difference(scores[paper.BASELINE]["mean_iou"].index)).size:
            unpaired.append(f"{paper.METHODS[method]}, seed {', '.join(map(str, alone))}")
        row["gain_paper"] = paper.TABLE_1[method] - paper.TABLE_1[paper.BASELINE] if method in compared else None
        for key in _MEASURES:
            baseline = scores[paper.BASELINE][key] if method in compared else None
            row |= _score(key, scores[method][key], baseline, comparisons=comparisons)
        rows.append(row)
    frame = pd.DataFrame(rows)
    of_bands = [name for name in frame.columns if name.startswith("band_")]
    first: Columns = {"Method": method_name, "Seeds": column(formats.count, "seeds")}
    main: Columns = first | {
        "Mean IoU": _mean("mean_iou"),
        "Gain, paper": column(formats.signed_percent, "gain_paper"),
        "Gain": _gain("mean_iou"),
        "Detectable": column(formats.percent, "mean_iou_gain_detectable"),
        "Boundary IoU": _mean("boundary_iou"),
        "Boundary gain": _gain("boundary_iou"),
        "Boundary detectable": column(formats.percent, "boundary_iou_gain_detectable"),
    }
    bands = dict(first)
    for width in BANDS:
        bands |= {f"{width} px": _mean(f"band_{width}"), f"{width} px gain": _gain(f"band_{width}")}
    caption = "The trained rows of Table 1 over several seeds, on the PFCN test photos."
    bands_caption = "IoU in bands along the true contour over several seeds, on the PFCN test photos."
    setting = (
        f"Profile {profile}: {photos['id'].nunique()} PFCN test photos. Mean ± standard deviation over the seeds, in "
        f"percent. Gain: over {paper.METHODS[paper.BASELINE]} with the same seed on the same photos."
    )
    left_out = (
        [f"Left out of the gain, because the baseline has no such seed: {'; '.join(unpaired)}."] if unpaired else []
    )
    intervals = [setting, *left_out, _interval_note("gain", comparisons)]
    notes, of_bands_notes = (*intervals, _detectable_note("gain"), _SEEDS_COMMAND), (*intervals, _SEEDS_COMMAND)
    return (
        Table("seeds", caption, frame.drop(columns=of_bands), main, notes),
        Table("seeds_bands", bands_caption, frame.loc[:, ["method", "seeds", *of_bands]], bands, of_bands_notes),
    )


def attributes_tables(photos: pd.DataFrame, *, by_eye: Path, rule: Path) -> list[Table]:
    """Build one table per attribute that has labels by eye and that some method has learned.

    Args:
        photos: as of `attributes_table`, with one column per attribute.
        by_eye: folder of `<attribute>.csv`, with the labels that a person gave by looking at the photos.
        rule: folder of CSV files with the labels that the networks were trained on, one column per attribute.

    Returns:
        Tables in the order of the attributes' names. The first is named `attributes`, any other
        `attributes_<attribute>`.

    Raises:
        InputError: no file in `rule` has a column of such an attribute.
    """
    tables: list[Table] = []
    for file in sorted(by_eye.glob("*.csv")):
        name = file.stem
        learned = photos.loc[photos[name].notna(), "id"] if name in photos else []
        if not len(learned):
            continue
        labels = pd.Series({photo: value for _, (photo, value) in read_table(file, "id", name)}, name=name)
        if labels.index.isin(learned).any():
            table = attributes_table(photos, attribute=name, by_eye=labels, rule=_training_labels(rule, name))
            tables.append(replace(table, name=f"attributes_{name}") if tables else table)
    return tables


def _training_labels(folder: Path, attribute: str) -> pd.Series:
    for file in sorted(folder.glob("*.csv")):
        labels = _read_words(file)
        if attribute in labels:
            return labels.set_index("id").loc[:, attribute]
    raise InputError(f"no CSV file in {folder} has a column {attribute}; make it with: dvc repro attributes")


def attributes_table(photos: pd.DataFrame, *, attribute: str, by_eye: pd.Series, rule: pd.Series) -> Table:
    """Build the table of the attribute branch's accuracy against labels by eye; methods in the order of `photos`.

    Args:
        photos: `method`, `seed`, `id` and the attribute's column, of photos that no network was trained on.
        attribute: name of that column.
        by_eye: label that a person gave, by photo id.
        rule: label by the rule that made the training labels, by photo id.
    """
    judged = photos.loc[photos["id"].isin(list(by_eye.index)) & photos[attribute].notna()]
    right = judged.loc[:, attribute] == judged.loc[:, "id"].map(by_eye)
    by_seed = right.groupby([judged["method"], judged["seed"]], sort=False).mean()
    rows = [
        {"method": method, "seeds": len(shares), "accuracy": shares.mean(), "accuracy_sd": shares.std()}
        for method, shares in by_seed.groupby(level="method", sort=False)
    ]
    columns: Columns = {
        "Method": method_name,
        "Seeds": column(formats.count, "seeds"),
        "Accuracy": _mean("accuracy"),
    }
    seen = by_eye.loc[by_eye.index.isin(judged.loc[:, "id"])]
    agreement = (rule.reindex(seen.index) == seen).mean()
    notes = (
        f"{len(seen)} validation photos whose {attribute} was labelled by eye. The rule that made the training labels "
        f"is right on {formats.percent(agreement)} % of them; the more frequent class, as the answer to every photo, "
        f"on {formats.percent(seen.value_counts(normalize=True).max())} %.",
        _SEEDS_COMMAND,
    )
    return Table("attributes", f"Accuracy of the attribute branch: {attribute}.", pd.DataFrame(rows), columns, notes)


def readings_table(photos: pd.DataFrame, *, chosen: Sequence[str], profile: str) -> Table:
    """Build the table of readings, each with its difference from the reading of the same equation in params.yaml.

    Readings are chosen on the validation photos and checked on the test photos. A difference is significant if the
    interval at the level of Bonferroni's correction, .05 over the number of differences on the validation photos,
    excludes 0.

    Args:
        photos: of `read_trials`: `trial`, `seed`, `set` (`validation` or `pfcn`), `id`, `iou` and `boundary_iou`. The
            validation columns are missing if a trial has no validation photos.
        chosen: readings of eq. (1) and of eq. (6) in params.yaml.
        profile: named in the notes.
    """
    scores = {
        (str(reading), str(part)): _by_seed_and_photo(rows, _IOUS)
        for reading, trials in photos.groupby("trial")
        for part, rows in trials.groupby("set")
    }
    words = {reading: text for readings in READINGS for reading, text in readings.items()}
    run = [
        (reading, default)
        for readings, default in zip(READINGS, chosen, strict=True)
        for reading in readings
        if reading in set(photos["trial"])
    ]
    parts = {part: title for part, title in _PARTS.items() if all((reading, part) in scores for reading, _ in run)}
    compared = [reading for reading, default in run if reading != default and (default, "pfcn") in scores]
    comparisons = len(compared) * len(_IOUS)
    rows = []
    for reading, default in run:
        row: dict[str, Any] = {"reading": reading, "chosen": reading == default}
        row["seeds"] = len(scores[reading, "pfcn"]["mean_iou"])
        for part, key in product(parts, _IOUS):
            baseline = scores[default, part][key] if reading in compared else None
            row |= _score(f"{part}_{key}", scores[reading, part][key], baseline, comparisons=comparisons)
        rows.append(row)
    columns: Columns = {
        "Reading": lambda row: words[row["reading"]] + (" (in params.yaml)" if row["chosen"] else ""),
        "Seeds": column(formats.count, "seeds"),
    }
    for (part, title), (key, measure) in product(
        parts.items(), (("mean_iou", "mean IoU"), ("boundary_iou", "boundary IoU"))
    ):
        columns[f"{title} {measure}"] = _mean(f"{part}_{key}")
        columns[f"{title} {measure}, difference"] = _gain(f"{part}_{key}")
        if part == "validation":
            columns[f"{title} {measure}, detectable"] = column(formats.percent, f"{part}_{key}_gain_detectable")
    counts = ", ".join(
        f"{photos.loc[photos['set'] == part, 'id'].nunique()} {title.lower()} photos" for part, title in parts.items()
    )
    of_validation = "The comparisons are those on validation photos; the columns of the test photos use the same level."
    notes = (
        f"Profile {profile}: {counts} of PFCN. Mean ± standard deviation over the seeds, in percent. Difference: from "
        "the reading of the same equation in params.yaml, with the same seeds on the same photos.",
        _interval_note("difference", comparisons),
        *(_detectable_note("difference"), of_validation) * ("validation" in parts),
        "Made by `dvc repro trials/dvc.yaml:readings`.",
    )
    caption = "Readings of eq. (1) and eq. (6), compared over several seeds."
    return Table("readings", caption, pd.DataFrame(rows), columns, notes)


def _by_seed_and_photo(rows: pd.DataFrame, measures: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """One table per key of `measures`, of that column: a row per seed and a column per photo."""
    return {key: rows.pivot(index="seed", columns="id", values=name) for key, name in measures.items()}


def _score(key: str, values: pd.DataFrame, baseline: pd.DataFrame | None, *, comparisons: int) -> dict[str, Any]:
    """Columns of the CSV for one measure: mean and deviation over the seeds, and the gain over the baseline, if any."""
    means = values.mean(axis=1)
    # pandas aligns seeds and photos; what only one of the two has becomes NaN, which is left out.
    gains = pd.DataFrame() if baseline is None else values - baseline
    gain = crossed_mean(gains.to_numpy())
    level = 1 - (1 - LEVEL) / max(comparisons, 1)
    (low, high), (strict_low, strict_high) = gain.interval(LEVEL), gain.interval(level)
    return {
        key: means.mean(),
        f"{key}_sd": means.std(),
        f"{key}_gain": gain.mean,
        f"{key}_gain_low": low,
        f"{key}_gain_high": high,
        f"{key}_gain_corrected_low": strict_low,
        f"{key}_gain_corrected_high": strict_high,
        f"{key}_gain_detectable": gain.detectable(level),
    }


def _interval_note(name: str, comparisons: int) -> str:
    return (
        f"In brackets: 95 % interval of the {name} over seeds and photos, by a two-way analysis of variance and the t "
        f"distribution. Bold: significant after Bonferroni's correction for {comparisons} comparisons (the interval at "
        "that level excludes 0)."
    )


def _detectable_note(name: str) -> str:
    return (
        f"Detectable: smallest true {name} that would be significant, at that level, in 80 % of studies with this many "
        "seeds and photos."
    )


def _mean(key: str) -> Callable[[dict[str, Any]], str]:
    """Mean ± standard deviation over the seeds."""
    return column(formats.spread, key, f"{key}_sd")


def _gain(key: str) -> Callable[[dict[str, Any]], str]:
    """The gain with its 95 % interval, in bold where it is significant after the correction."""

    def write(row: dict[str, Any]) -> str:
        mean, low, high = (row[f"{key}_gain{end}"] for end in ("", "_low", "_high"))
        if math.isnan(low):  # one seed: the gain is known, and no interval
            return formats.signed_percent(mean)
        written = formats.difference(mean, low, high)
        significant = row[f"{key}_gain_corrected_low"] > 0 or row[f"{key}_gain_corrected_high"] < 0
        return f"**{written}**" if significant else written

    return write
