"""Loss weight of each pixel of the frame -> data/loss_weights/<uniform|global>.npy: ones, or eq. (6) if global."""

from pathlib import Path

import numpy as np

from bsn.kernels import global_kernel
from study.checking import require_choice
from study.params import load
from study.runner import run_stage

MEAN_MASK, OUT = Path("data/mean_mask/mean_mask.npy"), Path("data/loss_weights")
KINDS = ("uniform", "global")


def loss_weights(kind: str) -> None:
    """Write the map, float32 (800, 600)."""
    require_choice("weight", kind, KINDS)
    mean_mask = np.load(MEAN_MASK)
    params = load().global_kernel
    kernel = (
        global_kernel(mean_mask, a=params.a, b=params.b, reading=params.reading)
        if kind == "global"
        else np.ones_like(mean_mask)
    )
    OUT.mkdir(parents=True, exist_ok=True)
    np.save(OUT / f"{kind}.npy", kernel)


if __name__ == "__main__":
    run_stage(loss_weights)
