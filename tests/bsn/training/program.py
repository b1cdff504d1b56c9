"""A program that trains a toy network in the folder that it is started in, as one process or as one of several.

    torchrun --nproc-per-node 2 --module tests.bsn.training.program '{"lost": 4}'

Options: lost, the step in which the second process makes the file `lost` and hangs; killed, the step in which it is
killed; patience, in seconds; other, a process that has another photo than the first one.
"""

import json
import os
import signal
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch

from bsn.model_format import ModelDescription
from bsn.models import build
from bsn.training import launch, loop
from bsn.training.checkpoints import open_checkpoint, save_model
from bsn.training.recipe import NO_AUGMENTATION
from study.runner import run_stage
from tests.bsn.training.test_loop import SIZE, recipe, toy_sampler
from tests.waiting import HUNG

STEPS = 6
OPTIONS = {"classes": 2, "backbone": "resnet18", "base_width": 8, "attributes": 1, "attribute_neurons": 64}


def program(options: str) -> None:
    """The steps that it does are printed; the weights go to models/toy, checkpoints to checkpoints."""
    asked = json.loads(options)
    loop.RECORD_EVERY, loop.SAVE_EVERY = 1, 0.0
    launch.TIMEOUT = timedelta(seconds=asked.get("patience", HUNG))
    fabric = launch.launch(threads=1)
    sampler = toy_sampler()
    sampler.batch, sampler.augmentation = 4, replace(NO_AUGMENTATION, flip=0.5)
    if fabric.global_rank == asked.get("other"):
        sampler.photos[3].photo.image[4, 5, 1] += 1
    patch = sampler.patch

    def patch_or_end(iteration, slot):
        if fabric.global_rank == 1 and iteration == asked.get("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        if fabric.global_rank == 1 and iteration == asked.get("lost"):
            Path("lost").touch()
            time.sleep(HUNG)
        return patch(iteration, slot)

    sampler.patch = patch_or_end
    torch.manual_seed(0)
    model = build("deeplab", **OPTIONS).to(memory_format=torch.channels_last)
    plan = recipe(STEPS, 0, freeze_batch_norm=True)
    description = ModelDescription(network="deeplab", options=OPTIONS, size=SIZE)
    with launch.report_lost_process(fabric):
        checkpoint = open_checkpoint(Path("checkpoints"), description, model, sampler, plan, fabric)
        state = loop.train(
            model,
            sampler,
            plan,
            fabric,
            checkpoint=checkpoint,
            on_point=lambda point: print(f"step {point.iteration} of {fabric.world_size} processes", flush=True),
        )
    if fabric.is_global_zero:
        save_model(Path("models/toy"), description, state)
        checkpoint.clear()


if __name__ == "__main__":
    run_stage(program)
