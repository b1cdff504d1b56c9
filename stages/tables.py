"""Tables 1 to 3, from metrics/ and the sets' index.csv, to reports/ and metrics/tables.json.

Beside them the portraits by margin of the face box, what DVC's plots show, and the speeds.
"""

import json
from pathlib import Path

import pandas as pd

from bsn.report.bands import band_rows
from bsn.report.pairs import pair_rows
from bsn.report.tables import build, headline, margin_rows
from stages.params import load
from stages.results import results
from stages.runner import run_stage


def tables() -> None:
    """Write the three tables and print them."""
    params = load()
    measured = results(params)
    made = build(measured)
    for table in made:
        table.write(Path("reports"))
    margin_rows(measured).to_csv("reports/portrait_margins.csv", index=False)
    band_rows(measured).to_csv("reports/bands.csv", index=False)
    pair_rows(measured).to_csv("reports/pairs.csv", index=False)
    _speed(measured.photos).to_csv("reports/speed.csv", float_format="%.3g")
    Path("metrics/tables.json").write_text(json.dumps(headline(measured), indent=2) + "\n")
    print("\n" + "\n".join(table.text() for table in made))


def _speed(photos: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Median seconds a photo by method and set: a table of its own and not in git, for it differs with every run."""
    medians = {method: rows.groupby("set")["seconds"].median() for method, rows in photos.items()}
    return pd.DataFrame(medians).T.rename_axis("method")


if __name__ == "__main__":
    run_stage(tables)
