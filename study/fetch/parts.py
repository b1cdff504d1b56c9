"""A file that is on its way: `<name>.part`, and in `<name>.part.json` where its bytes came from.

The two halves of a file may only be joined when they are of one content. That is known when the same address says so
(If-Range with its validator), or does not matter when a published hash will be checked in the end.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from bsn.disk import write_atomically
from study.fetch.locks import locked


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a part's last bytes came from. validator: see web.validator; total: bytes of the whole, if known."""

    url: str
    validator: str | None
    total: int | None


class Part:
    """The bytes of one file from its start on; made by `part_of`."""

    def __init__(self, file: Path, stream: BinaryIO) -> None:
        self.file = file
        # Bytes won by going on where an earlier answer ended, in this process.
        self.continued = 0
        self._stream = stream
        self._sidecar = file.with_name(file.name + ".json")
        self.origin = self._read_origin() if self.length else None

    @property
    def length(self) -> int:
        """Bytes that are here."""
        return os.fstat(self._stream.fileno()).st_size

    def range_headers(self, url: str, *, any_origin: bool) -> dict[str, str]:
        """What asks `url` for the rest; empty when only the whole will do. any_origin: a published hash decides."""
        if not self.length:
            return {}
        rest = {"Range": f"bytes={self.length}-"}
        if self.origin is not None and self.origin.url == url and self.origin.validator is not None:
            return {**rest, "If-Range": self.origin.validator}
        return rest if any_origin else {}

    def begin(self, origin: Origin) -> None:
        """Drop what is here: the whole comes from `origin`."""
        self._stream.truncate(0)
        self._remember(origin)

    def go_on(self, origin: Origin) -> None:
        """What follows comes from `origin`."""
        if origin != self.origin:
            self._remember(origin)

    def append(self, data: bytes) -> None:
        """On a full disk the part keeps what still went on it."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.write(rest) :]

    def discard(self) -> None:
        """Drop what is here."""
        self._stream.truncate(0)
        self._sidecar.unlink(missing_ok=True)
        self.origin = None

    def finish(self, target: Path) -> None:
        """The part is the file: give it its name, once its bytes are on the disk."""
        os.fsync(self._stream.fileno())
        self.file.replace(target)
        self._sidecar.unlink(missing_ok=True)

    def _remember(self, origin: Origin) -> None:
        write_atomically(self._sidecar, [json.dumps(asdict(origin)).encode()])
        self.origin = origin

    def _read_origin(self) -> Origin | None:
        try:
            return Origin(**json.loads(self._sidecar.read_bytes()))
        # Without knowing where it is from, a part can go on only under a published hash.
        except (FileNotFoundError, ValueError, TypeError):
            return None


@contextmanager
def part_of(target: Path, stop: threading.Event) -> Iterator[Part]:
    """The part of `target`, this thread's alone; what others do to it is waited for. An empty one is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    file = target.with_name(target.name + ".part")
    with locked(file, stop) as stream:
        part = Part(file, stream)
        try:
            yield part
        finally:
            if part.length == 0:
                part.discard()
                file.unlink(missing_ok=True)
