"""Trials of the readings -> reports/<profile>/readings.csv and .md: mean and spread of each over its seeds."""

from pathlib import Path

from study.params import load
from study.runner import run_stage
from study.tables.readings import READINGS, readings_table
from study.tables.trials import read_trials
from study.tracking.stages import tell_trials

TRIALS, REPORTS = Path("metrics/trials"), Path("reports")


def readings() -> None:
    params = load()
    trials = read_trials(TRIALS / params.profile, READINGS)
    out = REPORTS / params.profile
    chosen = (params.kernel.reading, params.global_kernel.reading)
    table = readings_table(trials, chosen=chosen, profile=params.profile)
    table.write(out)
    print(table.text())
    tell_trials(params, out / "readings.csv", out / "readings.md")


if __name__ == "__main__":
    run_stage(readings)
