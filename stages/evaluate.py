"""One method on every test set -> metrics/<method>.json, metrics/photos/<method>.csv, data/predictions/<method>/."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from bsn.checkpoints import file_fingerprint
from bsn.data.photos import read_photo
from bsn.data.sources import SETS, absence
from bsn.data.tables import read_faces, read_index
from bsn.disk import write_png
from bsn.errors import InputError
from bsn.metrics import evaluate_photo, summarise
from bsn.prediction import Method, load_method
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
    photos = pd.concat([_evaluate_set(name, set_name, method) for set_name in SETS], ignore_index=True)
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


def _evaluate_set(name: str, set_name: str, method: Method) -> pd.DataFrame:
    """Predict every test photo of a set and measure it; the measuring runs beside the next prediction."""
    source, out = DATA / "portraits" / set_name, DATA / "predictions" / name / set_name
    out.mkdir(parents=True, exist_ok=True)
    faces = read_faces(DATA / "faces" / f"{set_name}.csv")
    rows = [row for row in read_index(source / "index.csv") if row.kept and row.split == "test"]
    with ThreadPoolExecutor(1) as pool:
        pending = []
        for row in tqdm(rows, desc=f"{name} on {set_name}", unit=" photos"):
            photo = read_photo(source / row.image)
            started = time.perf_counter()
            mask = method(photo, faces[row.id].affine)
            seconds = time.perf_counter() - started
            write_png(out / f"{row.id}.png", mask * 255)
            target = cv2.imread(str(source / row.mask), cv2.IMREAD_UNCHANGED)
            pending.append((row.id, seconds, pool.submit(evaluate_photo, mask, target)))
        measured = [
            {"set": set_name, "id": photo_id, **future.result(), "seconds": seconds}
            for photo_id, seconds, future in pending
        ]
    return pd.DataFrame(measured)


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
