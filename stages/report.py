"""The report: metrics/, data/portraits/*/index.csv and reports/figures/ on one page, reports/index.html."""

import json
from pathlib import Path

from bsn.report import page
from bsn.report.figures import CAPTIONS
from bsn.report.results import Results
from stages.params import Params, load
from stages.results import results
from stages.runner import run_stage


def report() -> None:
    """Write the page."""
    params = load()
    figures = json.loads((Path("reports/figures") / CAPTIONS).read_text("utf-8"))
    measured = results(params)
    page.write(page.render(measured, figures, facts(params, measured)), Path("reports/index.html"))


def facts(params: Params, measured: Results) -> dict[str, str]:
    """What made the numbers, for the foot of the page."""
    made = measured.provenance
    return {
        "Profile": params.profile,
        "Seed": str(params.seed),
        "Individual kernel": f"{params.kernel.width:g} px wide, reading “{params.kernel.reading}” of eq. (1)",
        "Global kernel": f"{params.global_kernel.a:g} to {params.global_kernel.b:g}, reading "
        f"“{params.global_kernel.reading}” of eq. (6)",
        "Commit": made["commit"] or "unknown",
        "Made on": f"{made['date']}, on {made['machine']}",
        "Packages": ", ".join(f"{name} {number}" for name, number in made["packages"].items()),
    }


if __name__ == "__main__":
    run_stage(report)
