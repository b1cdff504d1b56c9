"""Two processes, each with its share of the batch, against one process with all of it."""

import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file

from bsn.errors import InputError
from bsn.models import build
from bsn.training import loop
from bsn.training.checkpoints import Checkpoint
from bsn.training.recipe import NO_AUGMENTATION
from tests.bsn.training.test_loop import recipe, toy_model, toy_sampler
from tests.bsn.training.test_resume import die_at
from tests.processes import exit_code, exit_codes

BATCH = 4


def work(folder, world, options):
    """Train on this process's share; write the weights, or the message of an InputError, by the process's number."""
    strategy, precision = "ddp" if world > 1 else "auto", options.get("precision", "32-true")
    fabric = Fabric(accelerator="cpu", devices=world, strategy=strategy, precision=precision)
    fabric.launch()
    checkpoint, out = Checkpoint(folder / "checkpoint"), folder / f"{world}.{fabric.global_rank}"
    model, sampler = network(options), drawn(options)
    if precision == "64-true":
        model.double()  # Fabric does it later, when the optimizer has its momentum
    loop.RECORD_EVERY = options.get("record", loop.RECORD_EVERY)
    loop.SAVE_EVERY = options.get("save", loop.SAVE_EVERY)
    if fabric.global_rank == 1 and "die" in options:
        die_at(loop, "batch_losses", options["die"], False)
    plan = recipe(
        options.get("first", 4),
        options.get("second", 0),
        freeze_batch_norm=options.get("freeze_batch_norm", False),
        optimizer=options.get("optimizer", "sgd"),
    )
    try:
        curves = loop.train(model, sampler, plan, fabric, checkpoint=checkpoint).curves
    except InputError as error:
        (out.parent / f"{fabric.global_rank}.error").write_text(str(error))
        raise
    save_file(model.state_dict(), out)
    np.savetxt(folder / f"{world}.curve", [point.loss for point in curves])


def network(options):
    torch.manual_seed(0)
    return build("fcn8s", classes=2, base_width=4) if options.get("network") == "fcn8s" else toy_model()


def drawn(options):
    """Whole photos, so that every pixel has a label; `unlabelled` rows of the first photo have none."""
    sampler = toy_sampler()
    sampler.batch, sampler.augmentation = options.get("batch", BATCH), replace(NO_AUGMENTATION, flip=0.5)
    sampler.photos[0].labels[: options.get("unlabelled", 0)] = 0
    for photo, value in zip(sampler.photos, options.get("attributes", ()), strict=False):
        photo.attributes[:] = value
    if "nan" in options:
        original = sampler.patch

        def patch(iteration, slot):
            patch = original(iteration, slot)
            if (iteration, slot) == options["nan"]:
                patch["prior"] = np.full_like(patch["prior"], np.nan)
            return patch

        sampler.patch = patch
    return sampler


def difference(one, other):
    one, other = load_file(one), load_file(other)
    return max((one[name].double() - other[name].double()).abs().max().item() for name in one)


FROZEN = {"freeze_batch_norm": True}
CASES = {
    "frozen batch norm": FROZEN,
    "adamw": {**FROZEN, "optimizer": "adamw"},
    "batch norm in training": {},
    # In float32 rounding grows past 1e-5 within seven steps.
    "both phases": {"second": 3, "precision": "64-true"},
    "PortraitFCN+ with its dropout": {"network": "fcn8s"},
    "unequal shares": {**FROZEN, "batch": 3},
    # In float32 its few values a channel carry the rounding past 1e-5 within four steps.
    "unequal shares of batch norm in training": {"batch": 3, "precision": "64-true"},
    "unequal numbers of ignored pixels": {"unlabelled": 20},
    "unequal numbers of known attributes": {"first": 0, "second": 3, "attributes": [0, 1, -1, 1, 0, 1]},
    "no known attribute in one share": {"first": 0, "second": 3, "attributes": [0, -1, -1, -1, -1, -1]},
}


@pytest.mark.parametrize("case", CASES)
def test_two_processes_end_where_one_with_the_joint_batch_does(tmp_path, case):
    assert exit_code(work, tmp_path, 1, CASES[case]) == 0
    assert exit_codes(2, work, tmp_path, 2, CASES[case]) == [0, 0]
    assert difference(tmp_path / "1.0", tmp_path / "2.0") <= 1e-5
    assert difference(tmp_path / "2.0", tmp_path / "2.1") == 0
    assert np.loadtxt(tmp_path / "2.curve") == pytest.approx(np.loadtxt(tmp_path / "1.curve"), abs=1e-5)


def test_two_processes_of_which_one_is_killed_end_where_they_would_have_when_started_again(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    saving = {"first": 6, "record": 1, "save": 0.0}
    assert exit_codes(2, work, tmp_path / "whole", 2, {"first": 6}) == [0, 0]
    # The one that lives ends too, by an error of its own, for it has nobody to add its gradients to.
    assert exit_codes(2, work, tmp_path / "broken", 2, {**saving, "die": 4}) == [1, -signal.SIGKILL]
    assert (tmp_path / "broken/checkpoint/state.pt").exists()
    assert exit_codes(2, work, tmp_path / "broken", 2, saving) == [0, 0]
    assert (tmp_path / "broken/2.0").read_bytes() == (tmp_path / "whole/2.0").read_bytes()


def test_nan_in_one_share_ends_both_processes_and_names_the_whole_batch(tmp_path):
    # Slot 1 of iteration 2 is the second process's.
    assert exit_codes(2, work, tmp_path, 2, {"nan": (2, 1)}) == [1, 1]
    sampler = drawn({})
    names = [sampler.photos[sampler.photo_index(2, slot)].id for slot in range(BATCH)]
    for rank in (0, 1):
        message = (tmp_path / f"{rank}.error").read_text()
        assert f"iteration 2, learning rate 0.01, photos {', '.join(names)};" in message


def test_more_processes_than_patches_in_a_batch_are_refused(tmp_path):
    assert exit_codes(2, work, tmp_path, 2, {"batch": 1}) == [1, 1]
    message = "batch = 1 is less than the 2 processes; start as many as the batch has patches, or fewer"
    assert (tmp_path / "0.error").read_text() == message
