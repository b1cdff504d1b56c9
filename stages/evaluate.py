"""Measure one method on every test set and on the validation photos.

Writes metrics/methods/<method>.json, metrics/photos/<method>.csv, metrics/headline/<method>.json (by which experiments
are compared) and the masks to data/predictions/<method>/. Seconds per photo go to timings/<method>.json, which is not
an out. The stage `record` logs all of it to MLflow, because importing MLflow takes as long as some evaluations.
"""

from pathlib import Path

import numpy as np
import torch

from bsn.disk import file_fingerprint
from bsn.errors import InputError
from bsn.methods.prediction import load_method
from bsn.model_format import BASELINES, WEIGHTS
from study.checking import require_choice
from study.evaluation import (
    evaluate_samples,
    evaluated_photos,
    seconds_per_set,
    summarise_sets,
    write_metrics,
)
from study.params import load
from study.provenance import write_timing
from study.runner import run_stage

DATA, MODELS, METRICS = Path("data"), Path("models"), Path("metrics")


def evaluate(name: str) -> None:
    """Measure one method and write its numbers, masks and seconds per photo."""
    params = load()
    require_choice("method", name, [*params.methods, *BASELINES])
    # The last digits of a score depend on the number of threads.
    torch.set_num_threads(1)
    folder = MODELS / name
    if not folder.is_dir():
        stage = "baselines" if name in BASELINES else "train"
        raise InputError(f"method = {name!r} has no folder {folder}; make it with: dvc repro {stage}@{name}")
    file = folder / WEIGHTS
    weights = file_fingerprint(file) if file.exists() else None
    method = load_method(folder, aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"))

    samples = evaluated_photos(DATA, out=DATA / "predictions" / name)
    photos = evaluate_samples(samples, method=method, title=name, **params.boundary_iou.model_dump())
    summary = {
        "method": name,
        "profile": params.profile,
        "weights": weights,
        "parameters": method.parameters,
        "sets": summarise_sets(photos, DATA / "portraits", seed=params.seed),
    }
    write_metrics(METRICS, summary, photos)
    write_timing(name, seconds_per_set(method, samples), profile=params.profile, weights=weights)


if __name__ == "__main__":
    run_stage(evaluate)
