"""Print the seconds per photo of each method evaluated on this machine.

They are in timings/<method>.json, which git and DVC ignore: they vary between runs, and outs must not.

    python -m stages.timings     # the table, at the end of `make repro`
"""

import json
from collections.abc import Mapping

import pandas as pd

from study.paper import NAMES, SETS
from study.provenance import TIMINGS
from study.runner import run_stage
from study.tables import formats
from study.tables.formats import Columns, Table, column


def timings() -> None:
    """Print one table per environment and commit that methods were measured on."""
    found = [json.loads(file.read_text()) for file in sorted(TIMINGS.glob("*.json"))]
    if not found:
        print("No method was evaluated on this machine; dvc repro -s -f evaluate@bsn measures one")
    for made in {json.dumps(timing["made"]): timing["made"] for timing in found}.values():
        print("\n" + timing_table([timing for timing in found if timing["made"] == made], made).text())


def timing_table(measured: list[dict], made: Mapping[str, str]) -> Table:
    """Table of seconds per photo.

    Args:
        measured: contents of timings/<method>.json, all measured on the same environment and commit.
        made: that environment and commit.

    Returns:
        One row per method, those of the paper first.
    """
    known = list(NAMES)
    measured = sorted(measured, key=lambda one: known.index(one["method"]) if one["method"] in known else len(known))
    rows = [{"method": one["method"], **{name: one["seconds"].get(name) for name in SETS}} for one in measured]
    columns: Columns = {"Method": lambda row: str(NAMES.get(row["method"], row["method"]))}
    columns |= {title: column(formats.seconds, name) for name, title in SETS.items()}
    where = f"On {made['machine']}, {made['instructions']}; networks on one thread, or on the GPU."
    beside = "Measured beside other methods in `make repro`; `dvc repro -s -f evaluate@<method>` measures one alone."
    notes = (where, beside, f"Commit {made['commit']}; {made['packages']}.")
    return Table("timings", f"Seconds per photo. Profile {made['profile']}.", pd.DataFrame(rows), columns, notes)


if __name__ == "__main__":
    run_stage(timings)
