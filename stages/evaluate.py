"""One method on every test set -> metrics/<method>.json, metrics/photos/<method>.csv, data/predictions/<method>/.

metrics/headline/<method>.json holds the two numbers that experiments are compared by, under the method's name.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from bsn.checkpoints import file_fingerprint
from bsn.data.sources import SETS, absence
from bsn.errors import InputError
from bsn.evaluation import Sample, evaluate_samples, kept_test_photos
from bsn.metrics import summarise
from bsn.prediction import load_method
from stages.params import load
from stages.runner import run_stage
from stages.tracking import track

DATA, MODELS, METRICS = Path("data"), Path("models"), Path("metrics")
HEADLINE = ("mean_iou", "boundary_iou")  # on PFCN


def evaluate(name: str) -> None:
    from bsn.tracking import EVALUATED_TAG

    params = load()
    folder = MODELS / name
    if not folder.is_dir():
        raise InputError(f"method = {name!r} has no folder {folder}; train it with: dvc repro train@{name}")
    method = load_method(folder, aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"))
    samples = [sample for set_name in SETS for sample in _samples(name, set_name)]
    photos = evaluate_samples(samples, method=method, title=name, **params.boundary_iou.model_dump())
    if photos.empty:
        raise InputError(f"there is no test photo in {DATA / 'portraits'}; look at the reasons in its index.csv files")
    (METRICS / "photos").mkdir(parents=True, exist_ok=True)
    photos.to_csv(METRICS / "photos" / f"{name}.csv", index=False, float_format="%.6g")
    summary: dict[str, Any] = {"method": name, "profile": params.profile, "parameters": method.parameters, "sets": {}}
    for set_name in SETS:
        rows = photos[photos["set"] == set_name]
        reason = absence(DATA / "portraits" / set_name) or "no photo of this set passed the portrait filter"
        summary["sets"][set_name] = summarise(rows, seed=params.seed) if len(rows) else {"absent": reason}
    file = METRICS / f"{name}.json"
    file.write_text(json.dumps(summary, indent=1) + "\n")
    headline = {key: round(value, 4) for key, value in summary["sets"]["pfcn"].items() if key in HEADLINE}
    (METRICS / "headline").mkdir(exist_ok=True)
    (METRICS / "headline" / f"{name}.json").write_text(json.dumps({name: headline}, indent=1) + "\n")
    weights = folder / "weights.safetensors"
    with track(params, name, weights=file_fingerprint(weights) if weights.exists() else None) as run:
        run.metrics(dict(_flat(summary["sets"])))
        run.artifact(file)
        run.tag(EVALUATED_TAG, "yes")
        for example in sorted((DATA / "predictions" / name / "pfcn").glob("*.png"))[:4]:
            run.artifact(example, "examples")


def _samples(name: str, set_name: str) -> list[Sample]:
    return kept_test_photos(
        set_name,
        portraits=DATA / "portraits" / set_name,
        faces=DATA / "faces" / f"{set_name}.csv",
        out=DATA / "predictions" / name / set_name,
    )


def _flat(sets: dict[str, Any]) -> list[tuple[str, float]]:
    """`pfcn/mean_iou` and so on: what one number tells, for MLflow."""
    return [
        (f"{set_name}/{key}", value)
        for set_name, summary in sets.items()
        for key, value in summary.items()
        if isinstance(value, int | float)
    ]


if __name__ == "__main__":
    run_stage(evaluate)
