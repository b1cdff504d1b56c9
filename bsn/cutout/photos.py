"""From what a user names to photo files, and from pictures to files. The photos are read by bsn/photos.py."""

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bsn.disk import disk_errors, write_png

# What file managers leave in folders of photos; other such files have names that begin with a dot.
_LEFT_BY_OTHERS = ("desktop.ini", "ehthumbs.db", "thumbs.db")


@dataclass(frozen=True, kw_only=True)
class Found:
    """files: each once, in the order of the arguments. empty: one line per argument that named no file."""

    files: list[Path]
    empty: list[str]


def find_photos(arguments: Sequence[str]) -> Found:
    """The files that paths, folders (their own files, not those of folders in them) and glob patterns name.

    `**` in a pattern is any depth of folders. Whether a file is a photo is known when it is read: its name does not
    matter. Hidden files of a folder, and what file managers leave in it, are left out.
    """
    files: dict[Path, None] = {}
    empty = []
    for argument in arguments:
        # These take what is no path for any reason as what is not there.
        if os.path.isdir(argument):
            try:
                named = folder_files(Path(argument))
                trouble = f"{argument} is a folder without photos"
            except OSError as error:
                named, trouble = [], f"{argument} cannot be read: {error.strerror}"
        elif glob.has_magic(argument) and not os.path.exists(argument):
            named, trouble = _photos(_matches(argument)), f"{argument} matches no photo"
        else:
            named = [Path(argument)] if os.path.exists(argument) else []
            trouble = f"{argument} is not there; name a photo, a folder, or a pattern such as 'photos/*.jpg'"
        files |= dict.fromkeys(named)
        if not named:
            empty.append(trouble)
    return Found(files=list(files), empty=empty)


def folder_files(folder: Path) -> list[Path]:
    """The folder's own files, sorted, without hidden ones and what file managers leave there. Raises OSError."""
    return _photos(path for path in folder.iterdir() if not path.name.startswith("."))


def write_picture(file: Path, picture: np.ndarray) -> None:
    """A PNG of uint8 (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA. Raises InputError when the disk will not have it."""
    order = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[picture.shape[2] if picture.ndim == 3 else 2]
    with disk_errors(file):
        write_png(file, picture if order is None else cv2.cvtColor(picture, order))


def _photos(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.name.lower() not in _LEFT_BY_OTHERS and not os.path.isdir(path))


def _matches(pattern: str) -> Iterable[Path]:
    try:
        return [Path(path) for path in glob.glob(pattern, recursive=True)]
    except (OSError, ValueError):
        return []
