"""The trials of metrics/readings/ -> reports/readings.csv and .md: each reading's mean and spread over its seeds."""

import json
from pathlib import Path

from bsn.errors import InputError
from bsn.report.readings import readings_table
from stages.params import load
from stages.runner import run_stage

TRIALS = Path("metrics/readings")


def readings() -> None:
    params = load()
    trials = [json.loads(file.read_text()) for file in sorted(TRIALS.glob("*.json"))]
    if not trials:
        raise InputError(f"{TRIALS} holds no trial; run them with: dvc repro readings/dvc.yaml")
    chosen = (params.kernel.reading, params.global_kernel.reading)
    table = readings_table(trials, chosen=chosen, profile=params.profile)
    table.write(Path("reports"))
    print(table.text())


if __name__ == "__main__":
    run_stage(readings)
