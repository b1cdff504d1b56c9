"""What the science sees of MLflow: a run to which it says things, at the price of a line on disk each."""

import json
import os
import select
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import bsn
from study.tracking.card import Card, Store
from study.tracking.journal import Journal
from study.tracking.outbox import reason

PATIENCE = 2.0  # seconds that a run waits at its end for a server
FILE_PATIENCE = 300.0  # the same for a database of this machine, which is never down
START = 60.0  # seconds until the sender, on a busy machine, has imported what it needs


class Run:
    """One MLflow run, or nothing at all once its journal can't be written."""

    def __init__(self) -> None:
        self.model_uri: str | None = None  # after the run: of the model that it has logged
        self._journal: Journal | None = None

    def metrics(self, values: Mapping[str, float]) -> None:
        """Final values, one each."""
        self.point(values, step=0)

    def point(self, values: Mapping[str, float], *, step: int) -> None:
        """One point of the curves."""
        numbers = {key: float(value) for key, value in values.items()}
        self._try(lambda journal: journal.metrics(numbers, step=step))

    def tag(self, key: str, value: str) -> None:
        """Set a tag."""
        self._try(lambda journal: journal.write("tags", tags={key: value}))

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Keep a copy of a file, or of what a folder holds, with the run."""
        self._try(lambda journal: journal.write("artifact", file=journal.keep(path), folder=folder))

    def model(self, folder: Path, *, aligned_mean_mask: Path) -> None:
        """Log the trained method of `models/<method>` as an MLflow model of that name that takes photos.

        aligned_mean_mask: a .npy file, (800, 600) float32, of the training set.
        """
        self._try(
            lambda journal: journal.write(
                "model", method=journal.keep(folder), mean_mask=journal.keep(aligned_mean_mask)
            )
        )

    def _try(self, action: Callable[[Journal], object]) -> None:
        if self._journal is None:
            return
        try:
            action(self._journal)
        except OSError as error:
            _warn_untracked(error)
            self._journal.abandon()
            self._journal = None

    def _close(self, status: str) -> None:
        self._try(lambda journal: journal.close(status))


@contextmanager
def tracked_run(store: Store, card: Card) -> Iterator[Run]:
    """A run that is finished when the block ends, failed when it raises, killed when it is stopped.

    Whoever stops it does not wait for MLflow to hear of it: the sender ends by itself when it has said so.
    """
    run, sender = Run(), None
    try:
        run._journal = Journal(store, card)
        sender = _Sender(store, run._journal.folder)
    except OSError as error:
        _warn_untracked(error)
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        run._close(status)
        if sender is not None and status != "KILLED":
            run.model_uri = sender.finish(f"the run {card.name}")


def post(
    store: Store,
    card: Card,
    *,
    metrics: Mapping[str, float],
    artifacts: Mapping[Path, str | None],
    only_if_absent: bool = False,
) -> None:
    """Put a whole run into the outbox, for whoever sends next. artifacts: a file or folder, and where MLflow shows it.

    only_if_absent: leave a run of this identity as it is where MLflow has one.
    """
    run = Run()
    try:
        run._journal = Journal(store, card, only_if_absent=only_if_absent)
    except OSError as error:
        _warn_untracked(error)
    run.metrics(metrics)
    for path, folder in artifacts.items():
        run.artifact(path, folder)
    run._close("FINISHED")


def flush(store: Store) -> None:
    """Send what waits for this store, with no more patience than a run has at its end."""
    _Sender(store).finish("what was waiting")


def _warn_untracked(error: OSError) -> None:
    warnings.warn(f"the journal of this run can't be written ({reason(error)}); going on without it", stacklevel=2)


class _Sender:
    """The process of sender.py, seen from the run."""

    def __init__(self, store: Store, *journal: Path) -> None:
        self._store = store
        paths = [str(Path(bsn.__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "study.tracking.sender", store.outbox, *journal],
            env={**os.environ, "MLFLOW_TRACKING_URI": store.uri, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # What stops the run must not stop it before it has told MLflow so.
            start_new_session=True,
        )
        self._heard = b""

    def finish(self, what: str) -> str | None:
        """Wait, but not long, for MLflow to have all of it; the URI of the model that was logged."""
        self._listen(START, until=b'"ready"')
        self._listen(FILE_PATIENCE if self._store.is_file else PATIENCE, until=b'"over"')
        self._process.kill()
        self._process.communicate()
        told = {key: value for line in self._heard.splitlines() for key, value in json.loads(line).items()}
        if "sent" in told:
            return told.get("model")
        why = told.get("failed", "it is slow" if "ready" in told else "the sending process has ended")
        warnings.warn(
            f"MLflow at {self._store.address} has not taken all of {what} ({why}); the rest is kept in "
            f"{self._store.outbox}, and goes with the next run or `make sync`",
            stacklevel=4,
        )
        return None

    def _listen(self, seconds: float, *, until: bytes) -> None:
        """Gather what the process says, until it says `until` or ends."""
        deadline, pipe = time.monotonic() + seconds, self._process.stdout
        while until not in self._heard:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                return
            chunk = os.read(pipe.fileno(), 65536)
            if not chunk:
                return
            self._heard += chunk
