"""Where a training run keeps its state, so that it can go on after it was killed, and never another run's."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch


class Checkpoint:
    """One run's folder. A kill while saving leaves the state before it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "state.pt"

    def load(self) -> dict[str, Any] | None:
        """The last saved state, or None."""
        return torch.load(self._file, weights_only=True, map_location="cpu") if self._file.exists() else None

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state, atomically."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial")
        with partial.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(self._file)

    def clear(self) -> None:
        """Forget the run: it is finished, and its weights are written."""
        shutil.rmtree(self.folder, ignore_errors=True)


def fingerprint(settings: dict[str, Any], arrays: Iterable[np.ndarray], *, code: Iterable[Path] = ()) -> str:
    """32 hex digits that change with any setting, value of an array and line of code that a run depends on."""
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    for file in code:
        digest.update(file.read_bytes())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def file_fingerprint(file: Path) -> str:
    """32 hex digits that change with any byte of the file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
