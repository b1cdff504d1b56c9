"""Atomic file writes, disk errors as one line, and a file's fingerprint."""

import errno
import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np

from bsn.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class FullDisk(InputError):
    """The disk is too full for a file."""


def require_room(needed: int, file: Path) -> None:
    """Check the free space of a disk.

    Args:
        needed: bytes to be written.
        file: on that disk; it need not exist.

    Raises:
        FullDisk: less is free.
    """
    if (missing := _missing(needed, file)) > 0:
        raise FullDisk(_line(file, missing))


@contextmanager
def disk_errors(file: Path, needed: Callable[[], int | None] = lambda: None) -> Iterator[None]:
    """Turn an OSError into one line about `file`.

    Args:
        file: the file being read or written.
        needed: returns the number of bytes yet to be written, or None if unknown.

    Raises:
        FullDisk: the disk is full.
        InputError: any other OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            left = needed()
            raise FullDisk(_line(file, None if left is None else _missing(left, file))) from None
        raise InputError(f"{error.filename or file} cannot be read or written: {error.strerror or error}") from None


def write_atomically(file: Path, chunks: Iterable[bytes]) -> int:
    """Write `chunks` to a temporary file, then rename it to `file`; on any error `file` is as before.

    A link is replaced, not followed. The temporary name is not made from that of `file`, which may be as long as the
    file system allows.

    Args:
        file: to write; its folder is made if missing.
        chunks: the content.

    Returns:
        The number of bytes written.

    Raises:
        OSError: with the name of `file`, not of the temporary file.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with partial.open("xb") as stream:
            written = sum(stream.write(chunk) for chunk in chunks)
        partial.replace(file)
    except OSError as error:
        if str(error.filename) == str(partial):
            error.filename = str(file)
        raise
    finally:
        with suppress(OSError):  # of a read-only disk, in place of the error above
            partial.unlink()
    return written


def write_png(file: Path, image: np.ndarray) -> None:
    """Write a PNG atomically; cv2.imwrite does not report a full disk.

    Args:
        file: to write.
        image: uint8, (H, W) grey, (H, W, 3) BGR or (H, W, 4) BGRA.

    Raises:
        InputError: the image cannot be encoded.
        OSError: as `write_atomically`.
    """
    encoded, content = cv2.imencode(".png", image)
    if not encoded:
        raise InputError(f"{file} cannot be written: a PNG of {image.shape} cannot be encoded")
    write_atomically(file, [content.tobytes()])


def file_fingerprint(file: Path) -> str:
    """BLAKE2b hash of a file's content, 32 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _missing(needed: int, file: Path) -> int:
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    return needed - shutil.disk_usage(folder).free


def _line(file: Path, missing: int | None) -> str:
    lack = "no room left for it" if missing is None else f"{max(missing, 1):,} bytes too little for it"
    return f"the disk of {file} has {lack}; free some space and run the same command again"
