"""Training one method of Table 1, in the paper's two phases.

    model = build("deeplab", classes=3, attributes=1)
    checkpoint = Checkpoint(Path("checkpoints/3f2a"))
    curves = train(model, sampler, recipe=recipe, fabric=Fabric(), checkpoint=checkpoint)
    # Keep the weights, then:
    checkpoint.clear()

Every step is a function of (seed, iteration): patches, and what dropout drops, are drawn by number. So a run that was
killed and started again goes on from its last checkpoint and ends with the same bytes as one that was not.

With several processes (Fabric's DDP) each takes a share of every batch, and all end with the weights that one with the
joint batch ends with, but for rounding: means are over the joint batch, batch norm and dropout do not know of shares.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm import tqdm

from bsn.errors import InputError
from bsn.models.batch_norm import freeze_batch_norm
from bsn.models.dropout import draw_dropout
from bsn.models.inputs import network_input
from bsn.training.batches import batches
from bsn.training.checkpoints import Checkpoint
from bsn.training.criterion import counts, losses
from bsn.training.samples import PatchSampler

POLY_POWER = 0.9
RECORD_EVERY = 10  # iterations averaged into one point of the curves
SAVE_EVERY = 20.0  # seconds between checkpoints


@dataclass(frozen=True, kw_only=True)
class Phase:
    """learning_rate falls to zero over the phase's iterations by the poly rule, (1 - i / n)^0.9."""

    iterations: int
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained. Phase two, if there is one, also trains the attribute branch (section 4.1).

    optimizer: "sgd", the paper's, for pre-trained weights; or "adamw", which starts from random ones in a fraction of
    the steps. momentum is SGD's, and AdamW's first beta. new_layers: learning-rate multiplier of the layers above a
    pre-trained backbone.
    """

    phases: Sequence[Phase]
    optimizer: str
    momentum: float
    weight_decay: float
    freeze_batch_norm: bool
    new_layers: float = 1.0
    combination: str = "product"


@dataclass(frozen=True)
class CurvePoint:
    """Means over the iterations since the point before. No time of day: the same run gives the same points."""

    iteration: int
    phase: int
    loss: float
    loss_segmentation: float
    loss_attribute: float
    lr: float


def train(
    model: nn.Module,
    sampler: PatchSampler,
    *,
    recipe: Recipe,
    fabric: Fabric,
    checkpoint: Checkpoint,
    workers: int = 0,
    on_point: Callable[[CurvePoint], None] = lambda point: None,
) -> list[CurvePoint]:
    """Train `model` in place, from where the checkpoint of this very run left off, if there is one.

    checkpoint: of this run alone (see checkpoints.fingerprint); to be cleared when the weights are safe. workers:
    processes that make the batches ahead. on_point: called in the first process with each new point of the curves.
    Raises InputError when there are more processes than patches in a batch, and when the loss is not a number, with
    the iteration, the learning rate and the photos.
    """
    if sampler.batch < fabric.world_size:
        raise InputError(f"batch = {sampler.batch} is less than the {fabric.world_size} processes; give each a patch")
    state = checkpoint.load() if fabric.is_global_zero else None
    state = fabric.broadcast(state) or {"iteration": 0, "curves": []}
    if "model" in state:
        model.load_state_dict(state["model"])
    run = _Run(model, sampler, recipe, fabric, checkpoint, workers, on_point, state)
    total = sum(phase.iterations for phase in recipe.phases)
    hidden = not fabric.is_global_zero
    with tqdm(total=total, initial=state["iteration"], desc="train", unit=" steps", disable=hidden) as bar:
        first = 0
        for number, phase in enumerate(recipe.phases, start=1):
            if state["iteration"] < first + phase.iterations:
                run.train_phase(number, phase, first, bar)
            first += phase.iterations
    return [CurvePoint(**point) for point in state["curves"]]


@dataclass(frozen=True)
class _Run:
    """One call of `train`; `state` is what a checkpoint holds beside weights and optimizer, and is kept up to date."""

    model: nn.Module
    sampler: PatchSampler
    recipe: Recipe
    fabric: Fabric
    checkpoint: Checkpoint
    workers: int
    on_point: Callable[[CurvePoint], None]
    state: dict[str, Any]

    def train_phase(self, number: int, phase: Phase, first: int, bar: tqdm) -> None:
        """From `state` to the end of the phase that begins at iteration `first`."""
        state, last = self.state, first + phase.iterations
        _set_trainable(self.model, attributes=number == 2, frozen=self.recipe.freeze_batch_norm)
        resumes = state["iteration"] > first
        network, optimizer = self.fabric.setup(self.model, _optimizer(self.model, self.recipe))
        if resumes:
            optimizer.load_state_dict(state["optimizer"])
        slots = range(self.fabric.global_rank, self.sampler.batch, self.fabric.world_size)
        ahead = batches(self.sampler, range(state["iteration"], last), slots=slots, workers=self.workers)
        saved, recent = time.perf_counter(), []
        for iteration, arrays in ahead:
            rate = _learning_rate(phase, iteration - first)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["multiplier"]
            draw_dropout(self.model, self._dropout_seeds(iteration, slots), self.fabric.device)
            recent.append(self._step(network, optimizer, arrays, attributes=number == 2))
            state["iteration"] = iteration + 1
            bar.update()
            if state["iteration"] % RECORD_EVERY and state["iteration"] < last:
                continue
            values = self._checked(torch.stack(recent), phase, first)
            recent.clear()
            point = CurvePoint(state["iteration"], number, *values.mean(dim=0).tolist(), rate)
            state["curves"].append(asdict(point))
            bar.set_postfix(loss=f"{point.loss:.3f}", phase=number)
            if not self.fabric.is_global_zero:
                continue
            self.on_point(point)
            if time.perf_counter() - saved > SAVE_EVERY:
                saved = time.perf_counter()
                weights = {"model": self.model.state_dict(), "optimizer": optimizer.state_dict()}
                self.checkpoint.save({**state, **weights})

    def _step(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, arrays: dict[str, np.ndarray], *, attributes: bool
    ) -> Tensor:
        """One update of the weights; returns the loss, its segmentation's and its attributes' part, (3,)."""
        batch = {key: self.fabric.to_device(torch.from_numpy(array)) for key, array in arrays.items()}
        output = network(network_input(batch["image"], batch["prior"]))
        parts = torch.stack(losses(output, batch, combination=self.recipe.combination))
        if self.fabric.world_size > 1:
            # DDP takes the mean over processes; times this, the mean is the one over the joint batch.
            known = counts(batch)
            total = self.fabric.all_reduce(known.clone(), reduce_op="sum").clamp(min=1)
            parts = parts * known * self.fabric.world_size / total
        loss = parts.sum() if attributes else parts[0]
        optimizer.zero_grad()
        self.fabric.backward(loss)
        optimizer.step()
        return torch.cat([loss[None], parts]).detach()

    def _checked(self, values: Tensor, phase: Phase, first: int) -> Tensor:
        """The losses of the latest iterations, (n, 3), over all processes.

        They are looked at together, because to look at each would have a GPU wait for the processor at every step.
        """
        values = self.fabric.all_reduce(values, reduce_op="mean").cpu()
        bad = (~torch.isfinite(values[:, 0])).nonzero()
        if len(bad):
            iteration = self.state["iteration"] - len(values) + int(bad[0])
            names = [
                self.sampler.photos[self.sampler.photo_index(iteration, slot)].id for slot in range(self.sampler.batch)
            ]
            raise InputError(
                f"the loss is not a number at iteration {iteration}, learning rate "
                f"{_learning_rate(phase, iteration - first):.3g}, photos {', '.join(names)}; "
                "lower the learning rate, or look at these photos"
            )
        return values

    def _dropout_seeds(self, iteration: int, slots: Sequence[int]) -> list[int]:
        sequences = [np.random.SeedSequence([self.sampler.seed, iteration, slot]) for slot in slots]
        return [int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1)) for sequence in sequences]


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    groups = model.parameter_groups(new_layers=recipe.new_layers)
    # One kernel for all parameters in place of one each: a GPU is launch-bound without it. On a processor the others
    # take their square roots from MKL, whose last digits are Intel's or AMD's.
    options = {"lr": 0.0, "weight_decay": recipe.weight_decay, "fused": True}
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, **options)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, betas=(recipe.momentum, 0.999), **options)
    raise ValueError(f"optimizer is {recipe.optimizer!r}; it is sgd or adamw")


def _set_trainable(model: nn.Module, *, attributes: bool, frozen: bool) -> None:
    model.train()
    branch = getattr(model, "attribute_branch", None)
    if branch is not None:
        branch.requires_grad_(attributes)
    if frozen:
        freeze_batch_norm(model)


def _learning_rate(phase: Phase, step: int) -> float:
    return phase.learning_rate * (1 - step / phase.iterations) ** POLY_POWER
