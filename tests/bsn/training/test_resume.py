"""Runs that are killed for real, and numbers of loader workers: the weights are the same, byte for byte."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file

from bsn.errors import InputError
from bsn.training import checkpoints, loop
from bsn.training.checkpoints import Checkpoint, fingerprint
from bsn.training.recipe import Phase
from tests.bsn.training.test_loop import recipe, toy_model, toy_sampler, train_toy
from tests.processes import exit_code

FIRST, SECOND, POINTS_EVERY = 6, 4, 2  # a checkpoint after each two of ten iterations

# Where to die: what is called there, and at which of its calls. `after` is when that call has done its work.
MOMENTS = {
    "before the first checkpoint": (loop, "batch_losses", 2, False),
    "between two checkpoints": (loop, "batch_losses", 4, False),
    "while the first checkpoint is written": (checkpoints.os, "fsync", 1, False),
    "while a later checkpoint is written": (checkpoints.os, "fsync", 3, False),
    "when a checkpoint is written and not yet in its place": (checkpoints.os, "fsync", 2, True),
    "just after a checkpoint": (Checkpoint, "save", 2, True),
    "at the last iteration of phase one, which is saved": (Checkpoint, "save", 3, True),
    "in the first step of phase two": (loop, "batch_losses", 7, False),
    "in the backward pass of phase two": (Fabric, "backward", 9, True),
    "in the last step": (loop, "batch_losses", 10, True),
    "when training is over and no weights are written yet": (sys.modules[__name__], "save_file", 1, False),
    "when the weights are written and the checkpoint still there": (Checkpoint, "clear", 1, False),
}


def die_at(owner, name, call, after):
    """Kill this process, as SIGKILL does, at the given call of `owner.name`."""
    original, calls = getattr(owner, name), 0

    def fatal(*args, **options):
        nonlocal calls
        calls += 1
        if calls == call and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **options)
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, fatal)


def die_in(seconds):
    """Kill this process that long after its first step has begun, wherever it then is."""
    original = loop.batch_losses

    def losses(*args, **options):
        loop.batch_losses = original
        threading.Thread(
            target=lambda: (time.sleep(seconds), os.kill(os.getpid(), signal.SIGKILL)), daemon=True
        ).start()
        return original(*args, **options)

    loop.batch_losses = losses


def work(folder, out, *, moment=None, seconds=None, workers=0, optimizer="sgd"):
    """One run to its end, or to its death: checkpoints in `folder`, weights in `out`."""
    loop.SAVE_EVERY, loop.RECORD_EVERY = 0.0, POINTS_EVERY
    if moment:
        die_at(*MOMENTS[moment])
    if seconds:
        die_in(seconds)
    model = toy_model()
    train_toy(folder, model, plan=recipe(FIRST, SECOND, optimizer=optimizer), workers=workers)
    save_file(model.state_dict(), out)
    Checkpoint(folder).clear()


def work_with(folder, out, options):
    work(folder, out, **options)


def work_without_fork(folder, out, options):
    """As on a Mac, and as everywhere from Python 3.14 on."""
    multiprocessing.set_start_method("spawn", force=True)
    work(folder, out, **options)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The bytes of the weights of a run that nobody disturbed, by optimizer."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for optimizer in ("sgd", "adamw"):
        assert exit_code(work_with, folder / "run", folder / optimizer, {"optimizer": optimizer}) == 0
    return {optimizer: (folder / optimizer).read_bytes() for optimizer in ("sgd", "adamw")}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_killed_at_this_moment_and_started_again_writes_the_same_bytes(tmp_path, undisturbed, moment):
    folder, out = tmp_path / "run", tmp_path / "weights"
    assert exit_code(work_with, folder, out, {"moment": moment}) == -signal.SIGKILL
    assert exit_code(work_with, folder, out, {}) == 0
    assert out.read_bytes() == undisturbed["sgd"]
    assert not folder.exists()


def test_a_run_killed_again_and_again_wherever_it_was_writes_the_same_bytes(tmp_path, undisturbed):
    folder, out, draw = tmp_path / "run", tmp_path / "weights", np.random.default_rng(0)
    # The first is too short for ten steps; of the others some may come to the end, which ends the killing.
    delays = [0.02, *draw.uniform(0.02, 0.3, 4)]
    codes = [exit_code(work_with, folder, out, {"seconds": s, "optimizer": "adamw"}) for s in delays]
    assert codes[0] == -signal.SIGKILL
    assert set(codes) <= {0, -signal.SIGKILL}
    assert exit_code(work_with, folder, out, {"optimizer": "adamw"}) == 0
    assert out.read_bytes() == undisturbed["adamw"]


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_loader_workers_writes_the_same_bytes(tmp_path, undisturbed, workers):
    assert exit_code(work_with, tmp_path / "run", tmp_path / "weights", {"workers": workers}) == 0
    assert (tmp_path / "weights").read_bytes() == undisturbed["sgd"]


def test_loader_workers_that_cannot_be_forked_write_the_same_bytes(tmp_path, undisturbed):
    assert exit_code(work_without_fork, tmp_path / "run", tmp_path / "weights", {"workers": 1}) == 0
    assert (tmp_path / "weights").read_bytes() == undisturbed["sgd"]


def test_a_run_killed_with_loader_workers_and_started_again_with_others_writes_the_same_bytes(tmp_path, undisturbed):
    folder, out = tmp_path / "run", tmp_path / "weights"
    killed = {"moment": "in the first step of phase two", "workers": 2}
    assert exit_code(work_with, folder, out, killed) == -signal.SIGKILL
    assert exit_code(work_with, folder, out, {"workers": 1}) == 0
    assert out.read_bytes() == undisturbed["sgd"]


def broken_off(folder, plan, sampler, at):
    """Train until the point at that iteration, and be interrupted there."""

    def interrupt(point):
        if point.iteration == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(folder, plan, sampler, interrupt)


def train(folder, plan, sampler, on_point=lambda point: None):
    model = toy_model()
    fabric, checkpoint = Fabric(accelerator="cpu"), Checkpoint(folder)
    loop.train(model, sampler, plan, fabric, checkpoint=checkpoint, on_point=on_point)
    return model.state_dict()


CHANGES = {
    "learning rate": lambda plan, sampler: (
        replace(plan, phases=[replace(plan.phases[0], learning_rate=0.02), *plan.phases[1:]]),
        sampler,
    ),
    "iterations": lambda plan, sampler: (
        replace(plan, phases=[replace(plan.phases[0], iterations=8), *plan.phases[1:]]),
        sampler,
    ),
    "seed": lambda plan, sampler: (plan, toy_sampler(seed=1)),
    "weight decay": lambda plan, sampler: (replace(plan, weight_decay=0.1), sampler),
    "one pixel of one photo": lambda plan, sampler: (plan, with_one_pixel_changed(sampler)),
}


def with_one_pixel_changed(sampler):
    sampler.photos[3].photo.image[4, 5, 1] += 1
    return sampler


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_of_another_configuration_starts_anew_and_keeps_the_interrupted_ones_checkpoint(
    tmp_path, monkeypatch, change
):
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(loop, "RECORD_EVERY", POINTS_EVERY)

    def folder(plan, sampler):
        return tmp_path / fingerprint({"recipe": asdict(plan), **sampler.settings()}, sampler.arrays())

    plan, sampler = recipe(FIRST, SECOND), toy_sampler()
    broken_off(folder(plan, sampler), plan, sampler, at=8)
    kept = (folder(plan, sampler) / "state.pt").read_bytes()

    other_plan, other_sampler = CHANGES[change](recipe(FIRST, SECOND), toy_sampler())
    other = train(folder(other_plan, other_sampler), other_plan, other_sampler)
    fresh = train(tmp_path / "fresh", other_plan, other_sampler)
    assert all(torch.equal(other[name], fresh[name]) for name in fresh)
    assert (folder(plan, sampler) / "state.pt").read_bytes() == kept


def test_a_photo_with_a_nan_loss_is_named_with_iteration_and_learning_rate_in_phase_two(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(loop, "RECORD_EVERY", 1)
    sampler = toy_sampler()
    # Photo and iteration: one that first comes in phase two would come too late, so the photo goes bad there.
    bad_at, original = 8, sampler.patch

    def patch(iteration, slot):
        drawn = original(iteration, slot)
        if (iteration, slot) == (bad_at, 1):
            drawn["prior"] = np.full_like(drawn["prior"], np.nan)
        return drawn

    sampler.patch = patch
    names = [sampler.photos[sampler.photo_index(bad_at, slot)].id for slot in range(3)]
    with pytest.raises(InputError) as error:
        train(tmp_path / "run", recipe(FIRST, SECOND), sampler)
    # .001 is the rate of phase two; phase one has .01.
    assert f"iteration {bad_at}, learning rate 0.001, photos {', '.join(names)};" in str(error.value)
    # What is kept is the state before that step, and it is sound.
    state = Checkpoint(tmp_path / "run").load()
    assert state["iteration"] == bad_at
    assert all(torch.isfinite(value).all() for value in state["model"].values())


def test_a_learning_rate_that_is_far_too_high_stops_the_run_and_is_named(tmp_path):
    with pytest.raises(InputError, match=r"iteration [1-5], learning rate 1e\+30, photos disc\d"):
        train(tmp_path, recipe(FIRST, SECOND, phases=[Phase(iterations=6, learning_rate=1e30)]), toy_sampler())
