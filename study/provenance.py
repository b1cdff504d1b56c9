"""Where numbers come from: the machine, its software and the commit."""

import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bsn.workers import cores
from study.git import GitError, changed, head

PACKAGES = ("torch", "torchvision", "opencv-python", "numpy", "facenet-pytorch")


def environment() -> dict[str, str]:
    """What results may depend on beside code, parameters and data: machine, instruction set and packages, in words."""
    from bsn.training.launch import instructions

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

    None where git knows of no commit.
    """
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
