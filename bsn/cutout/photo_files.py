"""Find the files that a user names, and write pictures. bsn/photos.py reads photos."""

import glob
import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bsn.disk import disk_errors, write_atomically
from bsn.errors import InputError

# Files that file managers leave in folders of photos, beside hidden ones.
_LEFT_BY_OTHERS = ("desktop.ini", "ehthumbs.db", "thumbs.db")
# A written picture is known by this text chunk of the PNG format, directly after the header of 33 bytes.
_HEADER, _MARK = 33, b"tEXtSoftware\0bsn segment"


@dataclass(frozen=True, kw_only=True)
class Found:
    """Result of `find_photos`.

    Attributes:
        files: each once, in the order of the arguments.
        empty: one message per argument for which there is no file.
    """

    files: list[Path]
    empty: list[str]


def find_photos(arguments: Sequence[str]) -> Found:
    """Find the files that paths, folders and glob patterns name.

    A folder means the files directly in it, except hidden ones and those of file managers. `**` in a pattern matches
    any depth of folders. Files are not filtered by suffix: whether one is a photo is seen when it is read. Of folders
    and patterns, pictures of `write_picture` are left out.

    Args:
        arguments: paths and patterns, as from the command line.
    """
    files: dict[str, Path] = {}  # by absolute path: two spellings may name one file
    empty = []
    for argument in arguments:
        # os.path, because Path raises for an impossible name, such as one with a null byte.
        if os.path.isdir(argument):
            try:
                named = _without_pictures(folder_files(Path(argument)))
                trouble = f"{argument} is a folder without photos"
            except OSError as error:
                named, trouble = [], f"{argument} cannot be read: {error.strerror}"
        elif glob.has_magic(argument) and not os.path.exists(argument):
            named, trouble = _without_pictures(_photos(_matches(argument))), f"{argument} matches no photo"
        else:
            named = [Path(argument)] if os.path.exists(argument) else []
            trouble = f"{argument} is not there; name a photo, a folder, or a pattern such as 'photos/*.jpg'"
        for file in named:
            files.setdefault(os.path.abspath(file), file)
        if not named:
            empty.append(trouble)
    return Found(files=list(files.values()), empty=empty)


def folder_files(folder: Path) -> list[Path]:
    """List the files directly in a folder, sorted, without hidden ones and those of file managers.

    Raises:
        OSError: the folder cannot be listed.
    """
    return _photos(path for path in folder.iterdir() if not path.name.startswith("."))


def write_picture(file: Path, picture: np.ndarray) -> None:
    """Write a picture as PNG, atomically, with a mark by which `is_written` knows it.

    Args:
        file: to write.
        picture: uint8, (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA.

    Raises:
        InputError: the file cannot be written.
    """
    order = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[picture.shape[2] if picture.ndim == 3 else 2]
    encoded, content = cv2.imencode(".png", picture if order is None else cv2.cvtColor(picture, order))
    if not encoded:
        raise InputError(f"{file} cannot be written: a PNG of {picture.shape} cannot be encoded")
    png = content.tobytes()
    mark = struct.pack(">I", len(_MARK) - len(b"tEXt")) + _MARK + struct.pack(">I", zlib.crc32(_MARK))
    with disk_errors(file):
        write_atomically(file, [png[:_HEADER], mark, png[_HEADER:]])


def is_written(file: Path) -> bool:
    """Whether `write_picture` wrote this file."""
    try:
        if not file.is_file():
            return False
        with file.open("rb") as stream:
            return _MARK in stream.read(_HEADER + 4 + len(_MARK))
    except OSError:
        return False


def _without_pictures(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if not is_written(file)]


def _photos(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.name.lower() not in _LEFT_BY_OTHERS and not os.path.isdir(path))


def _matches(pattern: str) -> Iterable[Path]:
    try:
        return [Path(path) for path in glob.glob(pattern, recursive=True)]
    except (OSError, ValueError):
        return []
