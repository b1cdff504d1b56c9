"""A file that one thread of one process has to itself."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from study.fetch.web import pause
from study.locks import take

_LOOK_AGAIN = 0.1  # seconds


@contextmanager
def locked(file: Path, stop: threading.Event | None = None) -> Iterator[BinaryIO]:
    """`file`, made when missing, open to read and append without a buffer; others that ask for it wait meanwhile.

    The lock ends with the process, however that ends. Raises web.Stopped when `stop` is set while waiting.
    """
    stop = stop or threading.Event()
    file.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with file.open("a+b", buffering=0) as stream:
            while not take(stream):
                pause(_LOOK_AGAIN, stop)
            if _still_named(stream, file):
                yield stream
                return


def _still_named(stream: BinaryIO, file: Path) -> bool:
    """Whether `stream` is still the file of that name: who had it before may have moved or deleted it."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), file.stat())
    except FileNotFoundError:
        return False
