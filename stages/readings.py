"""Compare the readings of eq. (1) and (6) over several seeds -> reports/<profile>/readings.{csv,md}."""

from itertools import chain
from pathlib import Path

from study.params import load
from study.runner import run_stage
from study.tables.seeds import READINGS, read_trials, readings_table
from study.tracking.recording import record_trials

TRIALS, REPORTS = Path("metrics/trials"), Path("reports")


def readings() -> None:
    """Write the table of readings and print it."""
    params = load()
    out = REPORTS / params.profile
    photos = read_trials(TRIALS / params.profile, chain(*READINGS))
    chosen = (params.kernel.reading, params.global_kernel.reading)
    table = readings_table(photos, chosen=chosen, profile=params.profile)
    table.write(out)
    print(table.text())
    record_trials(params, out / "readings.csv", out / "readings.md")


if __name__ == "__main__":
    run_stage(readings)
