"""Where numbers come from: machine, packages and commit."""

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bsn.workers import cores
from study.git import GitError, changed, edits, head

# Files that determine the numbers: code, parameters, addresses, and the user's labels.
SOURCES = ("bsn", "study", "drawn", "stages", "profiles", "params.yaml", "dvc.yaml", "sources.yaml", "attributes")
# One file per method evaluated on this machine, which git and DVC ignore: times differ from run to run, so that no out
# of a stage may hold them.
TIMINGS = Path("timings")
PACKAGES = ("torch", "torchvision", "opencv-python", "numpy", "facenet-pytorch")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """State of the code: experiment, commit and uncommitted changes.

    Attributes:
        experiment: name of the DVC experiment, "" for a plain `dvc repro`.
        commit: the commit, or the one that the experiment starts from; "" without git.
        edits: hash, ten digits, of uncommitted changes to SOURCES; "" without any, and in DVC's experiments.
    """

    experiment: str
    commit: str
    edits: str = ""

    @classmethod
    def here(cls) -> "Origin":
        """Origin of this process; DVC sets variables for the stages of an experiment."""
        experiment = os.environ.get("DVC_EXP_NAME", "")
        if experiment:
            return cls(experiment=experiment, commit=os.environ["DVC_EXP_BASELINE_REV"])
        try:
            return cls(experiment="", commit=head(Path()), edits=edits(Path(), SOURCES))
        except GitError:
            return cls(experiment="", commit="")

    @property
    def title(self) -> str:
        """Name of the study's run."""
        return self.experiment or f"repro {self.commit[:10] or 'without a commit'}{' with edits' if self.edits else ''}"


def environment() -> dict[str, str]:
    """Machine, instruction set and package versions: what results depend on beside code, parameters and data."""
    from bsn.training.launch import instructions  # late for start-up time: it loads torch

    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return {"machine": machine(), "instructions": instructions(), "packages": packages}


def machine() -> str:
    """`2 cores of Intel(R) Xeon(R) Platinum 8481C, no GPU`, or with the GPU's name."""
    import torch  # late for start-up time

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    number = cores()
    return f"{number} core{'s' if number > 1 else ''} of {_processor()}, {gpu}"


def commit(root: Path, paths: Sequence[str]) -> str | None:
    """Commit of `root`, ten digits, and "with changes" if tracked files of `paths` differ from it; None without one."""
    try:
        found = head(root)[:10]
        return f"{found} with changes" if changed(root, paths) else found
    except GitError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    named = (
        re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text("utf-8"), re.MULTILINE) if cpuinfo.exists() else None
    )
    return named[1].strip() if named else platform.processor() or platform.machine()
