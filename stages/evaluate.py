"""One method on every test set -> metrics/<method>.json, metrics/photos/<method>.csv, data/predictions/<method>/."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from bsn.checkpoints import file_fingerprint
from bsn.data.sources import SETS, absence
from bsn.data.tables import PhotoRow, read_faces, read_index
from bsn.errors import InputError
from bsn.metrics import evaluate_photo, summarise
from bsn.prediction import Method, PhotoFile, load_method, predict_files
from stages.params import load
from stages.runner import run_stage
from stages.tracking import track

DATA, MODELS, METRICS = Path("data"), Path("models"), Path("metrics")


def evaluate(name: str) -> None:
    from bsn.tracking import EVALUATED_TAG

    params = load()
    folder = MODELS / name
    if not folder.is_dir():
        raise InputError(f"method = {name!r} has no folder {folder}; train it with: dvc repro train@{name}")
    method = load_method(folder, aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"))
    photos = _evaluate(name, method)
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
    weights = folder / "weights.safetensors"
    with track(params, name, weights=file_fingerprint(weights) if weights.exists() else None) as run:
        run.metrics(dict(_flat(summary["sets"])))
        run.metrics({f"{set_name}/seconds": rows["seconds"].median() for set_name, rows in photos.groupby("set")})
        run.artifact(file)
        run.tag(EVALUATED_TAG, "yes")
        for example in sorted((DATA / "predictions" / name / "pfcn").glob("*.png"))[:4]:
            run.artifact(example, "examples")


def _evaluate(name: str, method: Method) -> pd.DataFrame:
    """Predict every test photo of every set and measure it; the measuring runs beside the next predictions."""
    found = [(set_name, row) for set_name in SETS for row in _test_rows(set_name)]
    affines = {set_name: read_faces(DATA / "faces" / f"{set_name}.csv") for set_name in SETS}
    files = [
        PhotoFile(
            photo=DATA / "portraits" / set_name / row.image,
            affine=affines[set_name][row.id].affine,
            mask=DATA / "predictions" / name / set_name / f"{row.id}.png",
        )
        for set_name, row in found
    ]
    for set_name in SETS:
        (DATA / "predictions" / name / set_name).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as pool:
        times, pending = [], []
        predicted = tqdm(predict_files(files, method=method), total=len(files), desc=name, unit=" photos")
        for (set_name, row), file, seconds in zip(found, files, predicted, strict=True):
            times.append(seconds)
            pending.append(pool.submit(_measure, file.mask, DATA / "portraits" / set_name / row.mask))
        measured = [
            {"set": set_name, "id": row.id, **future.result(), "seconds": seconds}
            for (set_name, row), seconds, future in zip(found, times, pending, strict=True)
        ]
    return pd.DataFrame(measured)


def _test_rows(set_name: str) -> list[PhotoRow]:
    rows = read_index(DATA / "portraits" / set_name / "index.csv")
    return [row for row in rows if row.kept and row.split == "test"]


def _measure(mask: Path, target: Path) -> dict[str, float]:
    predicted, wanted = (cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in (mask, target))
    return evaluate_photo(predicted // 255, wanted)


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
