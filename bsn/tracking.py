"""One MLflow run a method: parameters, curves, final metrics and example pictures.

    with tracked_run(store, name="bsn", tags={...}, params={...}) as run:
        run.point({"loss": 0.3}, step=10)

Tracking never stops science: whatever MLflow raises becomes one warning, and the run goes on untracked.
"""

import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np

# A dead server must cost seconds, not MLflow's four minutes of retries.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
# Nothing leaves the machine unasked.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# A stage has a bar of its own.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric, Param, RunTag

FLUSH_EVERY = 5.0  # seconds between sending the points of a curve
WEIGHTS_TAG, EVALUATED_TAG = "weights", "evaluated"
_MAX_VALUE = 500  # characters of a parameter that every backend takes
_MAX_BATCH = 100  # parameters or tags that MLflow takes at once
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Store:
    """Where runs go. uri: an MLflow tracking URI. artifacts: folder for a new experiment's artifacts, None for the
    server's own choice."""

    uri: str
    experiment: str
    artifacts: Path | None = None


class Run:
    """One MLflow run, or nothing at all once MLflow has failed."""

    def __init__(self) -> None:
        self._client: MlflowClient | None = None
        self._id = ""
        self._waiting: list[Metric] = []
        self._flushed = time.monotonic()

    def metrics(self, values: Mapping[str, float]) -> None:
        """Final values, one each."""
        self._queue(values, 0)
        self._flush()

    def point(self, values: Mapping[str, float], *, step: int) -> None:
        """One point of the curves."""
        self._queue(values, step)
        if time.monotonic() - self._flushed > FLUSH_EVERY:
            self._flush()

    def tag(self, key: str, value: str) -> None:
        """Set a tag."""
        self._try(lambda client: client.set_tag(self._id, key, value))

    def artifact(self, file: Path, folder: str | None = None) -> None:
        """Keep a copy of a file with the run."""
        self._try(lambda client: client.log_artifact(self._id, str(file), folder))

    def model(self, folder: Path, *, aligned_mean_mask: np.ndarray) -> str | None:
        """Log the trained method of `models/<method>` as an MLflow model of that name that takes photos.

        Returns its URI, for `mlflow models serve -m`, or None when MLflow does not take it. aligned_mean_mask:
        (800, 600) float32, of the training set.
        """
        if self._client is None:
            return None
        what = f"the model of {folder.name}"
        return _guarded(lambda client: self._log_model(client, folder, aligned_mean_mask), self._client, what=what)

    def _log_model(self, client: MlflowClient, folder: Path, aligned_mean_mask: np.ndarray) -> str:
        from bsn.serving.package import save_model

        with TemporaryDirectory() as work:
            # Made first: MLflow hears of no model that could not be made.
            save_model(Path(work) / "model", folder, aligned_mean_mask=aligned_mean_mask, run=self._id)
            run = client.get_run(self._id)
            logged = client.create_logged_model(
                run.info.experiment_id, name=folder.name, source_run_id=self._id, params=run.data.params
            )
            client.log_model_artifacts(logged.model_id, str(Path(work) / "model"))
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
        client.log_outputs(self._id, [LoggedModelOutput(logged.model_id, step=0)])
        return logged.model_uri

    def _open(self, store: Store, name: str, weights: str | None) -> None:
        def start(_: None) -> MlflowClient:
            client = MlflowClient(store.uri)
            experiment = _experiment(client, store)
            found = _trained_run(client, experiment, weights) if weights else None
            self._id = found or client.create_run(experiment, run_name=name).info.run_id
            return client

        self._client = _guarded(start, None)

    def _describe(self, tags: Mapping[str, str], params: Mapping[str, Any]) -> None:
        def describe(client: MlflowClient) -> None:
            # MLflow refuses a second value of a parameter. In a run that goes on from training, what has changed since
            # is nothing that the training depends on; it is told by a tag.
            known = client.get_run(self._id).data.params
            new, notes = [], [RunTag(key, str(value)) for key, value in tags.items()]
            for key, value in params.items():
                text = str(value)[:_MAX_VALUE]
                if key not in known:
                    new.append(Param(key, text))
                elif known[key] != text:
                    notes.append(RunTag(f"{EVALUATED_TAG}.{key}", text))
            for start in range(0, max(len(new), len(notes)), _MAX_BATCH):
                part = slice(start, start + _MAX_BATCH)
                client.log_batch(self._id, params=new[part], tags=notes[part])

        self._try(describe)

    def _close(self, status: str) -> None:
        self._flush()
        self._try(lambda client: client.set_terminated(self._id, status))

    def _queue(self, values: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        self._waiting += [Metric(key, float(value), now, step) for key, value in values.items()]

    def _flush(self) -> None:
        waiting, self._waiting, self._flushed = self._waiting, [], time.monotonic()
        for start in range(0, len(waiting), 1000):
            self._try(lambda client, part=waiting[start : start + 1000]: client.log_batch(self._id, metrics=part))

    def _try(self, action: Callable[[MlflowClient], object]) -> None:
        if self._client is not None and _guarded(lambda client: (action(client),), self._client) is None:
            self._client = None


@contextmanager
def tracked_run(
    store: Store, *, name: str, params: Mapping[str, Any], tags: Mapping[str, str], weights: str | None = None
) -> Iterator[Run]:
    """A run that is finished when the block ends, and failed when it raises.

    weights: fingerprint of the weights that the block evaluates; the run that trained them goes on, unless it has been
    evaluated already, so that training and evaluation of one method are one run. A parameter that has changed since
    keeps its value there, and the tag `evaluated.<key>` has the new one.
    """
    run = Run()
    run._open(store, name, weights)
    run._describe(tags, params)
    try:
        yield run
    except BaseException:
        run._close("FAILED")
        raise
    run._close("FINISHED")


def _experiment(client: MlflowClient, store: Store) -> str:
    found = client.get_experiment_by_name(store.experiment)
    if found is not None:
        return found.experiment_id
    location = store.artifacts.resolve().as_uri() if store.artifacts else None
    return client.create_experiment(store.experiment, artifact_location=location)


def _trained_run(client: MlflowClient, experiment: str, weights: str) -> str | None:
    runs = client.search_runs([experiment], f"tags.{WEIGHTS_TAG} = '{weights}'", order_by=["start_time DESC"])
    return next((run.info.run_id for run in runs if EVALUATED_TAG not in run.data.tags), None)


def _guarded(action: Callable[[Any], T], argument: Any, *, what: str = "this run") -> T | None:
    try:
        return action(argument)
    # Whatever goes wrong with tracking, and that is anything, must not cost the run.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        warnings.warn(f"MLflow does not take {what} ({reason}); going on without it", stacklevel=2)
        return None
