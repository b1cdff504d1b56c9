"""The readings of the paper on trial: what each brings, and how far the seeds lie apart."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from bsn.report import formats
from bsn.report.table import Table

PLAIN = "plain"
# What stands for a reading in the paper's words.
READINGS = {
    "plain": "PortraitDeepLabv2: neither kernel",
    "distance": "BSN_IK, eq. (1): d / d_max",
    "closeness": "BSN_IK, eq. (1): 1 - d / d_max",
    "sum": "BSN_IK, eq. (1): d / sum of d",
    "text": "BSN_GK, eq. (6): uncertain places weigh b",
    "printed": "BSN_GK, eq. (6): uncertain places weigh a",
}
_MEASURES = ("mean_iou", "boundary_iou")


def readings_table(trials: Sequence[dict[str, Any]], *, chosen: Sequence[str], profile: str) -> Table:
    """A row a reading: mean and standard deviation over the seeds, and the gain over the plain network's same seeds.

    trials: `trial`, `seed` and `pfcn` (of bsn.metrics.summarise) of each; those that try no reading have no row.
    chosen: the readings that params.yaml has.
    The standard deviation of a single seed is missing.
    """
    flat = pd.DataFrame(
        [{"reading": t["trial"], "seed": t["seed"], **{key: t["pfcn"][key] for key in _MEASURES}} for t in trials]
    )
    plain = flat[flat["reading"] == PLAIN].set_index("seed")
    rows = []
    for reading in READINGS:
        runs = flat[flat["reading"] == reading].set_index("seed")
        if runs.empty:
            continue
        row = {"reading": reading, "chosen": reading in chosen, "seeds": len(runs)}
        for key in _MEASURES:
            gains = (runs[key] - plain[key]).dropna() if reading != PLAIN else pd.Series(dtype=float)
            row |= {key: runs[key].mean(), f"{key}_sd": runs[key].std()}
            row |= {f"{key}_gain": gains.mean(), f"{key}_gain_sd": gains.std()}
        rows.append(row)
    columns = {
        "Reading": lambda row: READINGS[row["reading"]] + (" (in params.yaml)" if row["chosen"] else ""),
        "Seeds": lambda row: formats.count(row["seeds"]),
        "Mean IoU": lambda row: formats.spread(row["mean_iou"], row["mean_iou_sd"]),
        "gain": lambda row: formats.signed_spread(row["mean_iou_gain"], row["mean_iou_gain_sd"]),
        "Boundary IoU": lambda row: formats.spread(row["boundary_iou"], row["boundary_iou_sd"]),
        "its gain": lambda row: formats.signed_spread(row["boundary_iou_gain"], row["boundary_iou_gain_sd"]),
    }
    photos = sorted({t["pfcn"]["photos"] for t in trials})
    notes = (
        f"Profile {profile}: {' or '.join(map(str, photos))} PFCN test photos a trial. Mean ± standard deviation over "
        "the seeds, in per cent; gains are over PortraitDeepLabv2 with the same seed.",
        "Made by `dvc repro trials/dvc.yaml:readings`.",
    )
    return Table("readings", "The readings of eq. (1) and eq. (6) on trial.", pd.DataFrame(rows), columns, notes)
