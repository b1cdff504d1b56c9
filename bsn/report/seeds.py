"""The trained rows of Table 1 with several seeds: mean and spread, and which gains are real."""

import math

import pandas as pd

from bsn.report import formats, paper
from bsn.report.table import Table
from bsn.seeds import crossed_bootstrap

_MEASURES = ("mean_iou", "boundary_iou")


def seeds_table(photos: pd.DataFrame, *, profile: str, seed: int) -> Table:
    """A row a method: mean and standard deviation over the seeds, and the gain over the baseline with its interval.

    photos: `method`, `seed`, `id`, `iou` and `boundary_iou` of every photo under every seed of every method; a method
    without rows has no row. seed: of the bootstrap. With one seed, deviation, interval and verdict are missing.
    """
    photos = photos.rename(columns={"iou": "mean_iou"})
    scores = {
        method: {key: rows.pivot(index="seed", columns="id", values=key) for key in _MEASURES}
        for method, rows in photos.groupby("method")
    }
    rows = []
    for method in [name for name in paper.TABLE_1 if name in scores]:
        row = {"method": method, "seeds": len(scores[method]["mean_iou"])}
        row["gain_paper"] = paper.TABLE_1[method] - paper.TABLE_1[paper.BASELINE] if method != paper.BASELINE else None
        for key in _MEASURES:
            means = scores[method][key].mean(axis=1)
            row |= {key: means.mean(), f"{key}_sd": means.std()}
            row |= _gain(scores, method, key, seed=seed)
        rows.append(row)
    columns = {
        "Method": lambda row: paper.METHODS[row["method"]],
        "Seeds": lambda row: formats.count(row["seeds"]),
        "Mean IoU": lambda row: formats.spread(row["mean_iou"], row["mean_iou_sd"]),
        "Gain, paper": lambda row: formats.signed_percent(row["gain_paper"]),
        "Gain, ours": lambda row: _written_gain(row, "mean_iou"),
        "Real?": lambda row: _verdict(row, "mean_iou"),
        "Boundary IoU": lambda row: formats.spread(row["boundary_iou"], row["boundary_iou_sd"]),
        "its gain": lambda row: _written_gain(row, "boundary_iou"),
        "real?": lambda row: _verdict(row, "boundary_iou"),
    }
    return Table("seeds", _CAPTION, pd.DataFrame(rows), columns, _notes(photos, profile))


_CAPTION = "The trained rows of Table 1 with several seeds, on the PFCN test photos."


def _gain(scores: dict[str, dict[str, pd.DataFrame]], method: str, key: str, *, seed: int) -> dict[str, float]:
    names = (f"{key}_gain", f"{key}_gain_low", f"{key}_gain_high")
    if method == paper.BASELINE or paper.BASELINE not in scores:
        return dict.fromkeys(names, math.nan)
    # pandas aligns seeds and photos; what only one of the two has is NaN, and left out.
    gains = scores[method][key] - scores[paper.BASELINE][key]
    return dict(zip(names, crossed_bootstrap(gains.to_numpy(), seed=seed), strict=True))


def _written_gain(row: dict, key: str) -> str:
    mean, low, high = (row[f"{key}_gain{end}"] for end in ("", "_low", "_high"))
    # With one seed the gain itself is known, and its interval is not.
    return formats.signed_percent(mean) if math.isnan(low) else formats.gain(mean, low, high)


def _verdict(row: dict, key: str) -> str:
    low, high = row[f"{key}_gain_low"], row[f"{key}_gain_high"]
    if math.isnan(low):
        return formats.DASH
    return "yes" if low > 0 or high < 0 else "no"


def _notes(photos: pd.DataFrame, profile: str) -> tuple[str, ...]:
    return (
        f"Profile {profile}: {photos['id'].nunique()} PFCN test photos. Mean ± standard deviation over the seeds, in "
        f"per cent; gains are over {paper.METHODS[paper.BASELINE]} with the same seed on the same photos.",
        "In brackets the 95 % interval of the gain, from 2000 draws of seeds and of photos, both with replacement; all "
        "seeds share the photos. A gain is real where its interval leaves out 0.",
        "A draw of few seeds can only repeat them: three reach from the lowest to the highest of the three and no "
        "further, so the intervals are rather too narrow than too wide. A yes by a hair asks for more seeds.",
        "Made by `dvc repro trials/dvc.yaml:seeds`.",
    )
