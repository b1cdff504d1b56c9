"""Train and evaluate methods in parallel, because `dvc repro` runs one stage at a time.

A training uses `networks.<network>.threads` threads and leaves the other cores idle. DVC allows several `dvc repro` in
one checkout: each holds DVC's lock while it reads or writes DVC's files, but not while a stage runs. DVC refuses to
check a stage while another process reads its outputs, so each process gets its own stages only (`--single-item`).
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from dvc.exceptions import DvcException
from dvc.repo import Repo

from bsn.errors import InputError
from bsn.model_format import BASELINES
from bsn.workers import cores
from experiments.commands import run_attached
from study.params import Params, load

# Stages whose outputs several methods read.
INPUTS = ("faces", "attributes", "mean_mask", "labels", "loss_weights", "pretrained")
# Without a traceback after Ctrl-C, which reaches every process of the terminal.
COMPILE_MATTING = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import pymatting"


def run_methods(root: Path) -> int:
    """Run the stages that methods share, then train and evaluate the changed methods in parallel.

    Does nothing where a GPU is, where the cores suffice for one training only, or where nothing has changed.

    Args:
        root: the project's folder.

    Returns:
        Exit status of the first `dvc repro` that failed, 0 if none did.
    """
    try:
        params = load(root)
    except InputError:  # the `dvc repro` that follows reports it
        return 0
    at_once = cores() // max(params.network(method).threads for method in params.methods.values())
    if at_once < 2 or not changed_stages(root) or has_gpu():
        return 0
    repro = (sys.executable, "-m", "dvc", "--wait-for-lock", "repro")
    with matting_compiled():
        if status := run_attached((*repro, *INPUTS), folder=root):
            return status
        changed = changed_stages(root)
        due = [stages for stages in stage_chains(params) if changed & set(stages)]
        return run_attached(*((*repro, "--single-item", *stages) for stages in due), folder=root, at_once=at_once)


@contextmanager
def matting_compiled() -> Iterator[psutil.Popen]:
    """Compile PyMatting in another process while the block runs, and end that process after it.

    PyMatting compiles itself at its first import in an environment. Otherwise the stage `figures` would wait a minute
    for it; the input stages use one core only.
    """
    with psutil.Popen((sys.executable, "-c", COMPILE_MATTING)) as process:
        try:
            yield process
        finally:
            with suppress(psutil.NoSuchProcess):  # finished long ago
                process.terminate()


def stage_chains(params: Params) -> list[list[str]]:
    """One list of stages per phase one, with the methods that continue it, then one per baseline; each in order."""
    chains: dict[str, list[str]] = {}
    for name, method in params.methods.items():
        chains.setdefault(method.base, [f"train_base@{method.base}"]).extend((f"train@{name}", f"evaluate@{name}"))
    # Baselines last, because they take seconds.
    return [*chains.values(), *([f"baselines@{name}", f"evaluate_baselines@{name}"] for name in BASELINES)]


def changed_stages(root: Path) -> set[str]:
    """Names of the changed stages; empty if DVC fails, because the `dvc repro` that follows reports the error."""
    with suppress(DvcException), Repo(str(root)) as repo:
        return set(repo.status("dvc.yaml"))
    return set()


def has_gpu() -> bool:
    """Whether torch sees a GPU, which one training fills."""
    import torch  # late: it takes a second to load

    return torch.cuda.is_available()
