"""Train one method of params.yaml on from its phase one -> models/<method>/: weights, what builds them, curves.

With several processes each makes a share of every batch, and the weights are those of one process:

    python -m stages.train bsn                                  # one processor, or every GPU of this machine
    torchrun --nproc-per-node 2 --module stages.train bsn       # two processes, each with half of every batch
    srun --ntasks-per-node 2 python -m stages.train bsn         # the same under Slurm
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bsn.errors import InputError
from bsn.training.checkpoints import file_fingerprint
from study.params import load
from study.runner import run_stage
from study.tracking.stages import track
from study.training import DATA, fit_method

if TYPE_CHECKING:
    from bsn.training.loop import CurvePoint
    from study.tracking import Run

OUT, BASES = Path("models"), Path("data/phase_one")
CURVES = ("loss", "loss_segmentation", "loss_attribute", "lr")


def train(name: str) -> None:
    params = load()
    if name not in params.methods:
        raise InputError(f"method = {name!r} is refused; allowed: {', '.join(params.methods)}")
    from bsn.training.launch import launch

    method = params.methods[name]
    base = BASES / method.base
    fabric = launch(threads=getattr(params.networks, method.network).threads)
    if not fabric.is_global_zero:
        fit_method(params, method, OUT / name, fabric=fabric, base=base)
        return
    from study.tracking import WEIGHTS_TAG

    with track(params, name) as run:
        fit_method(params, method, OUT / name, fabric=fabric, base=base, on_point=lambda point: _log(run, point))
        run.tag(WEIGHTS_TAG, file_fingerprint(OUT / name / "weights.safetensors"))
        run.model(OUT / name, aligned_mean_mask=DATA / "mean_mask/aligned.npy")
    if run.model_uri:
        print(f"to serve it: mlflow models serve -m {run.model_uri} --env-manager local")


def _log(run: "Run", point: "CurvePoint") -> None:
    values = asdict(point)
    run.point({f"train/{key}": values[key] for key in CURVES}, step=point.iteration)


if __name__ == "__main__":
    run_stage(train, again="run the same command again: it goes on from its last checkpoint")
