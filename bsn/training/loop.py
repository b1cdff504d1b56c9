"""Training one method of Table 1, in the paper's two phases.

    model = build("deeplab", classes=3, attributes=1)
    checkpoint = Checkpoint(Path("checkpoints/3f2a"))
    state = train(model, sampler, recipe=recipe, fabric=Fabric(), checkpoint=checkpoint)
    # Keep the weights, then:
    checkpoint.clear()

Every step is a function of (seed, iteration): patches, and what dropout drops, are drawn by number. So a run that was
killed and started again goes on from its last checkpoint and ends with the same bytes as one that was not, and phase
two may start from the state in which another run ended phase one.

With several processes (Fabric's DDP) each takes a share of every batch, and all end with the weights that one with the
joint batch ends with, but for rounding: means are over the joint batch, batch norm and dropout do not know of shares.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm import tqdm

from bsn.errors import InputError
from bsn.inputs import CHANNELS, network_input
from bsn.models.batch_norm import freeze_batch_norm
from bsn.models.convolutions import fold_frozen_batch_norm
from bsn.models.dropout import draw_dropout
from bsn.training.batches import batches
from bsn.training.checkpoints import Checkpoint
from bsn.training.criterion import counts, losses
from bsn.training.samples import PatchSampler

POLY_POWER = 0.9
RECORD_EVERY = 10  # iterations averaged into one point of the curves
SAVE_EVERY = 20.0  # seconds between checkpoints


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Iterations at one learning rate, which the schedule may lower."""

    iterations: int
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained. Phase two, if there is one, also trains the attribute branch (section 4.1).

    optimizer: "sgd", the paper's, or "adamw". momentum is SGD's, and AdamW's first beta.
    schedule: "step", a constant learning rate in each phase, as the paper has it; or "poly", DeepLab's, which lowers
    the phases' rates by (1 - i / n)^0.9 over all n iterations.
    warmup: iterations over which the learning rate rises from 0.
    head_lr_multiplier: of the learning rate of the layers above the backbone.
    combination: of eq. (4) and eq. (7), see `boundary_sensitive_loss`.
    attribute_weight: of the attribute loss beside the segmentation loss.
    """

    phases: Sequence[Phase]
    optimizer: str
    momentum: float
    weight_decay: float
    freeze_batch_norm: bool
    schedule: str = "step"
    warmup: int = 0
    head_lr_multiplier: float = 1.0
    combination: str = "product"
    attribute_weight: float = 1.0

    def learning_rate(self, iteration: int) -> float:
        """The learning rate of the backbone in one iteration, counted from 0 over all phases.

        Raises:
            ValueError: for another schedule than "step" or "poly".
        """
        ends = np.cumsum([phase.iterations for phase in self.phases])
        rate = self.phases[int(np.searchsorted(ends, iteration, side="right"))].learning_rate
        rate *= min(1.0, (iteration + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "step":
            return rate
        if self.schedule == "poly":
            return rate * float(1 - iteration / ends[-1]) ** POLY_POWER
        raise ValueError(f"schedule is {self.schedule!r}; it is step or poly")


@dataclass(frozen=True)
class CurvePoint:
    """Means over the iterations since the point before. No time of day: the same run gives the same points."""

    iteration: int
    phase: int
    loss: float
    loss_segmentation: float
    loss_attribute: float
    lr: float


@dataclass(kw_only=True)
class TrainingState:
    """Where a training run is: iterations done, curves so far, weights, and the optimizer's tensors by parameter."""

    iteration: int = 0
    curves: list[CurvePoint] = field(default_factory=list)
    model: Mapping[str, Tensor] = field(default_factory=dict)
    optimizer: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """Numbers, texts and tensors only, for a checkpoint that loads without pickle."""
        return {**vars(self), "curves": [asdict(point) for point in self.curves]}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "TrainingState":
        """The state with this `content()`."""
        return cls(**{**content, "curves": [CurvePoint(**point) for point in content["curves"]]})


def train(
    model: nn.Module,
    sampler: PatchSampler,
    *,
    recipe: Recipe,
    fabric: Fabric,
    checkpoint: Checkpoint,
    start: TrainingState | None = None,
    phases: int | None = None,
    workers: int = 0,
    on_point: Callable[[CurvePoint], None] = lambda point: None,
) -> TrainingState:
    """Train `model` in place, from where the checkpoint of this very run left off, if there is one.

    Args:
        model: a network of `bsn.models`.
        sampler: draws the patches.
        recipe: see `Recipe`.
        fabric: device, precision and processes.
        checkpoint: of this run alone (see `checkpoints.fingerprint`); to be cleared when the weights are safe.
        start: the state to start from, such as that after phase one of a network without an attribute branch.
        phases: how many of the recipe's phases to end after; all by default.
        workers: processes that make the batches ahead.
        on_point: called in the first process with each point of the curves, those of `start` first.

    Returns:
        The state at the end.

    Raises:
        InputError: there are more processes than patches in a batch, or the loss is not a number (with the iteration,
            the learning rate and the photos).
    """
    if sampler.batch < fabric.world_size:
        raise InputError(f"batch = {sampler.batch} is less than the {fabric.world_size} processes; give each a patch")
    saved = checkpoint.load() if fabric.is_global_zero else None
    saved = fabric.broadcast(saved)
    state = TrainingState.of(saved) if saved else start or TrainingState()
    if state.model:
        # A start without an attribute branch leaves the branch as it was drawn.
        model.load_state_dict({**model.state_dict(), **state.model})
    run = _Run(model, sampler, recipe, fabric, checkpoint, workers, on_point, state)
    run.restore_optimizer()
    if not saved and fabric.is_global_zero:
        for point in state.curves:
            on_point(point)
    chosen = recipe.phases[:phases]
    total = sum(phase.iterations for phase in chosen)
    hidden = not fabric.is_global_zero
    with tqdm(total=total, initial=state.iteration, desc="train", unit=" steps", disable=hidden) as bar:
        end = 0
        for number, phase in enumerate(chosen, start=1):
            end += phase.iterations
            if state.iteration < end:
                run.train_phase(number, end, bar)
    run.update_state()
    return state


class _Run:
    """One call of `train`; `state` is kept up to date."""

    def __init__(
        self,
        model: nn.Module,
        sampler: PatchSampler,
        recipe: Recipe,
        fabric: Fabric,
        checkpoint: Checkpoint,
        workers: int,
        on_point: Callable[[CurvePoint], None],
        state: TrainingState,
    ) -> None:
        self.model = fabric.to_device(model)
        if recipe.freeze_batch_norm:
            freeze_batch_norm(model)
            fold_frozen_batch_norm(model, channels=CHANNELS)
        self.sampler = sampler
        self.recipe = recipe
        self.fabric = fabric
        self.checkpoint = checkpoint
        self.workers = workers
        self.on_point = on_point
        self.state = state
        # One for both phases, so that phase two goes on with the momentum of phase one.
        self._plain_optimizer = _optimizer(self.model, recipe)
        self.optimizer = fabric.setup_optimizers(self._plain_optimizer)

    def train_phase(self, number: int, end: int, bar: tqdm) -> None:
        """From the state's iteration to `end`, the first one after the phase."""
        state = self.state
        _set_trainable(self.model, attributes=number == 2, frozen=self.recipe.freeze_batch_norm)
        # Anew in each phase: DDP must know which parameters are trained.
        network = self.fabric.setup_module(self.model)
        slots = range(self.fabric.global_rank, self.sampler.batch, self.fabric.world_size)
        ahead = batches(self.sampler, range(state.iteration, end), slots=slots, workers=self.workers)
        saved, recent = time.perf_counter(), []
        for iteration, arrays in ahead:
            rate = self.recipe.learning_rate(iteration)
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["multiplier"]
            draw_dropout(self.model, self._dropout_seeds(iteration, slots), self.fabric.device)
            recent.append(self._step(network, arrays, attributes=number == 2))
            state.iteration = iteration + 1
            bar.update()
            if state.iteration % RECORD_EVERY and state.iteration < end:
                continue
            values = self._checked(torch.stack(recent))
            recent.clear()
            point = CurvePoint(state.iteration, number, *values.mean(dim=0).tolist(), rate)
            state.curves.append(point)
            bar.set_postfix(loss=f"{point.loss:.3f}", phase=number)
            if not self.fabric.is_global_zero:
                continue
            self.on_point(point)
            if time.perf_counter() - saved > SAVE_EVERY:
                saved = time.perf_counter()
                self.update_state()
                self.checkpoint.save(state.content())

    def update_state(self) -> None:
        """Bring the weights and the optimizer's tensors in `state` up to date."""
        names = _names_by_index(self.model, self._plain_optimizer)
        self.state.model = self.model.state_dict()
        self.state.optimizer = {
            names[index]: values for index, values in self._plain_optimizer.state_dict()["state"].items()
        }

    def restore_optimizer(self) -> None:
        """Give the optimizer the tensors in `state`; parameters without any start anew."""
        content = self._plain_optimizer.state_dict()
        names = _names_by_index(self.model, self._plain_optimizer)
        known = self.state.optimizer
        content["state"] = {index: known[name] for index, name in names.items() if name in known}
        self._plain_optimizer.load_state_dict(content)
        if isinstance(self._plain_optimizer, torch.optim.SGD):
            # Fused, it wants a momentum of every parameter or of none; the branch has none until phase two.
            for group in self._plain_optimizer.param_groups:
                for parameter in group["params"]:
                    self._plain_optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))

    def _step(self, network: nn.Module, arrays: dict[str, np.ndarray], *, attributes: bool) -> Tensor:
        """One update of the weights; returns the loss, its segmentation's and its attributes' part, (3,)."""
        batch = {key: self.fabric.to_device(torch.from_numpy(array)) for key, array in arrays.items()}
        output = network(network_input(batch["image"], batch["prior"]))
        parts = torch.stack(losses(output, batch, combination=self.recipe.combination))
        if self.fabric.world_size > 1:
            # DDP takes the mean over processes; times this, the mean is the one over the joint batch.
            known = counts(batch)
            total = self.fabric.all_reduce(known.clone(), reduce_op="sum").clamp(min=1)
            parts = parts * known * self.fabric.world_size / total
        loss = parts[0] + self.recipe.attribute_weight * parts[1] if attributes else parts[0]
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        return torch.cat([loss[None], parts]).detach()

    def _checked(self, values: Tensor) -> Tensor:
        """The losses of the latest iterations, (n, 3), over all processes.

        They are looked at together, because to look at each would have a GPU wait for the processor at every step.
        """
        values = self.fabric.all_reduce(values, reduce_op="mean").cpu()
        bad = (~torch.isfinite(values[:, 0])).nonzero()
        if len(bad):
            iteration = self.state.iteration - len(values) + int(bad[0])
            names = [
                self.sampler.photos[self.sampler.photo_index(iteration, slot)].id for slot in range(self.sampler.batch)
            ]
            raise InputError(
                f"the loss is not a number at iteration {iteration}, learning rate "
                f"{self.recipe.learning_rate(iteration):.3g}, photos {', '.join(names)}; "
                "lower the learning rate, or look at these photos"
            )
        return values

    def _dropout_seeds(self, iteration: int, slots: Sequence[int]) -> list[int]:
        sequences = [np.random.SeedSequence([self.sampler.seed, iteration, slot]) for slot in slots]
        return [int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1)) for sequence in sequences]


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    groups = model.parameter_groups(head_lr_multiplier=recipe.head_lr_multiplier)
    # One kernel for all parameters in place of one each: a GPU is launch-bound without it. On a processor the others
    # take their square roots from MKL, whose last digits are Intel's or AMD's.
    options = {"lr": 0.0, "weight_decay": recipe.weight_decay, "fused": True}
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, **options)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, betas=(recipe.momentum, 0.999), **options)
    raise ValueError(f"optimizer is {recipe.optimizer!r}; it is sgd or adamw")


def _names_by_index(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[int, str]:
    """Name of each parameter by its number in the optimizer's state, which depends on what else is trained."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return {index: names[parameter] for index, parameter in enumerate(parameters)}


def _set_trainable(model: nn.Module, *, attributes: bool, frozen: bool) -> None:
    model.train()
    branch = getattr(model, "attribute_branch", None)
    if branch is not None:
        branch.requires_grad_(attributes)
    if frozen:
        freeze_batch_norm(model)
