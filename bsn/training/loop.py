"""The training loop: a network of Table 1 in the paper's two phases.

Patches and dropout are drawn by (seed, iteration, slot), so that a killed and resumed run ends with the same bytes as
an uninterrupted one, and several processes end, up to rounding, as one with the whole batch.
"""

import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from tqdm import tqdm

from bsn.errors import InputError
from bsn.inputs import CHANNELS, network_input
from bsn.losses import batch_losses, known_counts
from bsn.models.convolutions import fold_frozen_batch_norm
from bsn.models.layers import Network, draw_dropout, freeze_batch_norm
from bsn.training.checkpoints import Checkpoint, CurvePoint, TrainingState
from bsn.training.patches import PatchSampler, batches
from bsn.training.recipe import Recipe

RECORD_EVERY = 10  # iterations averaged into one point of the curves
SAVE_EVERY = 20.0  # seconds between checkpoints


def train(
    model: Network,
    sampler: PatchSampler,
    recipe: Recipe,
    fabric: Fabric,
    checkpoint: Checkpoint,
    *,
    start: TrainingState | None = None,
    phases: int | None = None,
    workers: int = 0,
    on_point: Callable[[CurvePoint], None] = lambda point: None,
    title: str = "train",
) -> TrainingState:
    """Train `model` in place, from its checkpoint if there is one.

    Args:
        model: a network of `bsn.models`.
        sampler: of the training patches.
        recipe: phases, optimizer and schedule.
        fabric: device, precision and processes. Each process computes a share of every batch.
        checkpoint: of this run (`bsn.training.checkpoints.open_checkpoint`), read and written by the first process.
            Clear it when the weights are written.
        start: state to start from, such as that after phase one of the network without its attribute branch. Ignored
            if there is a checkpoint.
        phases: number of the recipe's phases after which to end; None for all.
        workers: processes that prepare batches; 0 prepares them in this one.
        on_point: called in the first process with each point of the curves; without a checkpoint, with those of `start`
            first. After a kill, points since the last checkpoint come again, with the same values.
        title: of the progress bar.

    Returns:
        The state at the end.

    Raises:
        InputError: there are more processes than patches in a batch, or the loss is not finite (the message has
            iteration, learning rate and photos).
        ValueError: the recipe's optimizer or schedule is unknown.
    """
    if sampler.batch < fabric.world_size:
        raise InputError(
            f"batch = {sampler.batch} is less than the {fabric.world_size} processes; start as many as the batch has "
            "patches, or fewer"
        )
    saved = fabric.broadcast(checkpoint.load() if fabric.is_global_zero else None)
    state = TrainingState.of(saved or (start or TrainingState()).content())
    # Tensors that are not in the state, such as the attribute branch's after phase one, keep their initial values.
    model.load_state_dict({**model.state_dict(), **state.model})
    fabric.to_device(model)
    if recipe.freeze_batch_norm:
        freeze_batch_norm(model)
        fold_frozen_batch_norm(model, channels=CHANNELS)
    # One optimizer for both phases, so that phase two keeps the momentum of phase one.
    plain_optimizer = _optimizer(model, recipe)
    optimizer = cast(Optimizer, fabric.setup_optimizers(plain_optimizer))
    _restore_optimizer(plain_optimizer, model, state)
    if not saved and fabric.is_global_zero:
        for point in state.curves:
            on_point(point)

    ends = list(accumulate(phase.iterations for phase in recipe.phases[:phases]))
    slots = range(fabric.global_rank, sampler.batch, fabric.world_size)
    with tqdm(
        total=ends[-1], initial=state.iteration, desc=title, unit=" steps", disable=not fabric.is_global_zero
    ) as bar:
        for phase, end in enumerate(ends, start=1):
            if state.iteration >= end:
                continue
            _set_trainable(model, attributes=phase == 2, frozen=recipe.freeze_batch_norm)
            network = fabric.setup_module(model)  # in each phase, since DDP must know which parameters are trained
            saved_at, recent = time.perf_counter(), []
            for iteration, arrays in batches(sampler, range(state.iteration, end), slots=slots, workers=workers):
                learning_rate = recipe.learning_rate(iteration)
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate * group["multiplier"]
                draw_dropout(model, _dropout_seeds(sampler.seed, iteration, slots), fabric.device)
                batch = {key: fabric.to_device(torch.from_numpy(array)) for key, array in arrays.items()}
                output = network(network_input(batch["image"], batch["prior"]))
                parts = _mean_over_processes(batch_losses(output, batch, combination=recipe.combination), batch, fabric)
                loss = parts[0] + recipe.attribute_weight * parts[1] if phase == 2 else parts[0]
                optimizer.zero_grad()
                fabric.backward(loss)
                optimizer.step()
                recent.append(torch.cat([loss[None], parts]).detach())
                state.iteration = iteration + 1
                bar.update()
                if state.iteration % RECORD_EVERY and state.iteration < end:
                    continue

                values = _checked(recent, state.iteration, sampler, recipe, fabric)
                recent.clear()
                total, segmentation, attribute = values.mean(dim=0).tolist()
                point = CurvePoint(state.iteration, phase, total, segmentation, attribute, learning_rate)
                state.curves.append(point)
                bar.set_postfix(loss=f"{point.loss:.3f}", phase=phase)
                if fabric.is_global_zero:
                    on_point(point)
                    if time.perf_counter() - saved_at > SAVE_EVERY:
                        saved_at = time.perf_counter()
                        _update(state, model, plain_optimizer)
                        checkpoint.save(state.content())
    _update(state, model, plain_optimizer)
    return state


def _mean_over_processes(losses: tuple[Tensor, Tensor], batch: dict[str, Tensor], fabric: Fabric) -> Tensor:
    """Segmentation and attribute loss, (2,), scaled so that DDP's mean over processes is that of the whole batch."""
    parts = torch.stack(losses)
    if fabric.world_size > 1:
        known = known_counts(batch)
        total = cast(Tensor, fabric.all_reduce(known.clone(), reduce_op="sum")).clamp(min=1)
        parts = parts * known * fabric.world_size / total
    return parts


def _checked(recent: Sequence[Tensor], done: int, sampler: PatchSampler, recipe: Recipe, fabric: Fabric) -> Tensor:
    """Mean over processes of the latest losses, (n, 3), after `done` iterations. Raises InputError if not finite.

    Several steps are checked at once, because a check in every step would make the GPU wait for the CPU.
    """
    values = cast(Tensor, fabric.all_reduce(torch.stack(list(recent)), reduce_op="mean")).cpu()
    bad = (~torch.isfinite(values[:, 0])).nonzero()
    if len(bad):
        iteration = done - len(values) + int(bad[0])
        names = [sampler.photos[sampler.photo_index(iteration, slot)].id for slot in range(sampler.batch)]
        raise InputError(
            f"the loss is not a number at iteration {iteration}, learning rate "
            f"{recipe.learning_rate(iteration):.3g}, photos {', '.join(names)}; "
            "lower the learning rate, or look at these photos"
        )
    return values


def _dropout_seeds(seed: int, iteration: int, slots: Sequence[int]) -> list[int]:
    sequences = [np.random.SeedSequence([seed, iteration, slot]) for slot in slots]
    return [int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1)) for sequence in sequences]


def _optimizer(model: Network, recipe: Recipe) -> Optimizer:
    groups = model.parameter_groups(head_lr_multiplier=recipe.head_lr_multiplier)
    # Fused, because one kernel per parameter makes a GPU launch-bound; and because on a CPU the unfused optimizers take
    # square roots from MKL, whose last digits differ between Intel and AMD.
    if recipe.optimizer == "sgd":
        return SGD(groups, lr=0.0, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=True)
    if recipe.optimizer == "adamw":
        betas = (recipe.momentum, 0.999)
        return AdamW(groups, lr=0.0, betas=betas, weight_decay=recipe.weight_decay, fused=True)
    raise ValueError(f"optimizer is {recipe.optimizer!r}; it is sgd or adamw")


def _update(state: TrainingState, model: nn.Module, optimizer: Optimizer) -> None:
    """Store the weights and the optimizer's tensors in `state`."""
    names = _names_by_index(model, optimizer)
    state.model = model.state_dict()
    state.optimizer = {names[index]: values for index, values in optimizer.state_dict()["state"].items()}


def _restore_optimizer(optimizer: Optimizer, model: nn.Module, state: TrainingState) -> None:
    """Load the optimizer's tensors from `state`; parameters that have none there start without."""
    content = optimizer.state_dict()
    names = _names_by_index(model, optimizer)
    content["state"] = {index: state.optimizer[name] for index, name in names.items() if name in state.optimizer}
    optimizer.load_state_dict(content)
    for parameter, values in optimizer.state.items():
        # Copies, because an optimizer changes its state in place. Fused optimizers walk through memory: a state needs
        # the strides of its parameter, which files do not keep.
        for key, value in values.items():
            values[key] = torch.empty_like(parameter if value.shape == parameter.shape else value).copy_(value)
    if isinstance(optimizer, SGD):
        # Fused SGD needs a momentum for every parameter or for none; the attribute branch has none until phase two.
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))


def _names_by_index(model: nn.Module, optimizer: Optimizer) -> dict[int, str]:
    """Name of each parameter by its index in the optimizer's state dict."""
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
