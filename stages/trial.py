"""A network trained once more and tested -> metrics/trials/<profile>/<trial>-<seed>.json, and its photos/*.csv.

A trial is a method of Table 1 as params.yaml has it, or one reading of the paper: those of eq. (1) are tried on BSN_IK
and those of eq. (6) on BSN_GK; "plain" is PortraitDeepLabv2, which has neither kernel. "base" is phase one of "plain",
from which "bsn_ac" goes on as well; it writes data/phase_one/plain-<seed>/.

    python -m stages.trial closeness-2
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from bsn.errors import InputError
from bsn.photos import read_photo
from study.params import Params, load
from study.runner import run_stage
from study.tracking.metrics import flat_metrics
from study.tracking.stages import track_trial
from study.training import attribute_values, fit_method, fit_phase_one

DATA, BASES, METRICS = Path("data"), Path("data/phase_one"), Path("metrics/trials")
BASE, ON_BASE = "base", ("plain", "bsn_ac")
PARTS = {"pfcn": "test", "validation": "validation"}
TRIED = {
    "base": "portrait_deeplab",
    "plain": "portrait_deeplab",
    "portrait_fcn": "portrait_fcn",
    "bsn_ac": "bsn_ac",
    "bsn": "bsn",
    "distance": "bsn_ik",
    "closeness": "bsn_ik",
    "sum": "bsn_ik",
    "text": "bsn_gk",
    "printed": "bsn_gk",
}


def trial(key: str) -> None:
    from bsn.kernels import global_kernel
    from bsn.training.launch import launch

    tried, _, seed = key.partition("-")
    if tried not in TRIED or not seed.isdecimal():
        raise InputError(f"trial = {key!r} is refused; allowed: {', '.join(TRIED)}, each with a seed, such as plain-1")
    name = TRIED[tried]
    whole = load()
    params = _under(whole, name, tried, int(seed))
    base = BASES / f"plain-{seed}"
    # On one thread whatever the profile says: trials are run side by side.
    fabric = launch(threads=1, devices=1)
    if tried == BASE:
        fit_phase_one(params, params.methods[name], base, fabric=fabric)
        return
    kernel = None
    if name == "bsn_gk":
        rest = params.global_kernel.model_dump(exclude={"combination"})
        kernel = global_kernel(np.load(DATA / "mean_mask/mean_mask.npy"), **rest)
    with TemporaryDirectory() as scratch, track_trial(whole, params, f"trial {key}") as run:
        fit_method(
            params,
            params.methods[name],
            Path(scratch) / "model",
            fabric=fabric,
            base=base if tried in ON_BASE else None,
            kernel=kernel,
        )
        photos, summaries = _test(Path(scratch), params, name, title=key)
        run.metrics(flat_metrics(summaries))
    out = METRICS / params.profile
    (out / "photos").mkdir(parents=True, exist_ok=True)
    photos.to_csv(out / "photos" / f"{key}.csv", index=False, float_format="%.6g")
    found = {"method": name, "trial": tried, "seed": params.seed, "profile": params.profile, **summaries}
    (out / f"{key}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def _test(scratch: Path, params: Params, method_name: str, *, title: str) -> tuple[pd.DataFrame, dict[str, dict]]:
    """Every test and validation photo of PFCN measured, and the summary of each of the two."""
    from bsn.methods.prediction import load_method
    from bsn.metrics import summarise
    from study.evaluation import evaluate_samples, kept_photos

    method = load_method(scratch / "model", aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"))
    samples = [
        sample
        for name, split in PARTS.items()
        for sample in kept_photos(
            name, portraits=DATA / "portraits/pfcn", faces=DATA / "faces/pfcn.csv", out=scratch / "masks", split=split
        )
    ]
    photos = evaluate_samples(samples, method=method, title=title, **params.boundary_iou.model_dump())
    attributes = attribute_values(DATA / "attributes" / f"{params.methods[method_name].attribute}.csv")
    if attributes:
        # What the branch says of each photo, beside what the photo's mask is worth.
        told = [method.attribute_classes(read_photo(sample.file.photo), sample.file.affine) for sample in samples]
        for (name, values), classes in zip(attributes.items(), zip(*told, strict=True), strict=True):
            photos[name] = [values[number] for number in classes]
    return photos, {part: summarise(rows, seed=params.seed) for part, rows in photos.groupby("set", sort=False)}


def _under(params: Params, method: str, tried: str, seed: int) -> Params:
    """The parameters with this seed and, where one is tried, this reading, as a user would have set them."""
    changes = {"seed": seed}
    if method == "bsn_ik":
        changes["kernel"] = params.kernel.model_copy(update={"reading": tried})
    if method == "bsn_gk":
        changes["global_kernel"] = params.global_kernel.model_copy(update={"reading": tried})
    return params.model_copy(update=changes)


if __name__ == "__main__":
    run_stage(trial)
