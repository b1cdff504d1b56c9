"""Phase one of a training -> data/phase_one/<network>-<labels>-<weight>/: weights and the optimizer's state.

The attribute branch joins in phase two (section 4.1), so methods that differ in their attribute alone have the same
phase one, and train it once.

    python -m stages.train_base deeplab-soft-global     # or by torchrun or srun, as stages.train
"""

from pathlib import Path

from study.checking import require_choice, validated
from study.params import Method, bases, load
from study.runner import run_stage
from study.training import fit_phase_one

OUT = Path("data/phase_one")


def train_base(name: str) -> None:
    require_choice("phase one", name, bases())
    # Late: a wrong name is refused at once.
    from bsn.training.launch import launch

    params = load()
    network, labels, weight = name.split("-")
    method = validated(Method, {"network": network, "labels": labels, "weight": weight, "attribute": "none"})
    fabric = launch(threads=getattr(params.networks, method.network).threads)
    fit_phase_one(params, method, OUT / name, fabric=fabric)


if __name__ == "__main__":
    run_stage(train_base)
