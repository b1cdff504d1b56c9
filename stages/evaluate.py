"""One method on every test set -> metrics/<method>.json, metrics/photos/<method>.csv, data/predictions/<method>/.

metrics/headline/<method>.json holds the two numbers that experiments are compared by, under the method's name. The
method's seconds per photo go to MLflow and to timings/<method>.json, which is no out.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from bsn.errors import InputError
from bsn.methods.prediction import PhotoFile, load_method
from bsn.metrics import summarise
from bsn.photos import read_palette, read_photo
from bsn.training.checkpoints import file_fingerprint
from stages.timings import write_timing
from study.datasets.location import SETS, absence
from study.evaluation import Sample, evaluate_samples, kept_photos
from study.figures.sheet import outlined
from study.params import Params, load
from study.runner import run_stage
from study.speed import seconds_per_photo
from study.tracking.metrics import flat_metrics
from study.tracking.stages import tell

DATA, MODELS, METRICS = Path("data"), Path("models"), Path("metrics")
VALIDATION = "validation"  # part of PFCN's training list, on which settings are chosen
MEASURED = (*SETS, VALIDATION)
HEADLINE = ("mean_iou", "boundary_iou")  # on PFCN's test photos, and on its validation photos
EXAMPLES = 4  # photos that MLflow shows


def evaluate(name: str) -> None:
    params = load()
    # The last digits of a score depend on how many threads compute it.
    torch.set_num_threads(1)
    folder = MODELS / name
    if not folder.is_dir():
        raise InputError(f"method = {name!r} has no folder {folder}; train it with: dvc repro train@{name}")
    file = folder / "weights.safetensors"
    weights = file_fingerprint(file) if file.exists() else None
    method = load_method(folder, aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"))
    samples = [sample for set_name in MEASURED for sample in _samples(name, set_name)]
    photos = evaluate_samples(samples, method=method, title=name, **params.boundary_iou.model_dump())
    if photos.empty:
        raise InputError(f"there is no test photo in {DATA / 'portraits'}; its index.csv files have the reasons")
    summary = {
        "method": name,
        "profile": params.profile,
        "weights": weights,
        "parameters": method.parameters,
        "sets": {set_name: _summary(set_name, photos[photos["set"] == set_name], params) for set_name in MEASURED},
    }
    written = _write(name, summary, photos)
    seconds = {set_name: seconds_per_photo(method, files) for set_name, files in _files_by_set(samples).items()}
    write_timing(name, seconds, profile=params.profile)
    timed = {f"{set_name}/seconds_per_photo": value for set_name, value in seconds.items()}
    with TemporaryDirectory() as work:
        examples = dict.fromkeys(_examples(samples[:EXAMPLES], Path(work)), "examples")
        tell(
            params,
            name,
            weights=weights,
            metrics={**flat_metrics(summary["sets"]), **timed},
            artifacts={written: None, **examples},
        )


def _summary(set_name: str, photos: pd.DataFrame, params: Params) -> dict[str, Any]:
    if photos.empty:
        return {"absent": _absence(set_name)}
    return summarise(photos, seed=params.seed)


def _absence(set_name: str) -> str:
    if set_name == VALIDATION:
        return "data.validation names no photo"
    return absence(DATA / "portraits" / set_name) or "no photo of this set passed the portrait filter"


def _write(name: str, summary: dict[str, Any], photos: pd.DataFrame) -> Path:
    """The files in metrics/; the one that holds the summary."""
    for folder in ("methods", "photos", "headline"):
        (METRICS / folder).mkdir(parents=True, exist_ok=True)
    photos.to_csv(METRICS / "photos" / f"{name}.csv", index=False, float_format="%.6g")
    headline = {
        f"{prefix}{key}": round(summary["sets"][set_name][key], 4)
        for set_name, prefix in (("pfcn", ""), (VALIDATION, "validation_"))
        for key in HEADLINE
        if key in summary["sets"][set_name]
    }
    (METRICS / "headline" / f"{name}.json").write_text(json.dumps({name: headline}, indent=1) + "\n", "utf-8")
    file = METRICS / "methods" / f"{name}.json"
    file.write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    return file


def _files_by_set(samples: list[Sample]) -> dict[str, list[PhotoFile]]:
    files: dict[str, list[PhotoFile]] = {}
    for sample in samples:
        files.setdefault(sample.set, []).append(sample.file)
    return files


def _examples(samples: list[Sample], folder: Path) -> Iterator[Path]:
    """Test photos with the contour that was found, for MLflow."""
    for sample in samples:
        photo, mask = read_photo(sample.file.photo), read_palette(sample.file.mask) // 255
        file = folder / f"{sample.set}-{sample.id}.jpg"
        Image.fromarray(outlined(photo, mask, thickness=max(2, len(photo) // 200))).save(file, quality=95)
        yield file


def _samples(name: str, set_name: str) -> list[Sample]:
    source, split = ("pfcn", "validation") if set_name == VALIDATION else (set_name, "test")
    return kept_photos(
        set_name,
        portraits=DATA / "portraits" / source,
        faces=DATA / "faces" / f"{source}.csv",
        out=DATA / "predictions" / name / set_name,
        split=split,
    )


if __name__ == "__main__":
    run_stage(evaluate)
