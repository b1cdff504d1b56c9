"""One network from its first weights to its model folder."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import bsn
from bsn.errors import InputError
from bsn.models import build
from bsn.models.weights import fill
from bsn.training.checkpoints import Checkpoint, file_fingerprint, fingerprint
from bsn.training.determinism import instructions
from bsn.training.launch import one_line_for_a_lost_process
from bsn.training.loop import CurvePoint, Recipe, TrainingState, train
from bsn.training.samples import PatchSampler

# What a step computes: a run that was broken off does not go on with other code.
CODE = ("inputs.py", "kernels.py", "losses.py", "models", "training")


BASE_TENSORS, BASE_STATE = "state.safetensors", "state.json"


def fit_base(
    folder: Path, sampler: PatchSampler, *, description: dict[str, Any], recipe: Recipe, fabric: Fabric, **options: Any
) -> None:
    """Train phase one of a network without an attribute branch, and write the state that `fit` goes on from.

    Methods that differ in their attribute alone share it. Arguments and errors are `fit`'s. `folder` gets
    state.safetensors, the weights and the optimizer's tensors, and state.json, the iteration and the curves.
    """
    state, checkpoint = _train(sampler, description=description, recipe=recipe, fabric=fabric, phases=1, **options)
    if fabric.is_global_zero:
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"model.{name}": tensor for name, tensor in state.model.items()}
        for name, values in state.optimizer.items():
            tensors |= {f"optimizer.{key}.{name}": value for key, value in values.items()}
        save_file({key: value.cpu().contiguous() for key, value in tensors.items()}, folder / BASE_TENSORS)
        content = state.content()
        rest = {key: content[key] for key in ("iteration", "curves")}
        (folder / BASE_STATE).write_text(json.dumps(rest) + "\n")
        checkpoint.clear()


def fit(
    folder: Path,
    sampler: PatchSampler,
    *,
    description: dict[str, Any],
    start: Mapping[str, Tensor],
    recipe: Recipe,
    seed: int,
    fabric: Fabric,
    checkpoints: Path,
    base: Path | None = None,
    workers: int = 0,
    on_point: Callable[[CurvePoint], None] = lambda point: None,
) -> None:
    """Train a network and write `folder`: weights.safetensors, model.json that builds it again, curves.csv.

    With several processes the first one writes, and the others, which may be on hosts with disks of their own, go on
    from its checkpoint.

    Args:
        folder: of the trained model.
        sampler: draws the patches.
        description: `network` and its `options` for `bsn.models.build`, the working `size`, the names of its
            `attributes`.
        start: starting weights, of `bsn.models.weights.starting_weights`.
        recipe: how it is trained.
        seed: of the weights that are not in `start`; the sampler has its own.
        fabric: device, precision and processes.
        checkpoints: the folder that holds those of all runs.
        base: the folder in which `fit_base` left phase one of the same training; without it both phases are trained.
        workers: processes that make batches ahead.
        on_point: called with each new point of the curves.

    Raises:
        InputError: a process has other photos, settings or code than the first, or is lost, and as `train`.
        ValueError: attributes that nothing would learn.
    """
    state, checkpoint = _train(
        sampler,
        description=description,
        start=start,
        recipe=recipe,
        seed=seed,
        fabric=fabric,
        checkpoints=checkpoints,
        base=base,
        workers=workers,
        on_point=on_point,
    )
    if fabric.is_global_zero:
        folder.mkdir(parents=True, exist_ok=True)
        weights = {key: value.cpu().contiguous() for key, value in state.model.items()}
        save_file(weights, folder / "weights.safetensors")
        (folder / "model.json").write_text(json.dumps(description, indent=1) + "\n", "utf-8")
        pd.DataFrame([asdict(point) for point in state.curves]).to_csv(folder / "curves.csv", index=False)
        checkpoint.clear()


def _train(
    sampler: PatchSampler,
    *,
    description: dict[str, Any],
    start: Mapping[str, Tensor],
    recipe: Recipe,
    seed: int,
    fabric: Fabric,
    checkpoints: Path,
    base: Path | None = None,
    phases: int | None = None,
    workers: int = 0,
    on_point: Callable[[CurvePoint], None] = lambda point: None,
) -> tuple[TrainingState, Checkpoint]:
    torch.manual_seed(seed)
    model = build(description["network"], **description["options"])
    _check_attributes(description.get("attributes", ()), model, recipe)
    fill(model, start)
    first = _read_base(base) if base else TrainingState()
    settings = {
        **description,
        **sampler.settings(),
        "recipe": asdict(recipe),
        "phases": phases,
        "precision": _precision(fabric),
        "base": file_fingerprint(base / BASE_TENSORS) if base else None,
    }
    first_weights = (value.numpy() for value in model.state_dict().values())
    key = fingerprint(settings, [*sampler.arrays(), *first_weights], code=_code())
    # Hosts may differ in these, and then it is the first one's that count.
    machine = {"run": key, "threads": torch.get_num_threads(), "instructions": instructions()}
    checkpoint = Checkpoint(checkpoints / fingerprint(machine, []))
    # On a CPU the depthwise and 1x1 convolutions of small networks are faster so as well.
    model = model.to(memory_format=torch.channels_last)
    with one_line_for_a_lost_process(fabric):
        _check_that_all_agree(fabric, key)
        state = train(
            model,
            sampler,
            recipe=recipe,
            fabric=fabric,
            checkpoint=checkpoint,
            start=first,
            phases=phases,
            workers=workers,
            on_point=on_point,
        )
    return state, checkpoint


def _read_base(folder: Path) -> TrainingState:
    """The state that `fit_base` wrote."""
    state = TrainingState.of(json.loads((folder / BASE_STATE).read_text()))
    for key, tensor in load_file(folder / BASE_TENSORS).items():
        kind, _, name = key.partition(".")
        if kind == "model":
            state.model[name] = tensor
        else:
            part, _, parameter = name.partition(".")
            state.optimizer.setdefault(parameter, {})[part] = tensor
    return state


def _check_attributes(names: Sequence[str], model: nn.Module, recipe: Recipe) -> None:
    if names and getattr(model, "attribute_branch", None) is None:
        raise ValueError(f"{type(model).__name__} has no branch to learn {', '.join(names)}; leave the attributes out")
    if names and len(recipe.phases) < 2:
        raise ValueError(
            f"{', '.join(names)}: attributes are learned in phase two, and the recipe has one; give it two"
        )


def _check_that_all_agree(fabric: Fabric, key: str) -> None:
    """Each process raises InputError where one's fingerprint is not that of the first."""
    keys = fabric.all_gather(torch.tensor(list(bytes.fromhex(key)), device=fabric.device)).reshape(
        fabric.world_size, -1
    )
    others = (keys != keys[0]).any(dim=1).nonzero().flatten().tolist()
    if others:
        raise InputError(
            f"process {', '.join(map(str, others))} of {fabric.world_size} has other photos, parameters or code than "
            "process 0; bring every host to the same commit and the same data/"
        )


def _precision(fabric: Fabric) -> str:
    return fabric.strategy.precision.precision


def _code() -> list[Path]:
    package = Path(bsn.__file__).parent
    return sorted(file for name in CODE for file in _files(package / name))


def _files(path: Path) -> list[Path]:
    return list(path.glob("*.py")) if path.is_dir() else [path]
