"""Results of the trials of one profile: a summary per trial and seed, and the rows of its photos."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from bsn.errors import InputError


def read_trials(folder: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """`<folder>/<name>-<seed>.json` of every seed that there is, in the order of the names.

    Raises:
        InputError: there is none.
    """
    files = [file for name in names for file in sorted(folder.glob(f"{name}-*.json"))]
    if not files:
        raise InputError(f"{folder} holds no trial of this report; run them with: dvc repro trials/dvc.yaml")
    return [json.loads(file.read_text("utf-8")) for file in files]


def read_trial_photos(folder: Path, names: Iterable[str]) -> pd.DataFrame:
    """`<folder>/photos/<name>-<seed>.csv` of the same trials in one table, with the columns `trial` and `seed` before.

    Raises:
        InputError: there is no trial, or one's file of photos is missing.
    """
    tables = []
    for trial in read_trials(folder, names):
        file = folder / "photos" / f"{trial['trial']}-{trial['seed']}.csv"
        if not file.exists():
            raise InputError(f"{file} is missing; get it with: git checkout, or dvc repro trials/dvc.yaml")
        rows = pd.read_csv(file, dtype={"id": str, "set": str})
        rows.insert(0, "trial", trial["trial"])
        rows.insert(1, "seed", trial["seed"])
        tables.append(rows)
    return pd.concat(tables, ignore_index=True)
