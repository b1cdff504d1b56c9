"""Measure a trained method with and without DeepLabv2's CRF behind it; a command, not a stage of the pipeline.

pip install -r requirements-crf.txt
python -m stages.crf portrait_deeplab      # after dvc repro train@portrait_deeplab; validation and test photos of PFCN
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bsn.errors import InputError
from bsn.methods.dense_crf import RefinedSegmenter
from bsn.methods.prediction import Segmenter, load_method
from bsn.metrics import summarise
from bsn.model_format import WEIGHTS
from study.checking import require_choice
from study.evaluation import evaluate_samples, kept_photos
from study.params import load
from study.runner import run_stage

DATA, MODELS = Path("data"), Path("models")


def crf(name: str) -> None:
    """Print a table of the method with and without the CRF."""
    params = load()
    require_choice("method", name, params.methods)
    if not (MODELS / name / WEIGHTS).exists():
        raise InputError(
            f"method = {name!r} has no trained network in {MODELS / name}; train it: dvc repro train@{name}"
        )
    plain = load_method(MODELS / name, aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"))
    assert isinstance(plain, Segmenter)  # it has weights
    refined = RefinedSegmenter(
        plain.model, size=plain.size, aligned_mean_mask=plain.aligned_mean_mask, device=plain.device
    )
    print("| photos | method | mean IoU | boundary IoU | band of 4 px |\n|---|---|---|---|---|")
    for split in ("validation", "test") if params.validation else ("test",):
        for title, method in ((name, plain), (f"{name} + CRF", refined)):
            print(_row(split, title, method, params.boundary_iou.frame_is_boundary), flush=True)


def _row(split: str, title: str, method: Segmenter, frame_is_boundary: bool) -> str:
    with TemporaryDirectory() as masks:
        samples = kept_photos(
            "pfcn", portraits=DATA / "portraits/pfcn", faces=DATA / "faces/pfcn.csv", out=Path(masks), split=split
        )
        photos = evaluate_samples(samples, method=method, title=title, frame_is_boundary=frame_is_boundary)
    found = summarise(photos)
    low, high = found["mean_iou_low"], found["mean_iou_high"]
    mean = f"{found['mean_iou']:.4f} ({low:.4f} to {high:.4f})"
    return f"| {found['photos']} {split} | {title} | {mean} | {found['boundary_iou']:.4f} | {found['band']['4']:.4f} |"


if __name__ == "__main__":
    run_stage(crf)
