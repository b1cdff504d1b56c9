"""State of a training run, its checkpoint, and the folders of a trained model and of phase one."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from filelock import BaseFileLock, FileLock
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import bsn
from bsn.environment import instructions
from bsn.errors import InputError
from bsn.model_format import WEIGHTS, ModelDescription
from bsn.training.patches import PatchSampler
from bsn.training.recipe import Recipe

# Code in bsn/ that a training step runs; a checkpoint of other code is not resumed.
CODE = ("alignment.py", "inputs.py", "kernels.py", "losses.py", "models", "training")
CURVES = "curves.csv"
_PHASE_ONE_TENSORS, _PHASE_ONE_CURVES = "state.safetensors", "state.json"


@dataclass(frozen=True)
class CurvePoint:
    """Point of the training curves: mean losses over the iterations since the previous point, and the last one's rate.

    It holds no times, so that equal runs have equal curves.
    """

    iteration: int
    phase: int
    loss: float
    loss_segmentation: float
    loss_attribute: float
    lr: float

    def values(self) -> dict[str, float]:
        """Losses and learning rate by name."""
        return {key: value for key, value in asdict(self).items() if key not in ("iteration", "phase")}


@dataclass(kw_only=True)
class TrainingState:
    """State of a training run.

    Attributes:
        iteration: number of finished steps.
        curves: points so far.
        model: the network's tensors by name.
        optimizer: the optimizer's tensors by parameter name, then by their own name.
    """

    iteration: int = 0
    curves: list[CurvePoint] = field(default_factory=list)
    model: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """The state as numbers, strings and tensors, which load without pickle."""
        return {**vars(self), "curves": [asdict(point) for point in self.curves]}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "TrainingState":
        """Rebuild the state from its `content()`."""
        return cls(**{**content, "curves": [CurvePoint(**point) for point in content["curves"]]})


class Checkpoint:
    """Saved state of one run, in a folder of its own.

    A process that is killed while it saves leaves the previous state. Two concurrent jobs may train the same network:
    their states are equal, and a file lock keeps their reads and writes apart.

    Args:
        folder: of this run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "state.pt"

    def load(self) -> dict[str, Any] | None:
        """Read the last saved content; None if there is none."""
        with self._lock():
            return torch.load(self._file, weights_only=True, map_location="cpu") if self._file.exists() else None

    def save(self, content: Mapping[str, Any]) -> None:
        """Replace the saved content, atomically."""
        partial = self._file.with_suffix(".partial")
        with self._lock():
            self.folder.mkdir(exist_ok=True)
            with partial.open("wb") as stream:
                torch.save(content, stream)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(self._file)

    def clear(self) -> None:
        """Delete the checkpoint of a run whose weights are written."""
        with self._lock():
            shutil.rmtree(self.folder, ignore_errors=True)

    def _lock(self) -> BaseFileLock:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder.parent / ".lock")


def open_checkpoint(
    folder: Path,
    description: ModelDescription,
    model: nn.Module,
    sampler: PatchSampler,
    recipe: Recipe,
    fabric: Fabric,
    *,
    start: TrainingState | None = None,
    phases: int | None = None,
) -> Checkpoint:
    """Find the checkpoint of the run with these inputs, this code, and this machine's threads and instruction set.

    Args:
        folder: of the checkpoints of all runs.
        description: of the model.
        model: with its starting weights.
        sampler: of the training patches.
        recipe: phases, optimizer and schedule.
        fabric: device, precision and processes.
        start: as in `bsn.training.loop.train`.
        phases: as in `bsn.training.loop.train`.

    Returns:
        The checkpoint, in a subfolder named by a fingerprint of all these.

    Raises:
        InputError: a process has other photos, parameters or code than the first one.
        ValueError: the description has attributes that the model or the recipe does not train.
    """
    _check_attributes(description.attributes, model, recipe)
    start = start or TrainingState()
    settings = {
        "description": description.content(),
        "sampler": sampler.settings(),
        "recipe": asdict(recipe),
        "phases": phases,
        "precision": fabric.strategy.precision.precision,
        "start": [start.iteration, *start.model, *start.optimizer],
    }
    tensors = [*model.state_dict().values(), *start.model.values()]
    tensors += [tensor for values in start.optimizer.values() for tensor in values.values()]
    run = fingerprint(settings, [*sampler.arrays(), *(tensor.cpu().numpy() for tensor in tensors)], code=_code())
    _check_that_processes_agree(fabric, run)
    # Not compared between processes: hosts may differ in these, and only the first one has the checkpoint.
    machine = {
        "run": run,
        "threads": torch.get_num_threads(),
        "instructions": instructions(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if fabric.device.type == "cuda" else "cpu",
    }
    return Checkpoint(folder / fingerprint(machine, []))


def fingerprint(settings: dict[str, Any], arrays: Iterable[np.ndarray], *, code: Iterable[Path] = ()) -> str:
    """Hash settings, arrays and code.

    Args:
        settings: of JSON types.
        arrays: of any shape and dtype, which are hashed with the values.
        code: files.

    Returns:
        32 hex digits.
    """
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    for file in code:
        digest.update(file.read_bytes())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def save_model(folder: Path, description: ModelDescription, state: TrainingState) -> None:
    """Write a trained model's folder: model.json, weights.safetensors and curves.csv.

    Args:
        folder: made if missing.
        description: of the model.
        state: at the end of its training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.cpu().contiguous() for name, tensor in state.model.items()}, folder / WEIGHTS)
    description.write(folder)
    pd.DataFrame([asdict(point) for point in state.curves]).to_csv(folder / CURVES, index=False)


def save_phase_one(folder: Path, state: TrainingState) -> None:
    """Write the state after phase one, from which every method that shares it continues.

    Args:
        folder: made if missing.
        state: after phase one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": tensor for name, tensor in state.model.items()}
    for parameter, values in state.optimizer.items():
        tensors |= {f"optimizer.{name}.{parameter}": tensor for name, tensor in values.items()}
    save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, folder / _PHASE_ONE_TENSORS)
    rest = {"iteration": state.iteration, "curves": [asdict(point) for point in state.curves]}
    (folder / _PHASE_ONE_CURVES).write_text(json.dumps(rest) + "\n")


def load_phase_one(folder: Path) -> TrainingState:
    """Read the state that `save_phase_one` wrote."""
    state = TrainingState.of(json.loads((folder / _PHASE_ONE_CURVES).read_text()))
    for key, tensor in load_file(folder / _PHASE_ONE_TENSORS).items():
        kind, _, name = key.partition(".")
        if kind == "model":
            state.model[name] = tensor
        else:
            part, _, parameter = name.partition(".")
            state.optimizer.setdefault(parameter, {})[part] = tensor
    return state


def _check_attributes(names: Sequence[str], model: nn.Module, recipe: Recipe) -> None:
    if names and not getattr(model, "attribute_branch", None):
        raise ValueError(f"{type(model).__name__} has no branch to learn {', '.join(names)}; leave the attributes out")
    if names and len(recipe.phases) < 2:
        raise ValueError(
            f"{', '.join(names)}: attributes are learned in phase two, and the recipe has one; give it two"
        )


def _check_that_processes_agree(fabric: Fabric, run: str) -> None:
    """Raise InputError in all processes unless their fingerprints are equal."""
    own = torch.tensor(list(bytes.fromhex(run)), device=fabric.device)
    runs = cast(Tensor, fabric.all_gather(own)).reshape(fabric.world_size, -1)
    others = (runs != runs[0]).any(dim=1).nonzero().flatten().tolist()
    if others:
        raise InputError(
            f"process {', '.join(map(str, others))} of {fabric.world_size} has other photos, parameters or code than "
            "process 0; give every host the same commit and the same data/"
        )


def _code() -> list[Path]:
    package = Path(bsn.__file__).parent
    files = [package / name for name in CODE]
    return sorted(file for path in files for file in (path.glob("*.py") if path.is_dir() else [path]))
