"""Where numbers come from: machine, packages and commit, and the seconds per photo measured on this machine."""

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from bsn.environment import instructions
from bsn.workers import cores
from study.git import GitError, changed, edits, head

# Files that determine the numbers: code, parameters, addresses, and the user's labels.
SOURCES = ("bsn", "study", "drawn", "stages", "profiles", "params.yaml", "dvc.yaml", "sources.yaml", "attributes")
PACKAGES = ("torch", "torchvision", "opencv-python", "numpy", "facenet-pytorch")
# One file per method, ignored by git and DVC: times vary between runs, so they cannot be outs of a stage.
TIMINGS = Path("timings")


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


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Time of one method on this machine.

    Attributes:
        seconds: per photo, by set; empty where it was not measured.
        environment: `study.provenance.environment` of the measurement.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def write_timing(method: str, seconds: Mapping[str, float], *, profile: str, weights: str | None) -> None:
    """Write timings/<method>.json: seconds per photo by set, and the environment they were measured in.

    Args:
        method: its name.
        seconds: per photo, by set.
        profile: of the study.
        weights: fingerprint of the method's weights, None for a baseline.
    """
    made = {"profile": profile, **environment(), "commit": commit(Path(), SOURCES) or "unknown"}
    TIMINGS.mkdir(exist_ok=True)
    content = {"method": method, "weights": weights, "made": made, "seconds": seconds}
    (TIMINGS / f"{method}.json").write_text(json.dumps(content) + "\n")


def read_timing(folder: Path, method: str, *, profile: str, weights: str | None) -> Timing:
    """Time of a method with these weights in this profile, from the project in `folder`; empty without one."""
    file = folder / TIMINGS / f"{method}.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    if not found or (found["made"]["profile"], found.get("weights")) != (profile, weights):
        return Timing()
    made = {key: value for key, value in found["made"].items() if key not in ("profile", "commit")}
    return Timing(seconds=found["seconds"], environment=made)
