"""Train phase one -> data/phase_one/<network>-<labels>-<weight>/: weights and the optimizer's state.

The attribute branch is trained in phase two only (section 4.1), so methods with the same network, labels and loss
weight share phase one. Example: python -m stages.train_base deeplab-soft-global; or by torchrun, as stages.train.
"""

from pathlib import Path

from bsn.training import loop
from bsn.training.checkpoints import open_checkpoint, save_phase_one
from bsn.training.launch import launch, report_lost_process
from study.checking import require_choice, validated
from study.params import MethodParams, base_names, load
from study.runner import run_stage
from study.training import checkpoints_folder, model_description, patch_sampler, starting_model

OUT = Path("data/phase_one")


def train_base(name: str) -> None:
    """Train phase one of one combination of network, labels and loss weights."""
    require_choice("phase one", name, base_names())
    params = load()
    words = dict(zip(("network", "labels", "weight"), name.split("-"), strict=True))
    method = validated(MethodParams, {**words, "attribute": "none"})
    network, recipe = params.network(method), params.recipe(method)
    fabric = launch(threads=network.threads, devices=network.batch)
    with report_lost_process(fabric):
        sampler = patch_sampler(params, method, attributes={})
        description = model_description(params, method, attributes=())
        model = starting_model(description, seed=params.seed)
        checkpoint = open_checkpoint(checkpoints_folder(), description, model, sampler, recipe, fabric, phases=1)
        state = loop.train(model, sampler, recipe, fabric, checkpoint, phases=1, workers=network.workers, title=name)
        if fabric.is_global_zero:
            save_phase_one(OUT / name, state)
            checkpoint.clear()


if __name__ == "__main__":
    run_stage(train_base)
