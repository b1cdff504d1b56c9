"""A finished study as MLflow shows it: one run with the headline numbers, tables and figures, one more a method."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from study.tracking import Card, Store, post
from study.tracking.stages import part

RESULTS_TAG = "results"


def post_study(store: Store, whole: Card, folder: Path, *, tags: Mapping[str, str] | None = None) -> None:
    """Put into the outbox what `folder` holds of metrics/ and reports/: the study's run, and those of its methods.

    tags: further ones of the study's run, such as the machine's.

    A method that has a run in this study keeps it as it is. One that DVC took from its cache has none: it gets one,
    with its numbers and, where MLflow knows it, a link to the run that trained it.
    """
    figures = folder / "reports/figures"  # in DVC's cache and not in git
    post(
        store,
        replace(whole, tags={**whole.tags, **(tags or {}), RESULTS_TAG: results(whole.params, folder)}),
        metrics=headline(folder),
        artifacts={
            **dict.fromkeys(sorted((folder / "reports").glob("table*")), "tables"),
            **({figures: "figures"} if figures.exists() else {}),
        },
    )
    for file in _method_files(folder):
        summary = json.loads(file.read_text("utf-8"))
        card = part(whole, summary["method"], weights=summary.get("weights"))
        post(store, card, metrics=flat_metrics(summary["sets"]), artifacts={file: None}, only_if_absent=True)


def results(params: Mapping[str, Any], folder: Path) -> str:
    """Ten digits that change with any parameter and any measured number."""
    digest = hashlib.sha256(json.dumps(dict(params), sort_keys=True).encode())
    for file in _method_files(folder):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:10]


def headline(folder: Path) -> dict[str, float]:
    """What experiments are compared by: the numbers of metrics/headline/, as `bsn/mean_iou`."""
    files = sorted((folder / "metrics/headline").glob("*.json"))
    return {name: value for file in files for name, value in flat_metrics(json.loads(file.read_text("utf-8"))).items()}


def flat_metrics(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """`{"pfcn": {"mean_iou": 0.9, "band": {...}}}` -> `{"pfcn/mean_iou": 0.9}`: what one number tells."""
    return {
        f"{group}/{key}": float(value)
        for group, values in groups.items()
        for key, value in values.items()
        if isinstance(value, int | float)
    }


def _method_files(folder: Path) -> list[Path]:
    return sorted((folder / "metrics/methods").glob("*.json"))
