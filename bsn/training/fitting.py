"""One network from its first weights to its model folder."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch import Tensor, nn

import bsn
from bsn.errors import InputError
from bsn.models import build
from bsn.models.weights import fill
from bsn.training.checkpoints import Checkpoint, fingerprint
from bsn.training.determinism import instructions
from bsn.training.launch import one_line_for_a_lost_process
from bsn.training.loop import CurvePoint, Recipe, train
from bsn.training.samples import PatchSampler

# What a step computes: a run that was broken off does not go on with other code.
CODE = ("kernels.py", "models", "training")


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
    workers: int = 0,
    on_point: Callable[[CurvePoint], None] = lambda point: None,
) -> None:
    """Train a network and write `folder`: weights.safetensors, model.json that builds it again, curves.csv.

    description: `network` and its `options` for `bsn.models.build`, the working `size`, the names of its `attributes`.
    start: of `bsn.models.weights.starting_weights`. seed: of the weights that are not among them; the sampler has its
    own. checkpoints: the folder that holds those of all runs.
    With several processes the first one writes, and the others, which may be on hosts with disks of their own, go on
    from its checkpoint. Raises InputError when one has other photos, settings or code than the first, when one is lost,
    and as `train` does; ValueError for attributes that nothing would learn.
    """
    torch.manual_seed(seed)
    model = build(description["network"], **description["options"])
    _check_attributes(description.get("attributes", ()), model, recipe)
    fill(model, start)
    settings = {**description, **sampler.settings(), "recipe": asdict(recipe), "precision": _precision(fabric)}
    first_weights = (value.numpy() for value in model.state_dict().values())
    key = fingerprint(settings, [*sampler.arrays(), *first_weights], code=_code())
    # Hosts may differ in these, and then it is the first one's that count.
    machine = {"run": key, "threads": torch.get_num_threads(), "instructions": instructions()}
    checkpoint = Checkpoint(checkpoints / fingerprint(machine, []))
    if fabric.device.type == "cuda":
        model = model.to(memory_format=torch.channels_last)
    with one_line_for_a_lost_process(fabric):
        _check_that_all_agree(fabric, key)
        curves = train(
            model, sampler, recipe=recipe, fabric=fabric, checkpoint=checkpoint, workers=workers, on_point=on_point
        )
    if fabric.is_global_zero:
        folder.mkdir(parents=True, exist_ok=True)
        weights = {key: value.contiguous() for key, value in model.cpu().state_dict().items()}
        save_file(weights, folder / "weights.safetensors")
        (folder / "model.json").write_text(json.dumps(description, indent=1) + "\n", "utf-8")
        pd.DataFrame([asdict(point) for point in curves]).to_csv(folder / "curves.csv", index=False)
        checkpoint.clear()


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
