"""The report: metrics/, data/ and reports/figures/ on one page, reports/index.html with reports/compare/."""

import json
from pathlib import Path

from study import page
from study.params import Params, load
from study.results import results
from study.runner import run_stage


def report() -> None:
    """Write the page and the pictures of its slider."""
    params = load()
    measured = results(params)
    figures = Path("reports/figures")
    captions = json.loads(Path("reports/captions.json").read_text("utf-8"))
    shown = page.sized(captions, figures)
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
