"""A network trained once more and tested -> metrics/trials/<trial>-<seed>.json and metrics/trials/photos/ of that name.

A trial is a method of Table 1 as params.yaml has it, or one reading of the paper: those of eq. (1) are tried on BSN_IK
and those of eq. (6) on BSN_GK; "plain" is PortraitDeepLabv2, which has neither kernel.

    python -m stages.trial closeness-2
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bsn.errors import InputError
from stages.fitting import fit_method
from stages.params import Params, load
from stages.runner import run_stage
from stages.tracking import track_trial

DATA, OUT = Path("data"), Path("metrics/trials")
TRIED = {
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
    from bsn.methods.evaluation import evaluate_samples, kept_test_photos
    from bsn.methods.prediction import load_method
    from bsn.metrics import summarise
    from bsn.training.launch import launch

    tried, _, seed = key.partition("-")
    if tried not in TRIED or not seed.isdecimal():
        raise InputError(f"trial = {key!r} is refused; allowed: {', '.join(TRIED)}, each with a seed, such as plain-1")
    name = TRIED[tried]
    whole = load()
    params = _under(whole, name, tried, int(seed))
    kernel = None
    if name == "bsn_gk":
        kernel = global_kernel(np.load(DATA / "mean_mask/mean_mask.npy"), **params.global_kernel.model_dump())
    with TemporaryDirectory() as scratch, track_trial(whole, params, f"trial {key}") as run:
        model = Path(scratch) / "model"
        # On one thread whatever the profile says: trials are run side by side.
        fabric = launch(threads=1, devices=1)
        fit_method(params, params.methods[name], model, fabric=fabric, kernel=kernel, reading=params.kernel.reading)
        samples = kept_test_photos(
            "pfcn", portraits=DATA / "portraits/pfcn", faces=DATA / "faces/pfcn.csv", out=Path(scratch) / "masks"
        )
        method = load_method(model, aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"))
        photos = evaluate_samples(samples, method=method, title=key, **params.boundary_iou.model_dump())
        summary = summarise(photos, seed=params.seed)
        run.metrics({f"pfcn/{measure}": value for measure, value in summary.items() if isinstance(value, int | float)})
    (OUT / "photos").mkdir(parents=True, exist_ok=True)
    photos.to_csv(OUT / "photos" / f"{key}.csv", index=False, float_format="%.6g")
    found = {"method": name, "trial": tried, "seed": params.seed, "profile": params.profile, "pfcn": summary}
    (OUT / f"{key}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def _under(params: Params, method: str, tried: str, seed: int) -> Params:
    """The parameters with this seed and, where one is tried, this reading, as a user would have set them."""
    changes = {"seed": seed}
    if method == "bsn_ik":
        changes["kernel"] = params.kernel.model_copy(update={"reading": tried})
    if method == "bsn_gk":
        changes["global_kernel"] = params.global_kernel.model_copy(update={"reading": tried})
    return params.model_copy(update=changes)


if __name__ == "__main__":
    run_stage(trial, again="run the same command again: it goes on from its last checkpoint")
