"""One journal on its way into MLflow.

Every line can be sent again without being there twice: a run is looked up by what it is before it is made, MLflow keeps
a parameter, a tag and a metric of the same time and step once, a file by its name, and a model carries its line.
"""

import fcntl
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from study.tracking.card import WEIGHTS_TAG
from study.tracking.journal import LINES, writer_lives

TRAINED_IN_TAG = "trained_in"
_NOTE_TAG = "mlflow.note.content"
_JOURNAL_TAG = "journal"  # that has made a run; and the line that has made a model
# MLflow's pages for training, in place of those for chat.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_MAX_VALUE = 500  # characters of a parameter that every backend takes
_MAX_BATCH = 100  # parameters or tags that MLflow takes at once
_MAX_METRICS = 1000


@dataclass
class _Progress:
    """How far a journal was sent. offset: bytes of it. model: URI of the one that was logged."""

    offset: int = 0
    run: str = ""
    skip: bool = False
    model: str | None = None


class Delivery:
    """The journal in `folder`."""

    def __init__(self, folder: Path, client: MlflowClient) -> None:
        self.folder = folder
        self.finished = False
        self._client = client
        self._state = folder / "sent.json"
        self._progress = (
            _Progress(**json.loads(self._state.read_text("utf-8"))) if self._state.exists() else _Progress()
        )

    @property
    def model(self) -> str | None:
        """URI of the model that was logged, if one was."""
        return self._progress.model

    def advance(self) -> None:
        """Send what is new, and end the run whose writer has died; `finished` when nothing more is to come.

        Raises whatever MLflow raises; what was sent until then is remembered.
        """
        lives = writer_lives(self.folder)  # asked before reading: what is written after is read the next time
        for line, end in self._new_lines():
            self._send(line)
            self._remember(end)
            self.finished = line["op"] == "close"
        if not lives and not self.finished:
            self._close({"status": "KILLED", "time": None})
            self.finished = True

    def _new_lines(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Lines with the offset after each; metrics that follow each other are one line."""
        with (self.folder / LINES).open("rb") as stream:
            stream.seek(self._progress.offset)
            offset, gathered = self._progress.offset, []
            for raw in stream:
                if not raw.endswith(b"\n"):
                    break
                line = json.loads(raw)
                if line["op"] != "metrics" and gathered:
                    yield {"op": "points", "points": gathered}, offset
                    gathered = []
                offset += len(raw)
                if line["op"] == "metrics":
                    gathered.append(line)
                else:
                    yield line, offset
            if gathered:
                yield {"op": "points", "points": gathered}, offset

    def _send(self, line: dict[str, Any]) -> None:
        if line["op"] == "open":
            self._open(line)
        elif not self._progress.skip:
            {
                "points": self._points,
                "tags": self._tags,
                "artifact": self._artifact,
                "model": self._model,
                "close": self._close,
            }[line["op"]](line)

    def _remember(self, offset: int) -> None:
        self._progress.offset = offset
        partial = self._state.with_suffix(".partial")
        partial.write_text(json.dumps(vars(self._progress)), "utf-8")
        partial.replace(self._state)

    def _open(self, line: dict[str, Any]) -> None:
        card, experiment = line["card"], _experiment(self._client, line["store"], self.folder.parent)
        with _one_at_a_time(self.folder.parent):
            parent = self._parent(experiment, card["parent"], line["time"]) if card["parent"] else None
            found = self._found(experiment, card)
            run = found or self._make(experiment, card, line["time"])
        self._progress.run = run.info.run_id
        # One that this journal has made, though the answer was lost, is its own.
        others = found is not None and found.data.tags.get(_JOURNAL_TAG) != self.folder.name
        self._progress.skip = line["only_if_absent"] and others
        if self._progress.skip:
            return
        tags = {MLFLOW_PARENT_RUN_ID: parent} if parent else {}
        if card["weights"]:
            tags |= {WEIGHTS_TAG: card["weights"], **self._origin(experiment, card["weights"], run.info.run_id)}
        self._describe(run, card, tags)
        self._client.update_run(run.info.run_id, status="RUNNING")

    def _parent(self, experiment: str, card: dict[str, Any], time: int) -> str:
        found = self._found(experiment, card)
        if found is None:
            found = self._make(experiment, card, time)
            self._describe(found, card, {})
        elif found.info.status == "FAILED":  # one of its runs has failed, and another tries again
            self._client.update_run(found.info.run_id, status="RUNNING")
        return found.info.run_id

    def _make(self, experiment: str, card: dict[str, Any], time: int) -> Run:
        tags = {**_identity(card), _JOURNAL_TAG: self.folder.name}
        return self._client.create_run(experiment, run_name=card["name"], start_time=time, tags=tags)

    def _describe(self, run: Run, card: dict[str, Any], more_tags: dict[str, str]) -> None:
        """Parameters and tags. MLflow refuses a second value of a parameter: the first one stays."""
        notes = [RunTag(key, str(value)) for key, value in {**card["tags"], **more_tags}.items()]
        new = [
            Param(key, str(value)[:_MAX_VALUE]) for key, value in card["params"].items() if key not in run.data.params
        ]
        for start in range(0, max(len(new), len(notes)), _MAX_BATCH):
            part = slice(start, start + _MAX_BATCH)
            self._client.log_batch(run.info.run_id, params=new[part], tags=notes[part])

    def _found(self, experiment: str, card: dict[str, Any]) -> Run | None:
        wanted = " and ".join(f"tags.{key} = '{value}'" for key, value in _identity(card).items())
        return next(iter(self._client.search_runs([experiment], wanted, max_results=1)), None)

    def _origin(self, experiment: str, weights: str, run: str) -> dict[str, str]:
        """Tags that name the run that trained the weights, when it is another one."""
        runs = self._client.search_runs([experiment], f"tags.{WEIGHTS_TAG} = '{weights}'", order_by=["start_time ASC"])
        trained = [found for found in runs if TRAINED_IN_TAG not in found.data.tags and found.info.run_id != run]
        if not trained:
            return {}
        info = trained[0].info
        link = f"#/experiments/{info.experiment_id}/runs/{info.run_id}"
        note = f"Nothing was trained here: DVC had these weights. [The run that trained them]({link}) has their curves."
        return {TRAINED_IN_TAG: info.run_id, _NOTE_TAG: note}

    def _points(self, line: dict[str, Any]) -> None:
        metrics = [
            Metric(key, float(value), point["time"], point["step"])
            for point in line["points"]
            for key, value in point["values"].items()
        ]
        for start in range(0, len(metrics), _MAX_METRICS):
            self._client.log_batch(self._progress.run, metrics=metrics[start : start + _MAX_METRICS])

    def _tags(self, line: dict[str, Any]) -> None:
        self._client.log_batch(self._progress.run, tags=[RunTag(key, value) for key, value in line["tags"].items()])

    def _artifact(self, line: dict[str, Any]) -> None:
        path = self.folder / line["file"]
        log = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        log(self._progress.run, str(path), line["folder"])

    def _model(self, line: dict[str, Any]) -> None:
        from study.serving.package import save_model

        run = self._client.get_run(self._progress.run)
        mark = f"{self.folder.name}/{line['method']}"
        known = self._client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
        logged = next((model for model in known if model.tags.get(_JOURNAL_TAG) == mark), None)
        if logged is None or logged.status != LoggedModelStatus.READY:
            method = self.folder / line["method"]
            with tempfile.TemporaryDirectory() as work:
                # Made first: MLflow hears of no model that could not be made.
                package = Path(work) / "model"
                mean_mask = self.folder / line["mean_mask"]
                save_model(package, method, aligned_mean_mask=mean_mask, run=run.info.run_id)
                logged = logged or self._client.create_logged_model(
                    run.info.experiment_id,
                    name=method.name,
                    source_run_id=run.info.run_id,
                    params=run.data.params,
                    tags={_JOURNAL_TAG: mark},
                )
                self._client.log_model_artifacts(logged.model_id, str(package))
            self._client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
        if logged.model_id not in [output.model_id for output in run.outputs.model_outputs]:
            self._client.log_outputs(run.info.run_id, [LoggedModelOutput(logged.model_id, step=0)])
        self._progress.model = logged.model_uri

    def _close(self, line: dict[str, Any]) -> None:
        if not self._progress.run or self._progress.skip:
            return
        self._client.set_terminated(self._progress.run, line["status"], line["time"])
        parent = self._client.get_run(self._progress.run).data.tags.get(MLFLOW_PARENT_RUN_ID)
        if parent and line["status"] != "FINISHED":
            self._client.set_terminated(parent, "FAILED", line["time"])


def _identity(card: dict[str, Any]) -> dict[str, str]:
    return {key: card[key] for key in ("study", "kind", "name")}


def _experiment(client: MlflowClient, store: dict[str, Any], outbox: Path) -> str:
    found = client.get_experiment_by_name(store["experiment"])
    if found is not None:
        return found.experiment_id
    # By a path from the outbox, as the project may have been moved since the run began.
    location = (outbox / store["artifacts"]).resolve().as_uri() if store["artifacts"] else None
    try:
        return client.create_experiment(store["experiment"], artifact_location=location, tags=_EXPERIMENT_TAGS)
    except MlflowException:
        # Another process was faster; or else this asks again, and says why it can't be.
        found = client.get_experiment_by_name(store["experiment"])
        if found is None:
            raise
        return found.experiment_id


@contextmanager
def _one_at_a_time(outbox: Path) -> Iterator[None]:
    """Between looking for a run and making it, nobody else makes it."""
    with (outbox / ".making").open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
