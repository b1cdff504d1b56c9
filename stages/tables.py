"""Tables 1 to 3, from metrics/ and the sets' index.csv, to reports/ and metrics/tables.json.

Beside them the portraits by margin of the face box, and what DVC's plots show.
"""

import json
from pathlib import Path

from study.params import load
from study.results import results
from study.runner import run_stage
from study.tables.bands import band_rows
from study.tables.pairs import pair_rows
from study.tables.tables import build, headline, margin_rows


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
    Path("metrics/tables.json").write_text(json.dumps(headline(measured), indent=2) + "\n", "utf-8")
    print("\n" + "\n".join(table.text() for table in made))


if __name__ == "__main__":
    run_stage(tables)
