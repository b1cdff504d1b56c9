"""Train and evaluate the methods side by side, because `dvc repro` runs one stage at a time.

A small network trains on few threads, so one training leaves cores idle. DVC allows several `dvc repro` in one
checkout: each holds DVC's lock while it reads or writes DVC's files, but not while a stage runs. It refuses to check a
stage whose outs another one reads, so each takes its own stages alone (`--single-item`).
"""

import sys
from contextlib import suppress
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from bsn.errors import InputError
from bsn.workers import cores
from experiments.commands import run_attached
from study.params import Params, load

BASELINES = ("graph_cut", "mean_mask")
# What several of them read.
INPUTS = ("faces", "attributes", "mean_mask", "labels", "loss_weights", "pretrained")


def run_methods(root: Path) -> int:
    """Run all stages up to the methods' evaluations if several are due and fit on this machine.

    Returns:
        Exit status of the first `dvc repro` that failed, 0 if none did.
    """
    try:
        params = load(root)
    except InputError:  # the `dvc repro` that follows reports it
        return 0
    at_once = cores() // max(params.network(method).threads for method in params.methods.values())
    if at_once < 2 or not _changed(root) or _has_gpu():
        return 0
    repro = (sys.executable, "-m", "dvc", "--wait-for-lock", "repro")
    if status := run_attached((*repro, *INPUTS), folder=root):
        return status
    changed = _changed(root)
    due = [stages for stages in stages_by_method(params) if changed & set(stages)]
    return run_attached(*((*repro, "--single-item", *stages) for stages in due), folder=root, at_once=at_once)


def stages_by_method(params: Params) -> list[list[str]]:
    """List, in order, the stages of each phase one with the methods that continue it, and of each baseline."""
    stages = {name: [f"baselines@{name}", f"evaluate_baselines@{name}"] for name in BASELINES}
    for name, method in params.methods.items():
        stages.setdefault(method.base, [f"train_base@{method.base}"]).extend((f"train@{name}", f"evaluate@{name}"))
    return list(reversed(stages.values()))  # the baselines, which take seconds, last


def _changed(root: Path) -> set[str]:
    """Names of the changed stages; none where DVC fails, which the `dvc repro` that follows reports."""
    with suppress(DvcException), Repo(str(root)) as repo:
        return set(repo.status("dvc.yaml"))
    return set()


def _has_gpu() -> bool:
    """Whether torch sees a GPU, which one training fills."""
    import torch  # late: it takes a second to load

    return torch.cuda.is_available()
