"""Trials of Table 1's trained rows -> reports/<profile>/seeds{,_bands}: gains with intervals over seeds and photos."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from study.params import load
from study.runner import run_stage
from study.tables.seeds import attributes_table, seeds_tables
from study.tables.table import Table
from study.tables.trials import read_trial_photos
from study.tracking.stages import tell_trials

BY_EYE = Path("attributes/by_eye")  # of PFCN's photos, not of drawn ones
TRIALS, REPORTS = Path("metrics/trials"), Path("reports")


def seeds() -> None:
    params = load()
    trials = {
        "portrait_fcn": "portrait_fcn",
        "portrait_deeplab": "plain",
        "bsn_ac": "bsn_ac",
        "bsn_gk": params.global_kernel.reading,
        "bsn_ik": params.kernel.reading,
        "bsn": "bsn",
    }
    photos = read_trial_photos(TRIALS / params.profile, trials.values())
    out = REPORTS / params.profile
    methods = {trial: method for method, trial in trials.items()}
    photos = photos.assign(method=photos["trial"].map(methods))
    tested = photos[photos["set"] == "pfcn"]
    tables = [
        *seeds_tables(tested, profile=params.profile, seed=params.seed),
        *(() if params.data.draw else _attributes(photos)),
    ]
    for table in tables:
        table.write(out)
        print(table.text())
    tell_trials(params, *(out / f"{table.name}.{kind}" for table in tables for kind in ("csv", "md")))


def _attributes(photos: pd.DataFrame) -> Iterator[Table]:
    """One table per attribute with labels by looking, of the methods that have learned it."""
    for file in sorted(BY_EYE.glob("*.csv")):
        by_eye = pd.read_csv(file, dtype=str).set_index("id")[file.stem]
        rule = pd.read_csv(Path("data/attributes") / file.name, dtype=str).set_index("id")[file.stem]
        held_out = photos[photos["set"] == "validation"]
        if file.stem in held_out and held_out["id"].isin(by_eye.index).any():
            yield attributes_table(held_out, attribute=file.stem, by_eye=by_eye, rule=rule)


if __name__ == "__main__":
    run_stage(seeds)
