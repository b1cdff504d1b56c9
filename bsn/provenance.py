"""Where numbers come from: the machine, its software and the commit."""

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bsn.workers import cores

PACKAGES = ("torch", "torchvision", "opencv-python", "numpy", "facenet-pytorch")


def environment() -> dict[str, str]:
    """What results may depend on beside code, parameters and data: machine, instruction set and packages, in words."""
    from bsn.training.determinism import instructions

    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return {"machine": machine(), "instructions": instructions(), "packages": packages}


def machine() -> str:
    """`2 cores of Intel(R) Xeon(R) Platinum 8481C, no GPU`, or with the GPU's name."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    number = cores()
    return f"{number} core{'s' if number > 1 else ''} of {_processor()}, {gpu}"


def commit(root: Path, paths: Sequence[str]) -> str | None:
    """The commit that `root` is at, ten digits; "with changes" where tracked files of `paths` differ from it.

    None where there is no git to ask.
    """
    head = _git(root, "rev-parse", "--short=10", "HEAD")
    if not head:
        return None
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *paths)
    return f"{head} with changes" if changes else head


def head(root: Path) -> str | None:
    """The commit that `root` is at, all forty digits. None where there is no git to ask."""
    return _git(root, "rev-parse", "HEAD")


def edits(root: Path, paths: Sequence[str]) -> str:
    """Ten digits of what tracked files of `paths` have beyond the commit, "" where that is nothing."""
    difference = _git(root, "diff", "HEAD", "--", *paths)
    return hashlib.sha256(difference.encode()).hexdigest()[:10] if difference else ""


def _git(root: Path, *arguments: str) -> str | None:
    # What git itself sets for a hook would make it look at another repository.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        asked = subprocess.run(
            ["git", *arguments], cwd=root, env=environment, capture_output=True, encoding="utf-8", check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return asked.stdout.strip()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    named = (
        re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text("utf-8"), re.MULTILINE) if cpuinfo.exists() else None
    )
    return named[1].strip() if named else platform.processor() or platform.machine()
