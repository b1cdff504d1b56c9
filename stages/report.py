"""The report: metrics/, data/ and reports/figures/ on one page, reports/index.html with reports/compare/."""

import json
from pathlib import Path

from bsn.report import page
from bsn.report.figures import CAPTIONS
from stages.params import Params, load
from stages.results import results
from stages.runner import run_stage


def report() -> None:
    """Write the page and the pictures of its slider."""
    params = load()
    measured = results(params)
    figures = Path("reports/figures")
    shown = page.sized(json.loads((figures / CAPTIONS).read_text("utf-8")), figures)
    compared = page.compare(measured, Path("data/portraits"), Path("data/predictions"), Path("reports/compare"))
    page.write(page.render(measured, shown, facts(params), compared), Path("reports/index.html"))


def facts(params: Params) -> dict[str, str]:
    """What made the numbers, for the foot of the page."""
    return {
        "Profile": params.profile,
        "Seed": str(params.seed),
        "Individual kernel": f"{params.kernel.width:g} px wide, reading “{params.kernel.reading}” of eq. (1)",
        "Global kernel": f"{params.global_kernel.a:g} to {params.global_kernel.b:g}, reading "
        f"“{params.global_kernel.reading}” of eq. (6)",
    }


if __name__ == "__main__":
    run_stage(report)
