"""Measure one method on every test set and on the validation photos.

Writes metrics/methods/<method>.json, metrics/photos/<method>.csv, metrics/headline/<method>.json (what experiments are
compared by) and the masks in data/predictions/<method>/. Seconds per photo go to MLflow and to timings/<method>.json,
which is not an out.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from bsn.errors import InputError
from bsn.methods.prediction import load_method
from bsn.training.checkpoints import file_fingerprint
from study.evaluation import draw_examples, evaluate_samples, evaluated_photos, summarise_sets, write_metrics
from study.params import load
from study.runner import run_stage
from study.speed import seconds_per_set, write_timing
from study.tracking.metrics import flat_metrics
from study.tracking.stages import tell

DATA, MODELS, METRICS = Path("data"), Path("models"), Path("metrics")


def evaluate(name: str) -> None:
    params = load()
    # The last digits of a score depend on the number of threads.
    torch.set_num_threads(1)
    folder = MODELS / name
    if not folder.is_dir():
        raise InputError(f"method = {name!r} has no folder {folder}; train it with: dvc repro train@{name}")
    file = folder / "weights.safetensors"
    weights = file_fingerprint(file) if file.exists() else None
    method = load_method(folder, aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"))

    samples = evaluated_photos(DATA, out=DATA / "predictions" / name)
    photos = evaluate_samples(samples, method=method, title=name, **params.boundary_iou.model_dump())
    sets = summarise_sets(photos, DATA / "portraits", seed=params.seed)
    summary = {
        "method": name,
        "profile": params.profile,
        "weights": weights,
        "parameters": method.parameters,
        "sets": sets,
    }
    written = write_metrics(METRICS, summary, photos)

    seconds = seconds_per_set(method, samples)
    write_timing(name, seconds, profile=params.profile)
    metrics = {**flat_metrics(sets), **{f"{key}/seconds_per_photo": value for key, value in seconds.items()}}
    with TemporaryDirectory() as work:
        examples = dict.fromkeys(draw_examples(samples, Path(work)), "examples")
        tell(params, name, weights=weights, metrics=metrics, artifacts={written: None, **examples})


if __name__ == "__main__":
    run_stage(evaluate)
