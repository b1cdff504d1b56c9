"""Where a training run keeps its state, so that it can go on after it was killed, and never another run's."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch


class Checkpoint:
    """One run's folder. A kill while saving leaves the state before it.

    Two jobs of a sweep may train the very same network at once; their states are the same, and each may save its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "state.pt"

    def load(self) -> dict[str, Any] | None:
        """The last saved state, or None."""
        with self._alone():
            return torch.load(self._file, weights_only=True, map_location="cpu") if self._file.exists() else None

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state, atomically."""
        partial = self._file.with_suffix(".partial")
        with self._alone():
            self.folder.mkdir(exist_ok=True)
            with partial.open("wb") as stream:
                torch.save(state, stream)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(self._file)

    def clear(self) -> None:
        """Forget the run: it is finished, and its weights are written."""
        with self._alone():
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process loads, saves or clears a state beside this one meanwhile."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


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
