"""python -m benchmarks.loader: patches per second of the loader, relative to those of a training step (goal: 10 x).

The loader is PatchSampler on one core over synthetic photos in memory, with and without the augmentation of
profiles/lite.yaml; the step is benchmarks.step on two cores in float32 with the profile's DeepLabv2. They take turns,
and the best round of each counts.
"""

# On a CPU the paper's network takes many seconds per patch, so it gets one patch per round and two rounds. Its loader
# has to keep up with a GPU: the line below the table has the patches/s of an H200 that meets the project's goal.

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from benchmarks.gpu import GOAL_MINUTES, UPDATES
from benchmarks.step import Step, made_up_batch
from bsn.alignment import FRAME
from bsn.inputs import WorkingPhoto, scaling
from bsn.models import build
from bsn.models.layers import freeze_batch_norm
from bsn.training.patches import PatchSampler, TrainingPhoto
from bsn.training.recipe import NO_AUGMENTATION, Augmentation
from study.params import PARAMS_FILE, PROFILES_FOLDER, DeepLabParams, Params, check, read_yaml
from study.training import model_description

CORES, GOAL, PHOTOS = 2, 10, 32
LOADER_SECONDS = 0.5  # per round
ATTRIBUTES = 1


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How long a profile is measured."""

    rounds: int
    warm_up: int
    steps: int
    batch: int | None = None  # instead of the profile's


ROUNDS = {
    "sketch": Rounds(rounds=5, warm_up=3, steps=8),
    "lite": Rounds(rounds=5, warm_up=3, steps=8),
    "paper": Rounds(rounds=2, warm_up=1, steps=1, batch=1),
}


def parameters(profile: str) -> Params:
    """Return params.yaml with profiles/<profile>.yaml."""
    return check({**read_yaml(PARAMS_FILE), "profile": profile}, read_yaml(PROFILES_FOLDER / f"{profile}.yaml"))


def network(profile: str) -> DeepLabParams:
    """Return DeepLabv2's section of profiles/<profile>.yaml."""
    return parameters(profile).networks.deeplab


def made_up_photos(size: tuple[int, int]) -> list[TrainingPhoto]:
    """Return photos of smooth noise with soft labels and a face each."""
    draw = np.random.default_rng(0)
    to_frame = scaling(size, FRAME)
    photos = []
    for number in range(PHOTOS):
        image = cv2.resize(draw.integers(0, 256, (20, 15, 3), dtype=np.uint8), size[::-1])
        labels = cv2.resize(draw.random((20, 15, 3), dtype=np.float32), size[::-1])
        labels /= labels.sum(axis=2, keepdims=True)
        photo = WorkingPhoto(image=image, to_frame=to_frame)
        classes = np.array([number % 2] * ATTRIBUTES, np.int64)
        photos.append(TrainingPhoto(id=str(number), photo=photo, labels=labels.astype(np.float16), attributes=classes))
    return photos


def sampler(profile: DeepLabParams, photos: list[TrainingPhoto], augmentation: Augmentation) -> PatchSampler:
    """Return the sampler that stages.train uses."""
    return PatchSampler(
        photos,
        crop=tuple(profile.crop),
        batch=profile.batch,
        seed=1,
        augmentation=augmentation,
        aligned_mean_mask=np.random.default_rng(0).random(FRAME, dtype=np.float32),
        kernel=np.random.default_rng(1).random(FRAME, dtype=np.float32),
    )


def training_step(params: Params, batch: int) -> Step:
    """Return the training step of stages.train for BSN on a CPU."""
    profile, bsn = params.networks.deeplab, params.methods["bsn"]
    description = model_description(params, bsn, params.attributes[bsn.attribute])
    torch.manual_seed(0)
    model = build(description.network, **description.options).train()
    if profile.freeze_batch_norm:
        freeze_batch_norm(model)
    return Step(
        model,
        made_up_batch(batch, tuple(profile.crop), attributes=ATTRIBUTES),
        optimizer=profile.optimizer,
        head_lr_multiplier=profile.head_lr_multiplier,
        weight_decay=profile.weight_decay,
        mixed=False,
    )


def patches_made(loader: PatchSampler) -> float:
    """Return how many patches per second the loader makes, by whole batches."""
    started, iteration = time.perf_counter(), 0
    while iteration == 0 or time.perf_counter() - started < LOADER_SECONDS:
        loader.load(iteration)
        iteration += 1
    return iteration * loader.batch / (time.perf_counter() - started)


def patches_trained(step: Step, batch: int, steps: int) -> float:
    """Return how many patches per second the training step takes."""
    started = time.perf_counter()
    for _ in range(steps):
        step(1e-4)
    return steps * batch / (time.perf_counter() - started)


def interleaved(calls: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return per call its results by round; the calls take turns."""
    results: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            results[name].append(call())
    return results


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    torch.set_num_threads(CORES)
    augmentations = {
        "crop, flip": replace(NO_AUGMENTATION, flip=0.5),
        "crop, flip, scale, rotation, gamma": network("lite").augmentation,
    }
    print(f"| profile | crop | augmentation | loader, patches/s | step, patches/s | ratio (goal {GOAL}) | by round |")
    print("|---|---|---|---|---|---|---|")
    for name, plan in ROUNDS.items():
        profile = network(name)
        photos, batch = made_up_photos(tuple(profile.size)), plan.batch or profile.batch
        step = training_step(parameters(name), batch)
        patches_trained(step, batch, plan.warm_up)
        loaders = {words: sampler(profile, photos, augmentation) for words, augmentation in augmentations.items()}
        calls = {words: lambda loader=loader: patches_made(loader) for words, loader in loaders.items()}
        calls["step"] = lambda step=step, batch=batch, plan=plan: patches_trained(step, batch, plan.steps)
        results = interleaved(calls, plan.rounds)
        trained = results.pop("step")
        for words, made in results.items():
            ratios = ", ".join(f"{one / other:.1f}" for one, other in zip(made, trained, strict=True))
            print(
                f"| {name} | {profile.crop[0]}x{profile.crop[1]} | {words} | {max(made):.0f} | {max(trained):.3g} "
                f"| {max(made) / max(trained):.1f} x | {ratios} |",
                flush=True,
            )
    wanted = network("paper").batch * UPDATES / GOAL_MINUTES / 60
    print(f"\nAt {UPDATES} updates in {GOAL_MINUTES} min the paper's profile needs {wanted:.0f} patches/s")


if __name__ == "__main__":
    main()
