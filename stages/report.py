"""Write the page of all tables and figures -> reports/index.html, and its slider -> reports/compare/."""

import json
from pathlib import Path

from study import page
from study.params import load
from study.runner import run_stage
from study.tables.results import load_results

REPORTS, FIGURES = Path("reports"), Path("reports/figures")


def report() -> None:
    """Write the page and the pictures of its slider."""
    params = load()
    results = load_results(params)
    figures = page.sized(json.loads((REPORTS / "captions.json").read_text("utf-8")), FIGURES)
    comparison = page.compare(results, Path("data/portraits"), Path("data/predictions"), REPORTS / "compare")
    kernel, global_kernel = params.kernel, params.global_kernel
    facts = {
        "Profile": params.profile,
        "Seed": str(params.seed),
        "Individual kernel": f"{kernel.width:g} px wide, reading “{kernel.reading}” of eq. (1)",
        "Global kernel": f"{global_kernel.a:g} to {global_kernel.b:g}, reading “{global_kernel.reading}” of eq. (6)",
    }
    page.write(page.render(results, figures, facts, comparison), REPORTS / "index.html")


if __name__ == "__main__":
    run_stage(report)
