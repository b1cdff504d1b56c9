"""What the stages tell MLflow about where they run: a run a method, under one of the whole study.

The experiment is named after the project and the profile. A study is one run of the pipeline: a DVC experiment, or
`dvc repro` of one state of code and parameters; broken off and started again it is the same study.
"""

import hashlib
import json
import os
import sqlite3
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from study.git import GitError, edits, head
from study.params import Params
from study.provenance import environment
from study.runner import checkout
from study.tracking import Card, Run, Store, flush, post, tracked_run
from study.tracking.relocation import database_uri, follow_folder

# What a commit must hold unchanged for it to be the source of the numbers.
SOURCES = ("bsn", "study", "drawn", "stages", "profiles", "params.yaml", "dvc.yaml", "sources.yaml", "attributes")
EXPERIMENT_TAG = "dvc.experiment"
_DATA = "download@"  # stages whose outputs are the data


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Which state of the project runs. experiment: DVC's name of it, "" outside of one. commit: that it starts from.
    edits: ten digits of what the code in the checkout has beyond the commit, "" where that is nothing or DVC's own."""

    experiment: str
    commit: str
    edits: str = ""

    @classmethod
    def here(cls) -> "Origin":
        """That of this process: DVC tells a stage of an experiment."""
        experiment = os.environ.get("DVC_EXP_NAME", "")
        if experiment:
            return cls(experiment=experiment, commit=os.environ["DVC_EXP_BASELINE_REV"])
        try:
            return cls(experiment="", commit=head(Path()), edits=edits(Path(), SOURCES))
        except GitError:  # without a commit it is known by its parameters alone
            return cls(experiment="", commit="")

    @property
    def title(self) -> str:
        """What people call it."""
        return self.experiment or f"repro {self.commit[:10] or 'without a commit'}{' with edits' if self.edits else ''}"


def store(profile: str) -> Store:
    """MLFLOW_TRACKING_URI, or mlflow.db beside dvc.yaml, which is first told of it when the folder was moved."""
    root = checkout()
    try:
        follow_folder(root)
    except sqlite3.Error as error:
        warnings.warn(f"{root / 'mlflow.db'} may name artifacts of another folder than this ({error})", stacklevel=2)
    uri = os.environ.get("MLFLOW_TRACKING_URI") or database_uri(root / "mlflow.db")
    served = uri.startswith(("http:", "https:"))
    return Store(
        uri=uri, experiment=f"bsn-{profile}", outbox=root / "outbox", artifacts=None if served else root / "mlartifacts"
    )


def study(params: Params, origin: Origin, *, folder: Path = Path(), kind: str = "study") -> Card:
    """The run of a whole study. folder: where its dvc.lock lies. kind: "study", or "trials" for those beside it."""
    state = hashlib.sha256(json.dumps(params.flat(), sort_keys=True).encode()).hexdigest()
    key = "/".join(part for part in (origin.commit[:10], origin.edits, origin.experiment, state[:10]) if part)
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
    name = origin.title if kind == "study" else kind
    return Card(study=key, kind=kind, name=name, params=params.flat(), tags=tags)


def part(
    whole: Card, name: str, *, kind: str = "method", params: Params | None = None, weights: str | None = None
) -> Card:
    """A run under the study's. params: where they are not the study's own."""
    own = {"params": params.flat() if params else whole.params, "tags": whole.tags}
    return Card(study=whole.study, kind=kind, name=name, parent=whole, weights=weights, **own)


def track(params: Params, name: str) -> AbstractContextManager[Run]:
    """The run of one method in the study of this process, while it is trained."""
    return tracked_run(store(params.profile), _here(part(study(params, Origin.here()), name)))


def tell(
    params: Params,
    name: str,
    *,
    weights: str | None,
    metrics: Mapping[str, float],
    artifacts: Mapping[Path, str | None],
) -> None:
    """Add an evaluation to the run of its method. weights: their fingerprint; by it the run that trained them is found.

    Nobody waits for it: the next stage that trains sends it, or the one that records the study.
    """
    card = _here(part(study(params, Origin.here()), name, weights=weights))
    post(store(params.profile), card, metrics=metrics, artifacts=artifacts)


def track_trial(params: Params, tried: Params, name: str) -> AbstractContextManager[Run]:
    """The run of one trial (trials/dvc.yaml). params: of the study; tried: those of the trial."""
    card = part(study(params, Origin.here(), kind="trials"), name, kind="trial", params=tried)
    return tracked_run(store(params.profile), _here(card))


def tell_trials(params: Params, *tables: Path) -> None:
    """Add a report to the run that those of the trials hang under."""
    place = store(params.profile)
    post(place, study(params, Origin.here(), kind="trials"), metrics={}, artifacts=dict.fromkeys(tables, "tables"))
    flush(place)


def _here(card: Card) -> Card:
    """Add the tags of this machine, for a run that works on it."""
    return replace(card, tags={**card.tags, **environment()})


def _data_versions(lock: Path) -> dict[str, str]:
    """`{"data.pfcn": <md5>, ...}`: DVC's name for the data of each set, as far as the lock has them."""
    # In C: in Python a lock of this size takes a quarter of a second, of every tracked stage.
    stages = yaml.load(lock.read_text("utf-8"), Loader=yaml.CSafeLoader)["stages"] if lock.exists() else {}
    known = ((name.removeprefix(_DATA), stage) for name, stage in stages.items() if name.startswith(_DATA))
    return {f"data.{name}": stage["outs"][0]["md5"] for name, stage in known}
