"""Where this run's numbers come from, and the seconds a photo of each method -> metrics/provenance.json.

What was recorded stays while it is true: a commit and a date while the same machine gives the same numbers, seconds
while the method, its code, its photos and the machine are the same. So a study that is run again leaves the file as it
was; without the file, all is measured anew.
"""

import json
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bsn.data.sources import SETS
from bsn.methods.evaluation import kept_test_photos
from bsn.methods.prediction import PhotoFile, load_method
from bsn.provenance import commit, machine
from bsn.speed import seconds_a_photo
from bsn.training import determinism
from bsn.training.checkpoints import file_fingerprint, fingerprint
from stages.params import Params, load
from stages.runner import run_stage
from stages.tracking import SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA, MODELS, METRICS = Path("data"), Path("models"), Path("metrics")
FILE = METRICS / "provenance.json"
PACKAGES = ("torch", "torchvision", "opencv-python", "numpy", "facenet-pytorch")
CODE = ("methods/*.py", "models/*.py", "speed.py")
TIMED = 8  # photos a set


def provenance() -> None:
    params = load()
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    here = machine()
    photos = {name: list(_timed(name)) for name in SETS}
    methods = sorted(file.stem for file in METRICS.glob("*.json") if (MODELS / file.stem).is_dir())
    seconds = {name: _seconds(name, photos, here, known.get("seconds", {}).get(name, {})) for name in methods}
    FILE.write_text(json.dumps({**_run(params, methods, here, known), "seconds": seconds}, indent=1) + "\n")


def _run(params: Params, methods: list[str], here: str, known: dict[str, Any]) -> dict[str, Any]:
    """Profile, seed, machine, and when and with what the numbers were made there for the first time."""
    measured = {name: file_fingerprint(METRICS / f"{name}.json") for name in methods}
    training = _training(params)
    key = fingerprint({"metrics": measured, "machine": here, "params": params.flat(), "training": training}, [])
    if known.get("key") == key:
        return {name: value for name, value in known.items() if name != "seconds"}
    return {
        "key": key,
        "profile": params.profile,
        "seed": params.seed,
        "commit": commit(Path(), SOURCES),
        "machine": here,
        "training": training,
        "date": datetime.now(UTC).date().isoformat(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _training(params: Params) -> dict[str, Any]:
    """How a network is trained by one process here: what its bytes depend on beside packages and parameters."""
    threads = {name: getattr(params.networks, name).threads for name in type(params.networks).model_fields}
    return {"threads": threads, "mode": determinism.MODE, "instructions": determinism.instructions()}


def _seconds(name: str, photos: dict[str, list[PhotoFile]], here: str, known: dict[str, Any]) -> dict[str, Any]:
    """A number a set, and the key under which it stays."""
    model = {file.name: file_fingerprint(file) for file in sorted((MODELS / name).iterdir())}
    timed = {key: [file.photo.name for file in files] for key, files in photos.items()}
    code = sorted(file for pattern in CODE for file in Path("bsn").glob(pattern))
    key = fingerprint({"model": model, "photos": timed, "machine": here}, [], code=code)
    if known.get("key") == key:
        return known
    method = load_method(MODELS / name, aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"))
    measured = {key: seconds_a_photo(method, files) for key, files in photos.items() if files}
    return {"key": key, **{set_name: float(f"{value:.3g}") for set_name, value in measured.items()}}


def _timed(set_name: str) -> "Iterator[PhotoFile]":
    """Test photos evenly spread over the set."""
    samples = kept_test_photos(
        set_name,
        portraits=DATA / "portraits" / set_name,
        faces=DATA / "faces" / f"{set_name}.csv",
        out=DATA / "predictions",
    )
    places = np.unique(np.linspace(0, len(samples) - 1, TIMED).round().astype(int)) if samples else []
    return (samples[place].file for place in places)


if __name__ == "__main__":
    run_stage(provenance)
