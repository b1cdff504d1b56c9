"""A finished study as MLflow shows it: one run with the headline numbers, tables and figures, one more a method."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bsn.tracking import Card, Store, post
from stages.tracking import part

RESULTS_TAG = "results"


def post_study(store: Store, whole: Card, folder: Path, *, only_if_absent: bool = False) -> None:
    """Put into the outbox what `folder` holds of metrics/ and reports/: the study's run, and those of its methods.

    only_if_absent: leave the study's run as it is where MLflow has one.

    A method that has a run in this study keeps it as it is. One that DVC took from its cache has none: it gets one,
    with its numbers and, where MLflow knows it, a link to the run that trained it.
    """
    # First: a method's run would make the study's, and then it would not be absent.
    provenance = folder / "metrics/provenance.json"
    machine = {"machine": json.loads(provenance.read_text("utf-8"))["machine"]} if provenance.exists() else {}
    tags = {**whole.tags, **machine, RESULTS_TAG: results(whole.params, folder)}
    post(
        store,
        replace(whole, tags=tags),
        metrics=headline(folder),
        artifacts={
            **dict.fromkeys(sorted((folder / "reports").glob("table*")), "tables"),
            folder / "reports/figures": "figures",
        },
        only_if_absent=only_if_absent,
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
    files = sorted((folder / "metrics").glob("*.json"))
    return [file for file in files if "sets" in json.loads(file.read_text("utf-8"))]
