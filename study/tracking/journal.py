"""A run on disk: one line of JSON for each thing it says, in order, and copies of the files that it keeps.

<outbox>/<time>-<id>/journal.jsonl      open, metrics, tags, artifact, model, close
<outbox>/<time>-<id>/files/0003/...     what artifact and model lines name
<outbox>/<time>-<id>/sent.json          how far it was sent (delivery.py)
<outbox>/<time>-<id>/writer             locked while the run lives
"""

import json
import os
import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from study.locks import take
from study.tracking.card import Card, Store

LINES, WRITER = "journal.jsonl", "writer"


class Journal:
    """A journal that this process writes."""

    def __init__(self, store: Store, card: Card, *, only_if_absent: bool = False) -> None:
        """Begin it. only_if_absent: for a run that is to be left as it is where MLflow has it already."""
        store.outbox.mkdir(parents=True, exist_ok=True)
        # In order of time: parents before children, training before evaluation. Made under another name, so that nobody
        # sends a journal whose writer is not locked yet.
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        making = store.outbox / f".{name}"
        making.mkdir()
        self._writer = (making / WRITER).open("ab")
        take(self._writer)
        self.folder = making.rename(store.outbox / name)
        self._stream = (self.folder / LINES).open("a", encoding="utf-8")
        self._files = 0
        # The password of a database stays out of it: whoever sends knows it.
        where = {
            "address": store.address,
            "experiment": store.experiment,
            "artifacts": os.path.relpath(store.artifacts, store.outbox) if store.artifacts else None,
        }
        self.write("open", store=where, card=asdict(card), only_if_absent=only_if_absent, time=_now())

    def write(self, what: str, **values: Any) -> None:
        """Add a line."""
        self._stream.write(json.dumps({"op": what, **values}) + "\n")
        self._stream.flush()

    def metrics(self, values: dict[str, float], *, step: int) -> None:
        """Numbers, at this time."""
        self.write("metrics", values=values, step=step, time=_now())

    def keep(self, path: Path) -> str:
        """Copy a file or folder; its path in the journal's folder."""
        self._files += 1
        kept = self.folder / "files" / f"{self._files:04d}" / path.name
        kept.parent.mkdir(parents=True)
        if path.is_dir():
            shutil.copytree(path, kept)
        else:
            shutil.copy(path, kept)
        return str(kept.relative_to(self.folder))

    def close(self, status: str) -> None:
        """The last line."""
        self.write("close", status=status, time=_now())
        self.abandon()

    def abandon(self) -> None:
        """Write no more: without a last line the run is one that was killed."""
        for stream in (self._stream, self._writer):
            with suppress(OSError):  # of a full disk, which has been told of
                stream.close()


def writer_lives(folder: Path) -> bool:
    """Whether the run that writes this journal still works."""
    with (folder / WRITER).open("ab") as stream:
        return not take(stream)


def _now() -> int:
    return int(time.time() * 1000)
