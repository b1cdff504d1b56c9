"""Which MLflow run a stage logs to: the study, the commit, the parameters and the tags.

A study is one run of the pipeline: a DVC experiment, or `dvc repro` of one state of code and parameters. Interrupted
and started again it is the same study. Under its run there is one child run per method.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import yaml

from study.params import Params
from study.provenance import Origin, environment

EXPERIMENT_TAG = "dvc.experiment"


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run, known by (study, kind, name); starting it again continues it.

    Attributes:
        experiment: MLflow's experiment, `bsn-<profile>`.
        study: key of the study, shared by all of its runs.
        kind: "study", "method", "trials" or "trial".
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
    """Run of one trial; params: of the study; tried: those of the trial."""
    trials = study_run(params, Origin.here(), kind="trials")
    return trials.child("trial", name, tags=environment(), params=tried.flat())


def _data_versions(lock: Path) -> dict[str, str]:
    """`{"data.pfcn": <md5>, ...}`: DVC's hash of each data set that the lock has."""
    # The C loader: the Python one takes a quarter of a second for a lock of this size, in every tracked stage.
    stages = yaml.load(lock.read_text("utf-8"), Loader=yaml.CSafeLoader)["stages"] if lock.exists() else {}
    known = (name.partition("@") for name in stages)
    return {f"data.{key}": stages[f"{name}@{key}"]["outs"][0]["md5"] for name, _, key in known if name == "download"}
