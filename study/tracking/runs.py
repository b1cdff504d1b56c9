"""Which MLflow run a stage logs to, and logging to it.

A study is one run of the pipeline: a DVC experiment, or `dvc repro` of one state of code and parameters. Interrupted
and started again it is the same study. Under its run there is one child run per method. An error of MLflow or of the
disk costs one warning, and the work goes on.
"""

import hashlib
import json
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import psutil
import yaml

from bsn.disk import file_fingerprint
from bsn.model_format import WEIGHTS
from study.params import Params
from study.provenance import Origin, environment
from study.runner import checkout
from study.tracking.database import experiment_id, open_database, reason

if TYPE_CHECKING:  # MLflow takes seconds to import, so functions that need it import it themselves
    import mlflow.entities
    from mlflow import MlflowClient
    from mlflow.entities import Metric

EXPERIMENT_TAG = "dvc.experiment"
WEIGHTS_TAG = "weights"  # fingerprint of the weights that a run trained or measured
TRAINED_IN_TAG = "trained_in"  # id of the run that trained them where it is another one, or UNKNOWN
UNKNOWN = "unknown"
PROCESS_TAG = "process"  # "<host> <pid> <start>" of the process that writes a run; parents have none
NOTE_TAG = "mlflow.note.content"
PARENT_TAG = "mlflow.parentRunId"
FLUSH_SECONDS = 30.0  # between writes of curve points
LOCK_ATTEMPTS, LOCK_PAUSE = 25, 0.2  # attempts to read dvc.lock, and seconds between them
MAX_METRICS, MAX_PARAMS = 1000, 100  # what MLflow takes per call
MAX_VALUE = 6000  # characters that MLflow takes per parameter


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run, known by (study, kind, name); starting it again continues it.

    Attributes:
        experiment: MLflow's experiment, `bsn-<profile>`.
        study: key of the study, shared by all of its runs.
        kind: "study", "method", "trials" or "trial".
        name: of the method or trial; shown in MLflow.
        params: as `Params.flat` gives them.
        tags: further tags than study, kind and name.
        parent: the run above it, created if need be.
    """

    experiment: str
    study: str
    kind: str
    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    parent: "RunSpec | None" = None

    def child(self, kind: str, name: str, *, tags: Mapping[str, str], params: Mapping[str, Any] | None = None) -> Self:
        """Run below this one, with its tags beside `tags`, and its parameters unless others are given."""
        params = self.params if params is None else params
        return replace(self, kind=kind, name=name, params=params, tags={**self.tags, **tags}, parent=self)


def study_run(params: Params, origin: Origin, *, folder: Path = Path(), kind: str = "study") -> RunSpec:
    """Run of a whole study.

    Args:
        params: of the study.
        origin: what runs.
        folder: where the study's dvc.lock lies.
        kind: "study", or "trials" for the parent of trials/dvc.yaml's runs.
    """
    flat = params.flat()
    state = hashlib.sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest()
    tags = {
        "profile": params.profile,
        EXPERIMENT_TAG: origin.experiment,
        "git.commit": origin.commit,
        # The same in MLflow's own columns.
        "mlflow.source.name": "dvc exp run" if origin.experiment else "dvc repro",
        "mlflow.source.type": "PROJECT",
        "mlflow.source.git.commit": origin.commit,
        **_data_versions(folder / "dvc.lock"),
    }
    return RunSpec(
        experiment=f"bsn-{params.profile}",
        study="/".join(part for part in (origin.commit[:10], origin.edits, origin.experiment, state[:10]) if part),
        kind=kind,
        name=origin.title if kind == "study" else kind,
        params=flat,
        tags=tags,
    )


def method_run(params: Params, name: str) -> RunSpec:
    """Run of one method in the study of this process."""
    return study_run(params, Origin.here()).child("method", name, tags=environment())


def trial_run(params: Params, tried: Params, name: str) -> RunSpec:
    """Run of one trial.

    Args:
        params: of the study.
        tried: the trial's own.
        name: of the run, such as "trial closeness-2".
    """
    trials = study_run(params, Origin.here(), kind="trials")
    return trials.child("trial", name, tags=environment(), params=tried.flat())


class Run:
    """Handle of one run; it does nothing once the run could not be started."""

    def __init__(self) -> None:
        self.model_uri: str | None = None
        self._client: MlflowClient | None = None
        self._run: mlflow.entities.Run | None = None
        self._points: list[Metric] = []
        self._logged: dict[tuple[str, int], float] = {}  # (key, step) -> value
        self._flushed = time.monotonic()
        self._warned = False

    def log_point(self, values: Mapping[str, float], *, step: int) -> None:
        """Add one point to the curves; steps that the run has already, from before an interruption, are left alone."""
        self._add({key: value for key, value in values.items() if (key, step) not in self._logged}, step)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._attempt(self._flush)

    def log_metrics(self, values: Mapping[str, float]) -> None:
        """Log final values; those that the run has already are left alone."""
        self._add({key: value for key, value in values.items() if self._logged.get((key, 0)) != float(value)}, 0)
        self._attempt(self._flush)

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Copy a file, or what a directory holds, into `folder` of the run's artifacts."""
        log = "log_artifacts" if path.is_dir() else "log_artifact"
        self._attempt(lambda client, run: getattr(client, log)(run, str(path), folder))

    def set_tag(self, key: str, value: str) -> None:
        """Set one tag."""
        self._attempt(lambda client, run: client.set_tag(run, key, value))

    def log_model(self, folder: Path, *, aligned_mean_mask: Path) -> None:
        """Log the trained method in `folder` as an MLflow model, and tag the run with the fingerprint of its weights.

        Args:
            folder: of the trained method.
            aligned_mean_mask: .npy file, (800, 600) float32, of the training set.
        """
        self._attempt(lambda client, run: self._log_model(client, run, folder, aligned_mean_mask))

    def _log_model(self, client: "MlflowClient", run: str, folder: Path, mean_mask: Path) -> None:
        from mlflow.entities import LoggedModelStatus

        from study.tracking.package import package_model

        assert self._run is not None
        weights = file_fingerprint(folder / WEIGHTS)
        client.set_tag(run, WEIGHTS_TAG, weights)
        experiment = self._run.info.experiment_id
        known = client.search_logged_models([experiment], f"source_run_id = '{run}'")
        model = next((model for model in known if model.tags.get(WEIGHTS_TAG) == weights), None)
        if model is None or model.status != LoggedModelStatus.READY:
            with TemporaryDirectory() as work:
                package = Path(work) / "model"
                package_model(package, folder, aligned_mean_mask=mean_mask, run=run)
                params = client.get_run(run).data.params
                model = model or client.create_logged_model(
                    experiment, name=folder.name, source_run_id=run, params=params, tags={WEIGHTS_TAG: weights}
                )
                client.log_model_artifacts(model.model_id, str(package))
            finish_model(client, run, model.model_id)
        self.model_uri = model.model_uri

    def _start(self, spec: RunSpec, weights: str | None) -> None:
        root = checkout()
        with open_database(root) as client:
            experiment = experiment_id(client, spec.experiment, root / "mlartifacts")
            end_lost_runs(client, experiment)
            tags = {}
            if spec.parent:
                parent = _find_or_create(client, experiment, spec.parent, {})
                log_params_and_tags(client, parent, spec.parent.params, spec.parent.tags)
                tags = {PARENT_TAG: parent.info.run_id, PROCESS_TAG: _this_process()}
                if parent.info.status == "FAILED":  # one of its runs failed, and now one is tried again
                    client.update_run(parent.info.run_id, status="RUNNING")
            run = _find_or_create(client, experiment, spec, tags)
        if weights and WEIGHTS_TAG not in run.data.tags:
            tags |= {WEIGHTS_TAG: weights, **origin_tags(client, experiment, weights)}
        log_params_and_tags(client, run, spec.params, {**spec.tags, **tags})
        client.update_run(run.info.run_id, status="RUNNING")
        self._logged = {
            (point.key, point.step): point.value
            for key in run.data.metrics
            for point in client.get_metric_history(run.info.run_id, key)
        }
        self._client, self._run = client, run

    def _finish(self, status: str) -> None:
        self._attempt(self._flush)
        if self._client is not None and self._run is not None:
            client, run = self._client, self._run
            # A run that was finished, and gets its evaluation, keeps its duration.
            ended = run.info.end_time if run.info.status == status == "FINISHED" else None
            self._guard(lambda: end_run(client, run, status, ended))

    def _add(self, values: Mapping[str, float], step: int) -> None:
        if self._run is None:
            return
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._points += [Metric(key, float(value), now, step) for key, value in values.items()]
        self._logged |= {(key, step): float(value) for key, value in values.items()}

    def _flush(self, client: "MlflowClient", run: str) -> None:
        self._flushed = time.monotonic()
        while self._points:  # what could not be written stays, for the next time
            client.log_batch(run, metrics=self._points[:MAX_METRICS])
            del self._points[:MAX_METRICS]

    def _attempt(self, action: Callable[["MlflowClient", str], object]) -> None:
        if self._client is not None and self._run is not None:
            client, run = self._client, self._run.info.run_id
            self._guard(lambda: action(client, run))

    def _guard(self, action: Callable[[], object]) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # MLflow's own, which PYTHONWARNINGS may make errors
                action()
        except Exception as error:  # whatever MLflow, the database and the disk raise
            if not self._warned:
                warnings.warn(f"this run is incomplete in mlflow.db ({reason(error)}); the stage goes on", stacklevel=4)
            self._warned = True


@contextmanager
def start_run(spec: RunSpec, *, weights: str | None = None) -> Iterator[Run]:
    """Start or continue a run: FINISHED at the end of the block, FAILED if it raises, KILLED if it is interrupted.

    Args:
        spec: which run.
        weights: fingerprint of the weights that it measures; if it did not train them, it is tagged with the run that
            did.
    """
    run, status = Run(), "FAILED"
    try:
        run._guard(lambda: run._start(spec, weights))
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        run._finish(status)


def end_run(client: "MlflowClient", run: "mlflow.entities.Run", status: str, end_time: int | None = None) -> None:
    """End a run, and mark its parent as FAILED unless the run is FINISHED."""
    client.set_terminated(run.info.run_id, status, end_time)
    parent = client.get_run(run.info.run_id).data.tags.get(PARENT_TAG)
    # MLflow deletes a parent without its children, and changes no deleted run.
    if parent and status != "FINISHED" and client.get_run(parent).info.lifecycle_stage == "active":
        client.set_terminated(parent, "FAILED")


def end_lost_runs(client: "MlflowClient", experiment: str) -> None:
    """End each run whose process on this host is gone as KILLED."""
    for run in client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        host, _, process = run.data.tags.get(PROCESS_TAG, "").partition(" ")
        if host == socket.gethostname() and not _lives(*process.split()):
            end_run(client, run, "KILLED")


def log_params_and_tags(
    client: "MlflowClient", run: "mlflow.entities.Run", params: Mapping[str, object], tags: Mapping[str, str]
) -> None:
    """Log what is new; MLflow refuses a second value of a parameter, and the first one stays."""
    from mlflow.entities import Param, RunTag

    new = [Param(key, str(value)[:MAX_VALUE]) for key, value in params.items() if key not in run.data.params]
    notes = [RunTag(key, str(value)) for key, value in tags.items() if run.data.tags.get(key) != str(value)]
    for start in range(0, max(len(new), len(notes)), MAX_PARAMS):
        part = slice(start, start + MAX_PARAMS)
        client.log_batch(run.info.run_id, params=new[part], tags=notes[part])


def finish_model(client: "MlflowClient", run: str, model: str) -> None:
    """Mark a model whose files are there as ready, and as an output of its run, once."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    outputs = client.get_run(run).outputs
    if model not in [output.model_id for output in (outputs.model_outputs if outputs else ())]:
        client.log_outputs(run, [LoggedModelOutput(model, step=0)])
    client.finalize_logged_model(model, LoggedModelStatus.READY)


def origin_tags(client: "MlflowClient", experiment: str, weights: str) -> dict[str, str]:
    """Tags of a run with weights from DVC's cache: the run that trained them, as a tag and as a link in its note."""
    runs = client.search_runs([experiment], f"tags.{WEIGHTS_TAG} = '{weights}'", order_by=["start_time ASC"])
    trained = next((run.info.run_id for run in runs if TRAINED_IN_TAG not in run.data.tags), None)
    if trained is None:
        return {TRAINED_IN_TAG: UNKNOWN}
    link = f"#/experiments/{experiment}/runs/{trained}"
    note = f"Nothing was trained here: DVC had these weights. [The run that trained them]({link}) has their curves."
    return {TRAINED_IN_TAG: trained, NOTE_TAG: note}


def flat_metrics(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """`{"pfcn": {"mean_iou": 0.9, "band": {...}}}` -> `{"pfcn/mean_iou": 0.9}`: values that are one number."""
    return {
        f"{group}/{key}": float(value)
        for group, values in groups.items()
        for key, value in values.items()
        if isinstance(value, int | float)
    }


def _find_or_create(
    client: "MlflowClient", experiment: str, spec: RunSpec, tags: Mapping[str, str]
) -> "mlflow.entities.Run":
    identity = {"study": spec.study, "kind": spec.kind, "name": spec.name}
    wanted = " and ".join(f"tags.{key} = {_quoted(value)}" for key, value in identity.items())
    found = client.search_runs([experiment], wanted, max_results=1)
    return found[0] if found else client.create_run(experiment, run_name=spec.name, tags={**identity, **tags})


def _quoted(value: str) -> str:
    """A string of MLflow's filters, which know no escapes; an experiment's name may have an apostrophe."""
    return f'"{value}"' if "'" in value else f"'{value}'"


def _this_process() -> str:
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time()}"


def _lives(pid: str, start: str) -> bool:
    """Whether the process lives, and is no later one of the same number."""
    try:
        # A clock that is set moves the start a little.
        return abs(psutil.Process(int(pid)).create_time() - float(start)) < 5
    except psutil.NoSuchProcess:
        return False


def _data_versions(lock: Path) -> dict[str, str]:
    """`{"data.pfcn": <md5>, ...}`: DVC's hash of each data set that the lock has."""
    for _ in range(LOCK_ATTEMPTS):
        try:
            # The C loader: the Python one takes a quarter of a second for a lock of this size, in every tracked stage.
            stages = yaml.load(lock.read_text("utf-8"), Loader=yaml.CSafeLoader)["stages"] if lock.exists() else {}
            known = (name.partition("@") for name in stages)
            keys = [key for name, _, key in known if name == "download"]
            return {f"data.{key}": stages[f"download@{key}"]["outs"][0]["md5"] for key in keys}
        except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
            time.sleep(LOCK_PAUSE)  # another `dvc repro` is writing it, in place
    return {}
