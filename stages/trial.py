"""One reading of the paper on trial -> metrics/readings/<reading>-<seed>.json: a network trained under it, and tested.

The readings of eq. (1) are tried on BSN_IK and those of eq. (6) on BSN_GK; "plain" is PortraitDeepLabv2, which has
neither kernel.

    python -m stages.trial closeness 2
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bsn.errors import InputError
from stages.fitting import fit_method, launch
from stages.params import Params, load
from stages.runner import run_stage
from stages.tracking import track

DATA, OUT = Path("data"), Path("metrics/readings")
TRIED = {
    "plain": "portrait_deeplab",
    "distance": "bsn_ik",
    "closeness": "bsn_ik",
    "sum": "bsn_ik",
    "text": "bsn_gk",
    "printed": "bsn_gk",
}


def trial(reading: str, seed: str) -> None:
    from bsn.evaluation import evaluate_samples, kept_test_photos
    from bsn.kernels import global_kernel
    from bsn.metrics import summarise
    from bsn.prediction import load_method

    if reading not in TRIED:
        raise InputError(f"reading = {reading!r} is refused; allowed: {', '.join(TRIED)}")
    if not seed.isdecimal():
        raise InputError(f"seed = {seed!r} is refused; allowed: a whole number, 0 or more")
    name = TRIED[reading]
    params = _under(load(), name, reading, int(seed))
    mean_mask, aligned = (np.load(DATA / "mean_mask" / f"{which}.npy") for which in ("mean_mask", "aligned"))
    kernel = global_kernel(mean_mask, **params.global_kernel.model_dump()) if name == "bsn_gk" else None
    with TemporaryDirectory() as scratch, track(params, f"{name} {reading}") as run:
        model = Path(scratch) / "model"
        fit_method(
            params, params.methods[name], model, fabric=launch(devices=1), kernel=kernel, reading=params.kernel.reading
        )
        samples = kept_test_photos(
            "pfcn", portraits=DATA / "portraits/pfcn", faces=DATA / "faces/pfcn.csv", out=Path(scratch) / "masks"
        )
        method = load_method(model, aligned_mean_mask=aligned)
        rows = evaluate_samples(samples, method=method, title=reading, **params.boundary_iou.model_dump())
        summary = summarise(rows, seed=params.seed)
        run.metrics({f"pfcn/{key}": value for key, value in summary.items() if isinstance(value, int | float)})
    OUT.mkdir(parents=True, exist_ok=True)
    found = {"method": name, "reading": reading, "seed": params.seed, "profile": params.profile, "pfcn": summary}
    (OUT / f"{reading}-{seed}.json").write_text(json.dumps(found, indent=1) + "\n")


def _under(params: Params, method: str, reading: str, seed: int) -> Params:
    """The parameters with this reading and this seed, as a user would have set them."""
    changes = {"seed": seed}
    if method == "bsn_ik":
        changes["kernel"] = params.kernel.model_copy(update={"reading": reading})
    if method == "bsn_gk":
        changes["global_kernel"] = params.global_kernel.model_copy(update={"reading": reading})
    return params.model_copy(update=changes)


if __name__ == "__main__":
    run_stage(trial)
