"""Copy the runs of mlflow.db to MLFLOW_TRACKING_URI.

A copy carries its source run's id in one tag, and in another, written last, the state of the source that it holds: a
copy that was broken off or is out of date is completed, and nothing is there twice.
"""

import hashlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from filelock import FileLock

from study.runner import checkout
from study.tracking.database import connect, experiment_id, local_path, open_database, reason
from study.tracking.runs import (
    MAX_METRICS,
    NOTE_TAG,
    PARENT_TAG,
    PROCESS_TAG,
    TRAINED_IN_TAG,
    WEIGHTS_TAG,
    end_lost_runs,
    finish_model,
    log_params_and_tags,
    origin_tags,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PATIENCE = 2.0  # seconds that the pipeline's last stage waits for a server
START = 60.0  # seconds for the copying process to import MLflow on a busy machine
SOURCE_TAG, STATE_TAG = "copied_from", "copied_state"


@dataclass
class Copied:
    """How many runs were copied or brought up to date to `client`'s server, and one line per run that it refused."""

    client: "MlflowClient"
    runs: int = 0
    failed: list[str] = field(default_factory=list)


def target(root: Path) -> str | None:
    """MLFLOW_TRACKING_URI; None where that is not set, or is the project's own database."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri.startswith("sqlite:///"):
        return uri or None
    file = (root / uri.removeprefix("sqlite:///")).resolve()
    return None if file == (root / "mlflow.db").resolve() else f"sqlite:///{file}"


def without_password(uri: str) -> str:
    """`postgresql://me:secret@host/runs` -> `postgresql://me@host/runs`."""
    parts = urlsplit(uri)
    if not parts.password:
        return uri
    user = f"{parts.username}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=user + parts.netloc.rpartition("@")[2]))


def copy_briefly() -> None:
    """Copy runs for at most PATIENCE seconds, in a process that can be ended; what is left costs one warning."""
    root = checkout()
    uri = target(root)
    if uri is None:
        return
    command = [sys.executable, "-m", "study.tracking.sync", str(PATIENCE)]
    place, variables = Path(__file__).parents[2], {**os.environ, "DVC_ROOT": str(root)}
    try:
        done = subprocess.run(
            command, cwd=place, env=variables, capture_output=True, text=True, timeout=START, check=False
        )
        why = done.stderr.strip() if done.returncode else ""
    except subprocess.TimeoutExpired:
        why = "it is slow"
    if why:
        warnings.warn(
            f"MLflow at {without_password(uri)} does not have all runs yet ({why}); they are in mlflow.db, and "
            "`make sync` copies the rest",
            stacklevel=2,
        )


def copy_runs(source: "MlflowClient", root: Path, uri: str) -> Copied:
    """Copy all runs that are over.

    Args:
        source: client of the project's database.
        root: the project's folder.
        uri: the target, an MLflow server or a database, whose artifacts then lie in the project's folder.

    Raises:
        Exception: whatever MLflow raises when the target does not answer.
    """
    client = connect(uri)
    copied = Copied(client)
    # Another process of this project may be copying: what it has copied is there when this one begins.
    with FileLock(root / "mlflow.sync.lock"):
        for experiment in source.search_experiments(filter_string="name LIKE 'bsn-%'"):
            end_lost_runs(source, experiment.experiment_id)
            artifacts = None if uri.startswith(("http:", "https:")) else root / "mlartifacts"
            copies = _Copies(source, client, experiment_id(client, experiment.name, artifacts))
            for run in sorted(all_runs(source, experiment.experiment_id), key=_parents_first):
                if run.info.status == "RUNNING" and not _is_parent(run):
                    continue
                try:
                    copied.runs += copies.copy(run)
                except Exception as error:
                    client.search_experiments(max_results=1)  # raises where the target is gone
                    copied.failed.append(f"{run.info.run_name} ({run.info.run_id}): {reason(error)}")
    return copied


def all_runs(client: "MlflowClient", experiment: str, wanted: str = "", view: str = "active_only") -> Iterator["Run"]:
    """All runs of an experiment, fetched page by page.

    Args:
        client: of a database or server.
        experiment: its id.
        wanted: MLflow's filter, "" for all.
        view: "active_only", or "all" with deleted ones.
    """
    from mlflow.entities import ViewType

    page = None
    while page != "":
        found = client.search_runs([experiment], wanted, ViewType.from_string(view), page_token=page)
        yield from found
        page = found.token or ""


class _Copies:
    """Copies in one experiment of the target."""

    def __init__(self, source: "MlflowClient", client: "MlflowClient", experiment: str) -> None:
        self._source, self._client, self._experiment = source, client, experiment
        known = list(all_runs(client, experiment, f"tags.{SOURCE_TAG} != ''", "all"))
        self._copies = {run.data.tags[SOURCE_TAG]: run for run in known}
        self._known = {_identity(run): run for run in known}

    def copy(self, run: "Run") -> bool:
        """Copy a run unless its copy is up to date, or its parent has none; returns whether it was copied."""
        if not _is_parent(run) and run.data.tags[PARENT_TAG] not in self._copies:
            return False  # the parent was deleted, or the target has refused it
        info, client, state = run.info, self._client, _state(run)
        copy = self._copies.get(info.run_id) or self._of_another_machine(run)
        if copy is not None:
            self._copies[info.run_id] = copy
            finished, tags = copy.info.status == "FINISHED", copy.data.tags
            if tags.get(STATE_TAG) == state or copy.info.lifecycle_stage == "deleted":
                return False
            foreign = tags[SOURCE_TAG] != info.run_id
            if (foreign and finished) or (info.status != "FINISHED" and (foreign or (finished and _is_parent(run)))):
                return False
        if copy is None:
            tags = {SOURCE_TAG: info.run_id}
            copy = client.create_run(self._experiment, info.start_time, tags=tags, run_name=info.run_name)
            self._copies[info.run_id] = copy
        number = copy.info.run_id
        log_params_and_tags(client, copy, run.data.params, self._tags(run))
        points = [point for key in run.data.metrics for point in self._source.get_metric_history(info.run_id, key)]
        for start in range(0, len(points), MAX_METRICS):  # MLflow keeps a point of the same time and step once
            client.log_batch(number, metrics=points[start : start + MAX_METRICS])
        if info.artifact_uri and self._source.list_artifacts(info.run_id):
            client.log_artifacts(number, str(local_path(info.artifact_uri)))
        self._copy_models(run, number)
        if info.status == "RUNNING":  # of a study that has not ended
            client.update_run(number, status="RUNNING")
        else:
            client.set_terminated(number, info.status, info.end_time)
        client.set_tag(number, STATE_TAG, state)
        return True

    def _of_another_machine(self, run: "Run") -> "Run | None":
        """Copy from a machine that ran the same study: one parent for both, and one run per finished method."""
        same = self._known.get(_identity(run))
        return same if same and (_is_parent(run) or same.info.status == "FINISHED") else None

    def _tags(self, run: "Run") -> dict[str, str]:
        """Tags of the copy; those that name another run name its copy."""
        tags = {key: value for key, value in run.data.tags.items() if key not in (PROCESS_TAG, NOTE_TAG)}
        if PARENT_TAG in tags:
            tags[PARENT_TAG] = self._copies[tags[PARENT_TAG]].info.run_id
        if TRAINED_IN_TAG in tags:  # perhaps on another machine
            tags |= origin_tags(self._client, self._experiment, tags[WEIGHTS_TAG])
        return tags

    def _copy_models(self, run: "Run", number: str) -> None:
        from mlflow.entities import LoggedModelStatus

        models = self._source.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
        for model in models:
            if model.status != LoggedModelStatus.READY:
                continue
            known = self._client.search_logged_models([self._experiment], f"source_run_id = '{number}'")
            copy = next((found for found in known if found.tags.get(SOURCE_TAG) == model.model_id), None)
            copy = copy or self._client.create_logged_model(
                self._experiment,
                name=model.name,
                source_run_id=number,
                params=model.params,
                tags={**model.tags, SOURCE_TAG: model.model_id},
            )
            if copy.status != LoggedModelStatus.READY:
                self._client.log_model_artifacts(copy.model_id, str(local_path(model.artifact_location)))
                finish_model(self._client, number, copy.model_id)


def _identity(run: "Run") -> tuple[str | None, ...]:
    return tuple(run.data.tags.get(key) for key in ("study", "kind", "name"))


def _state(run: "Run") -> str:
    """Hash of all that is logged to a run, but its files; a run whose files change has a tag that does."""
    content = [run.info.status, run.info.end_time, run.data.params, run.data.tags, run.data.metrics]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _is_parent(run: "Run") -> bool:
    return PARENT_TAG not in run.data.tags


def _parents_first(run: "Run") -> tuple[bool, int]:
    return not _is_parent(run), run.info.start_time


def main(seconds: str = "") -> None:
    """Copy all runs, for at most this number of seconds; "" for no limit."""
    root = checkout()
    uri = target(root)
    if uri is None:
        return
    try:
        with open_database(root) as source:
            pass
        if seconds:
            # It may be ended at any moment, as a copy that was broken off is completed later.
            give_up = Timer(float(seconds), lambda: (os.write(2, b"it is slow"), os._exit(1)))
            give_up.daemon = True
            give_up.start()
        failed = copy_runs(source, root, uri).failed
    except Exception as error:  # whatever keeps the target from answering
        failed = [reason(error)]
    sys.stderr.writelines(failed[:1])
    sys.stderr.flush()
    os._exit(bool(failed))  # at once: Python takes most of a second to take MLflow down


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # MLflow's own, which PYTHONWARNINGS may make errors
    main(*sys.argv[1:])
