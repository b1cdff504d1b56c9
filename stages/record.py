"""The finished study, told to MLflow: one run with its tables and figures, over those of its methods."""

from pathlib import Path

from bsn.tracking import flush
from stages.params import load
from stages.runner import run_stage
from stages.study import post_study
from stages.tracking import Origin, store, study


def record() -> None:
    params = load()
    place = store(params.profile)
    post_study(place, study(params, Origin.here()), Path())
    flush(place)


if __name__ == "__main__":
    run_stage(record)
