"""Trials: one network of Table 1 trained and tested again, with another seed or another reading of eq. (1) or (6)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lightning_fabric import Fabric

from bsn.errors import InputError
from bsn.kernels import global_kernel
from bsn.methods.prediction import Segmenter, load_method
from bsn.metrics import summarise
from bsn.training import loop
from bsn.training.checkpoints import Checkpoint, load_phase_one, open_checkpoint, save_model, save_phase_one
from study.evaluation import evaluate_samples, kept_photos
from study.params import Params
from study.training import (
    DATA,
    attribute_classes,
    attribute_values,
    checkpoints_folder,
    model_description,
    patch_sampler,
    starting_model,
)

# The method that each variant trains. Readings of eq. (1) are tried on BSN_IK and those of eq. (6) on BSN_GK; "plain"
# is PortraitDeepLabv2, which has neither kernel, and "base" its phase one.
VARIANTS = {
    "base": "portrait_deeplab",
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
BASE, ON_BASE = "base", ("plain", "bsn_ac")
SPLITS = {"pfcn": "test", "validation": "validation"}  # PFCN's, by the `set` of their rows


def parse_trial(key: str) -> tuple[str, int]:
    """Variant and seed of a trial such as "closeness-2".

    Raises:
        InputError: there is no such variant, or no seed.
    """
    variant, _, seed = key.partition("-")
    if variant not in VARIANTS or not seed.isdecimal():
        allowed = ", ".join(VARIANTS)
        raise InputError(f"trial = {key!r} is refused; allowed: {allowed}, each with a seed, such as plain-1")
    return variant, int(seed)


def trial_params(params: Params, variant: str, seed: int) -> Params:
    """The parameters with the trial's seed and, where the variant is one, its reading."""
    changes: dict[str, object] = {"seed": seed}
    if VARIANTS[variant] == "bsn_ik":
        changes["kernel"] = params.kernel.model_copy(update={"reading": variant})
    if VARIANTS[variant] == "bsn_gk":
        changes["global_kernel"] = params.global_kernel.model_copy(update={"reading": variant})
    return params.model_copy(update=changes)


def train_trial(params: Params, variant: str, folder: Path, *, base: Path, fabric: Fabric) -> Checkpoint:
    """Train a variant and write its model folder; "base" writes phase one instead.

    The checkpoint is returned, to be cleared once what was made of the network is safe.

    Args:
        params: of `trial_params`.
        variant: a key of `VARIANTS`.
        folder: that is written.
        base: phase one that `ON_BASE` variants continue from.
        fabric: of one process.
    """
    method = params.methods[VARIANTS[variant]]
    network, recipe = params.network(method), params.recipe(method)
    is_base = variant == BASE
    attributes = {} if is_base else attribute_classes(DATA / "attributes" / f"{method.attribute}.csv")
    sampler = patch_sampler(params, method, attributes, kernel=_kernel(params, variant))
    description = model_description(params, method, attributes)
    model = starting_model(description, seed=params.seed)
    start = load_phase_one(base) if variant in ON_BASE else None
    phases = 1 if is_base else None
    checkpoint = open_checkpoint(
        checkpoints_folder(), description, model, sampler, recipe, fabric, start=start, phases=phases
    )
    state = loop.train(
        model, sampler, recipe, fabric, checkpoint, start=start, phases=phases, workers=network.workers, title=variant
    )
    if is_base:
        save_phase_one(folder, state)
    else:
        save_model(folder, description, state)
    return checkpoint


def evaluate_trial(
    params: Params, variant: str, folder: Path, *, masks: Path, title: str
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Measure a trial's model on PFCN's test and validation photos.

    Args:
        params: of `trial_params`.
        variant: a key of `VARIANTS`.
        folder: of the model.
        masks: folder for the predicted masks.
        title: of the progress bar.

    Returns:
        One row per photo, with the value that the branch gives each attribute, and a summary per split.
    """
    method = load_method(folder, aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"))
    assert isinstance(method, Segmenter)  # trials train networks, and no baselines
    segmenter = _WithAttributes(method)
    samples = [
        sample
        for name, split in SPLITS.items()
        for sample in kept_photos(
            name, portraits=DATA / "portraits/pfcn", faces=DATA / "faces/pfcn.csv", out=masks, split=split
        )
    ]
    photos = evaluate_samples(samples, method=segmenter, title=title, **params.boundary_iou.model_dump())
    attribute = params.methods[VARIANTS[variant]].attribute
    values = attribute_values(DATA / "attributes" / f"{attribute}.csv")
    for (name, words), classes in zip(values.items(), zip(*segmenter.classes, strict=True), strict=True):
        photos[name] = [words[number] for number in classes]
    summaries = {str(part): summarise(rows, seed=params.seed) for part, rows in photos.groupby("set", sort=False)}
    return photos, summaries


class _WithAttributes:
    """A segmenter that keeps the attribute classes of each photo it segments, in order."""

    parallel = False

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self.parameters = segmenter.parameters
        self.classes: list[list[int]] = []

    def __call__(self, photo: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
        prediction = self.segmenter.predict(photo, affine)
        self.classes.append(prediction.attributes)
        return prediction.mask


def _kernel(params: Params, variant: str) -> np.ndarray | None:
    """Global kernel of the variant's reading of eq. (6); None for the other variants."""
    if VARIANTS[variant] != "bsn_gk":
        return None
    options = params.global_kernel.model_dump(exclude={"combination"})
    return global_kernel(np.load(DATA / "mean_mask/mean_mask.npy"), **options)
