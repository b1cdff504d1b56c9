"""The trained rows of Table 1 with several seeds: mean and spread, and which gains are significant."""

import math

import pandas as pd

from study import paper
from study.tables import formats
from study.tables.crossed import CrossedMean, crossed_bootstrap
from study.tables.table import Table

LEVEL = 0.95
BANDS = (2, 4, 10, 20)  # pixels
_MEASURES = {"mean_iou": "iou", "boundary_iou": "boundary_iou", **{f"band_{width}": f"band_{width}" for width in BANDS}}


def seeds_tables(photos: pd.DataFrame, *, profile: str, seed: int) -> tuple[Table, Table]:
    """Table of mean and boundary IoU, and table of the bands along the contour; one row per method.

    Each row has mean and standard deviation over the seeds, and the gain over the baseline with its crossed interval.
    A gain is significant where the interval at the level of Bonferroni's correction, .05 over the number of gains in
    both tables, leaves out 0.

    Args:
        photos: `method`, `seed`, `id`, `iou`, `boundary_iou` and `band_<width>` of every photo under every seed of
            every method. A method without rows has no row. With one seed, deviation and interval are missing.
        profile: named in the notes.
        seed: of the bootstrap.
    """
    scores = {
        method: {key: rows.pivot(index="seed", columns="id", values=column) for key, column in _MEASURES.items()}
        for method, rows in photos.groupby("method")
    }
    compared = [name for name in scores if name != paper.BASELINE] if paper.BASELINE in scores else []
    level = 1 - (1 - LEVEL) / max(len(compared) * len(_MEASURES), 1)
    rows = []
    for method in [name for name in paper.TABLE_1 if name in scores]:
        row = {"method": method, "seeds": len(scores[method]["mean_iou"])}
        row["gain_paper"] = paper.TABLE_1[method] - paper.TABLE_1[paper.BASELINE] if method in compared else None
        for key in _MEASURES:
            means = scores[method][key].mean(axis=1)
            row |= {key: means.mean(), f"{key}_sd": means.std()}
            # pandas aligns seeds and photos; what only one of the two has is NaN, and left out.
            gains = scores[method][key] - scores[paper.BASELINE][key] if method in compared else pd.DataFrame()
            row |= _gain(key, crossed_bootstrap(gains.to_numpy(), seed=seed), level)
        rows.append(row)
    frame = pd.DataFrame(rows)
    first = {"Method": lambda row: paper.METHODS[row["method"]], "Seeds": lambda row: formats.count(row["seeds"])}
    main = {
        **first,
        **_columns("mean_iou", "Mean IoU", "", paper_gain=True),
        **_columns("boundary_iou", "Boundary IoU", "boundary "),
    }
    bands = dict(first)
    for width in BANDS:
        bands |= _columns(f"band_{width}", f"{width} px", f"{width} px ", detectable=False)
    notes = _notes(photos, profile, len(compared) * len(_MEASURES))
    of_bands = [name for name in frame.columns if name.startswith("band_")]
    return (
        Table("seeds", _CAPTION, frame.drop(columns=of_bands), main, notes),
        Table("seeds_bands", _BANDS_CAPTION, frame[["method", "seeds", *of_bands]], bands, notes),
    )


def attributes_table(photos: pd.DataFrame, *, attribute: str, by_eye: pd.Series, rule: pd.Series) -> Table:
    """Share of photos of which the attribute branch says what a person saw; one row per method.

    Args:
        photos: `method`, `seed`, `id` and the attribute's column, of photos that no network was trained on.
        attribute: name of that column.
        by_eye: the value that a person saw, by photo id.
        rule: the rule's value, by photo id, which the branch was trained on.
    """
    judged = photos[photos["id"].isin(by_eye.index) & photos[attribute].notna()]
    right = judged[attribute] == judged["id"].map(by_eye)
    by_seed = right.groupby([judged["method"], judged["seed"]]).mean()
    rows = [
        {"method": method, "seeds": len(shares), "accuracy": shares.mean(), "accuracy_sd": shares.std()}
        for method, shares in by_seed.groupby(level="method")
    ]
    columns = {
        "Method": lambda row: paper.METHODS[row["method"]],
        "Seeds": lambda row: formats.count(row["seeds"]),
        "Accuracy": lambda row: formats.spread(row["accuracy"], row["accuracy_sd"]),
    }
    seen = by_eye[by_eye.index.isin(judged["id"])]
    agreement = (rule.reindex(seen.index) == seen).mean()
    notes = (
        f"{len(seen)} validation photos whose {attribute} was labelled by looking. The rule, whose labels the branch "
        f"was trained on, is right on {formats.percent(agreement)} % of them; always the more frequent value on "
        f"{formats.percent(seen.value_counts(normalize=True).max())} %.",
        "Made by `dvc repro trials/dvc.yaml:seeds`.",
    )
    return Table("attributes", f"Accuracy of the attribute branch: {attribute}.", pd.DataFrame(rows), columns, notes)


_CAPTION = "The trained rows of Table 1 with several seeds, on the PFCN test photos."
_BANDS_CAPTION = "IoU in bands along the true contour with several seeds, on the PFCN test photos."


def _gain(key: str, gain: CrossedMean, level: float) -> dict[str, float]:
    (low, high), (strict_low, strict_high) = gain.interval(LEVEL), gain.interval(level)
    return {
        f"{key}_gain": gain.mean,
        f"{key}_gain_low": low,
        f"{key}_gain_high": high,
        f"{key}_gain_corrected_low": strict_low,
        f"{key}_gain_corrected_high": strict_high,
        f"{key}_gain_detectable": gain.detectable(level),
    }


def _columns(key: str, title: str, prefix: str, *, paper_gain: bool = False, detectable: bool = True) -> dict:
    columns = {title: lambda row: formats.spread(row[key], row[f"{key}_sd"])}
    if paper_gain:
        columns["Gain, paper"] = lambda row: formats.signed_percent(row["gain_paper"])
    columns[f"{prefix}gain".capitalize()] = lambda row: _written_gain(row, key)
    if detectable:
        columns[f"{prefix}detectable".capitalize()] = lambda row: formats.percent(row[f"{key}_gain_detectable"])
    return columns


def _written_gain(row: dict, key: str) -> str:
    """The gain with its 95 % interval, in bold where it is significant after the correction."""
    mean, low, high = (row[f"{key}_gain{end}"] for end in ("", "_low", "_high"))
    if math.isnan(low):  # with one seed the gain itself is known, and its interval is not
        return formats.signed_percent(mean)
    written = formats.gain(mean, low, high).replace("**", "")
    significant = row[f"{key}_gain_corrected_low"] > 0 or row[f"{key}_gain_corrected_high"] < 0
    return f"**{written}**" if significant else written


def _notes(photos: pd.DataFrame, profile: str, comparisons: int) -> tuple[str, ...]:
    return (
        f"Profile {profile}: {photos['id'].nunique()} PFCN test photos. Mean ± standard deviation over the seeds, in "
        f"per cent; gains are over {paper.METHODS[paper.BASELINE]} with the same seed on the same photos.",
        "In brackets: 95 % interval of the gain by the crossed bootstrap over seeds and photos. Bold: the interval at "
        f"Bonferroni's level for {comparisons} comparisons excludes 0.",
        "Detectable: the smallest true gain that this many seeds and photos show in 80 % of studies, at that level.",
        "Draws of few seeds repeat them, so that the intervals of three seeds are rather too narrow than too wide.",
        "Made by `dvc repro trials/dvc.yaml:seeds`.",
    )
