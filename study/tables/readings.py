"""The readings of the paper compared over seeds."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from study.tables import formats
from study.tables.table import Columns, Table

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
_PARTS = {"validation": "Validation", "pfcn": "Test"}


def readings_table(trials: Sequence[dict[str, Any]], *, chosen: Sequence[str], profile: str) -> Table:
    """One row per reading: mean and standard deviation over the seeds, and gain over the plain network's same seeds.

    Readings are chosen on the validation photos; the test photos confirm the choice.

    Args:
        trials: `trial`, `seed`, and of `validation` and `pfcn` what bsn.metrics.summarise gives; those that try no
            reading have no row. Without validation photos its columns are missing.
        chosen: the readings that params.yaml has.
        profile: named in the notes.
    """
    parts = {part: title for part, title in _PARTS.items() if all(part in trial for trial in trials)}
    flat = pd.DataFrame(
        [
            {
                "reading": trial["trial"],
                "seed": trial["seed"],
                **{f"{part}_{key}": trial[part][key] for part in parts for key in _MEASURES},
            }
            for trial in trials
        ]
    )
    plain = flat[flat["reading"] == PLAIN].set_index("seed")
    rows = []
    for reading in READINGS:
        runs = flat[flat["reading"] == reading].set_index("seed")
        if runs.empty:
            continue
        row = {"reading": reading, "chosen": reading in chosen, "seeds": len(runs)}
        for key in (f"{part}_{measure}" for part in parts for measure in _MEASURES):
            gains = (runs[key] - plain[key]).dropna() if reading != PLAIN else pd.Series(dtype=float)
            row |= {key: runs[key].mean(), f"{key}_sd": runs[key].std()}
            row |= {f"{key}_gain": gains.mean(), f"{key}_gain_sd": gains.std()}
        rows.append(row)
    columns = {
        "Reading": lambda row: READINGS[row["reading"]] + (" (in params.yaml)" if row["chosen"] else ""),
        "Seeds": lambda row: formats.count(row["seeds"]),
    }
    for part, title in parts.items():
        columns |= _columns(f"{part}_mean_iou", f"{title} mean IoU") | _columns(
            f"{part}_boundary_iou", f"{title} boundary IoU"
        )
    counts = ", ".join(
        f"{' or '.join(sorted({str(trial[part]['photos']) for trial in trials}))} {title.lower()} photos of PFCN"
        for part, title in parts.items()
    )
    notes = (
        f"Profile {profile}: {counts}. Mean ± standard deviation over the seeds, in per cent; gains are over "
        "PortraitDeepLabv2 with the same seed.",
        "Made by `dvc repro trials/dvc.yaml:readings`.",
    )
    return Table("readings", "The readings of eq. (1) and eq. (6) compared.", pd.DataFrame(rows), columns, notes)


def _columns(key: str, title: str) -> Columns:
    return {
        title: lambda row: formats.spread(row[key], row[f"{key}_sd"]),
        f"{title}, gain": lambda row: formats.signed_spread(row[f"{key}_gain"], row[f"{key}_gain_sd"]),
    }
