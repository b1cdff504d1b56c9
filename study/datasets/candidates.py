"""What every reader yields: one photo of an official tree, with its annotations still on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# File systems take 255 bytes, suffix and all; a longer name would end in an OSError.
MAX_NAME = 240


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One photo that a set's annotations speak of.

    `count_persons()` is the number of persons by the annotations, None where the set does not count them.
    `load_mask()` is uint8 (H, W): 0 background, 1 portrait, 255 ignore.
    Both open files only when called, and raise InputError when those are missing or broken.
    `rejection` says why the annotations alone turn the photo down. `url` is where the set's annotations say
    that the photo is, `listed` in how many of the set's lists (VOC: years) it stands.
    """

    id: str
    split: str
    photo: Path
    count_persons: Callable[[], int | None]
    load_mask: Callable[[], np.ndarray]
    rejection: str | None = None
    url: str | None = None
    listed: int = 1


def is_bare(name: str) -> bool:
    """Whether `name`, or a name with a suffix after it, names a file of its folder and nothing above or below it."""
    return name not in ("", ".", "..") and not set(name) & {"/", "\\", "\0"} and len(name.encode()) <= MAX_NAME


def is_person(name: str) -> bool:
    """Whether this name of a class, as an annotation spells it, is "person"."""
    return name.strip().casefold() == "person"
