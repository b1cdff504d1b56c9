"""Write Tables 1 to 3 -> reports/table{1,2,3}.{csv,md}, metrics/tables.json; data of DVC's plots -> reports/*.csv."""

import json
from pathlib import Path

from study.params import load
from study.runner import run_stage
from study.tables.results import band_rows, load_results, margin_rows, pair_rows
from study.tables.tables import headline, paper_tables

REPORTS = Path("reports")


def tables() -> None:
    """Write the three tables and print them."""
    results = load_results(load())
    made = paper_tables(results)
    for table in made:
        table.write(REPORTS)
    margin_rows(results).to_csv(REPORTS / "portrait_margins.csv", index=False)
    band_rows(results).to_csv(REPORTS / "bands.csv", index=False)
    pair_rows(results).to_csv(REPORTS / "pairs.csv", index=False)
    Path("metrics/tables.json").write_text(json.dumps(headline(results), indent=2) + "\n", "utf-8")
    print("\n" + "\n".join(table.text() for table in made))


if __name__ == "__main__":
    run_stage(tables)
