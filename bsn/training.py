"""Training one method of Table 1, in the paper's two phases.

    model = build("deeplab", classes=3, attributes=1)
    curves = train(model, sampler, recipe=recipe, fabric=Fabric(), checkpoint=Path("checkpoints/3f2a"))

Every step is a function of (seed, iteration): patches are drawn by number and PyTorch's own generator, which only
dropout uses, is seeded anew each step. So a run that was killed and started again goes on from its last checkpoint
and ends with the same bytes as one that was not.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from bsn.checkpoints import Checkpoint
from bsn.data.samples import PatchSampler
from bsn.errors import InputError
from bsn.inputs import network_input
from bsn.losses import boundary_sensitive_loss
from bsn.models.output import Output, upsample

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
    workers: int = 0


@dataclass(frozen=True)
class CurvePoint:
    """Means over the iterations since the point before; seconds are of work, a resumed run's earlier work included."""

    iteration: int
    phase: int
    loss: float
    loss_segmentation: float
    loss_attribute: float
    lr: float
    seconds: float


def targets(labels: Tensor, classes: int) -> Tensor:
    """Soft labels (N, 3, h, w) as they are for 3 classes; for 2, the nearer of foreground and background, one-hot."""
    if classes == 3:
        return labels
    labelled = labels.sum(dim=1) > 0
    foreground = labels[:, 0] >= labels[:, 2]
    return torch.stack([foreground & labelled, ~foreground & labelled], dim=1).to(labels.dtype)


def losses(output: Output, batch: dict[str, Tensor], *, combination: str) -> tuple[Tensor, Tensor]:
    """Segmentation and attribute loss of one batch, two scalars.

    The segmentation loss is summed over the fused map and every branch, as DeepLabv2 does. It is taken at the patch's
    own resolution: on the grid of the logits, an eighth of it, a band of 10 pixels would hardly exist.
    """
    size = batch["labels"].shape[-2:]
    wanted = targets(batch["labels"], output.fused.shape[1])
    segmentation = sum(
        boundary_sensitive_loss(upsample(logits, size), wanted, batch["kernel"], combination=combination)
        for logits in (output.fused, *output.branches)
    )
    if output.attributes is None:
        return segmentation, segmentation.new_zeros(())
    summed = functional.cross_entropy(
        output.attributes.flatten(0, 1), batch["attributes"].flatten(), ignore_index=-1, reduction="sum"
    )
    return segmentation, summed / (batch["attributes"] >= 0).sum().clamp(min=1)


def train(
    model: nn.Module,
    sampler: PatchSampler,
    *,
    recipe: Recipe,
    fabric: Fabric,
    checkpoint: Path,
    on_point: Callable[[CurvePoint], None] = lambda point: None,
) -> list[CurvePoint]:
    """Train `model` in place, from where the checkpoint of this very run left off, if there is one.

    checkpoint: a folder of this run's own; nothing else may name it (see bsn.checkpoints.fingerprint).
    on_point: called with each new point of the curves.
    Raises InputError when the loss is not a number, with the iteration, the learning rate and the photos.
    """
    store = Checkpoint(checkpoint)
    state = store.load() or {"iteration": 0, "seconds": 0.0, "curves": []}
    if "model" in state:
        model.load_state_dict(state["model"])
    total = sum(phase.iterations for phase in recipe.phases)
    with tqdm(total=total, initial=state["iteration"], desc="train", unit=" steps") as bar:
        first = 0
        for number, phase in enumerate(recipe.phases, start=1):
            last = first + phase.iterations
            if state["iteration"] < last:
                _train_phase(model, sampler, recipe, fabric, store, state, (number, first, last), on_point, bar)
            first = last
    store.clear()
    return [CurvePoint(**point) for point in state["curves"]]


def _train_phase(
    model: nn.Module,
    sampler: PatchSampler,
    recipe: Recipe,
    fabric: Fabric,
    store: Checkpoint,
    state: dict[str, Any],
    span: tuple[int, int, int],
    on_point: Callable[[CurvePoint], None],
    bar: tqdm,
) -> None:
    """From `state` to the end of one phase; `state` is kept up to date. span: number, first and last iteration."""
    number, first, last = span
    _set_trainable(model, attributes=number == 2, freeze_batch_norm=recipe.freeze_batch_norm)
    optimizer = _optimizer(model, recipe)
    if state["iteration"] > first:
        optimizer.load_state_dict(state["optimizer"])
    network, optimizer = fabric.setup(model, optimizer)
    tally, started, saved = torch.zeros(3), time.perf_counter() - state["seconds"], time.perf_counter()
    for iteration, arrays in _batches(sampler, state["iteration"], last, fabric, recipe.workers):
        rate = _learning_rate(recipe.phases[number - 1], iteration - first)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["multiplier"]
        torch.manual_seed(_dropout_seed(sampler.seed, iteration, fabric.global_rank))
        batch = {key: fabric.to_device(torch.from_numpy(array)) for key, array in arrays.items()}
        segmentation, attribute = losses(
            network(network_input(batch["image"], batch["prior"])), batch, combination=recipe.combination
        )
        loss = segmentation + attribute if number == 2 else segmentation
        if not torch.isfinite(loss):
            raise InputError(_not_a_number(sampler, iteration, rate))
        optimizer.zero_grad()
        fabric.backward(loss)
        optimizer.step()
        bar.update()
        state["iteration"] = iteration + 1
        tally += torch.stack([loss, segmentation, attribute]).detach().cpu()
        if state["iteration"] % RECORD_EVERY and state["iteration"] < last:
            continue
        state["seconds"] = time.perf_counter() - started
        count = (state["iteration"] - first - 1) % RECORD_EVERY + 1
        point = CurvePoint(state["iteration"], number, *(tally / count).tolist(), rate, state["seconds"])
        tally.zero_()
        state["curves"].append(asdict(point))
        on_point(point)
        bar.set_postfix(loss=f"{point.loss:.3f}", phase=number)
        if time.perf_counter() - saved > SAVE_EVERY:
            saved = time.perf_counter()
            store.save({**state, "model": model.state_dict(), "optimizer": optimizer.state_dict()})


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    groups, decay = model.parameter_groups(new_layers=recipe.new_layers), recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, weight_decay=decay)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=0.0, betas=(recipe.momentum, 0.999), weight_decay=decay)
    raise ValueError(f"optimizer is {recipe.optimizer!r}; it is sgd or adamw")


def _set_trainable(model: nn.Module, *, attributes: bool, freeze_batch_norm: bool) -> None:
    model.train()
    branch = getattr(model, "attribute_branch", None)
    if branch is not None:
        branch.requires_grad_(attributes)
    if freeze_batch_norm:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval().requires_grad_(False)


def _batches(
    sampler: PatchSampler, first: int, last: int, fabric: Fabric, workers: int
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """(iteration, this process's share of its batch), in order, made ahead by `workers` processes."""
    slots = range(fabric.global_rank, sampler.batch, fabric.world_size)

    def load(iteration: int) -> dict[str, np.ndarray]:
        return sampler.load(iteration, slots)

    iterations = range(first, last)
    loader = DataLoader(_Loads(load), sampler=iterations, batch_size=None, num_workers=workers, collate_fn=_as_it_is)
    return zip(iterations, loader, strict=True)


class _Loads(Dataset):
    """A dataset whose index is an iteration."""

    def __init__(self, load: Callable[[int], dict[str, np.ndarray]]) -> None:
        self.load = load

    def __getitem__(self, iteration: int) -> dict[str, np.ndarray]:
        return self.load(iteration)


def _as_it_is(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return arrays


def _learning_rate(phase: Phase, step: int) -> float:
    return phase.learning_rate * (1 - step / phase.iterations) ** POLY_POWER


def _dropout_seed(seed: int, iteration: int, rank: int) -> int:
    return int(np.random.SeedSequence([seed, iteration, rank]).generate_state(1, np.uint64)[0])


def _not_a_number(sampler: PatchSampler, iteration: int, rate: float) -> str:
    names = [sampler.photos[sampler.photo_index(iteration, slot)].id for slot in range(sampler.batch)]
    return (
        f"the loss is not a number at iteration {iteration}, learning rate {rate:.3g}, photos {', '.join(names)}; "
        "lower the learning rate, or look at these photos"
    )
