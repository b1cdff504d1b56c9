"""Commands as this environment has them, `dvc` above all."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

LAST = 6  # lines of a failure that tell why


def run(
    *command: str, folder: Path, environment: Mapping[str, str] | None = None, keep_open: Sequence[int] = ()
) -> str:
    """Standard output of a command that worked; CalledProcessError, with both streams, of one that did not.

    Stages find this interpreter as `python`. environment: beside this process's own; keep_open: file descriptors that
    the command inherits.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **(environment or {})},
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
        pass_fds=keep_open,
    )
    return done.stdout


def dvc(*arguments: str, folder: Path) -> str:
    return run(sys.executable, "-m", "dvc", *arguments, folder=folder)


def why(error: subprocess.CalledProcessError) -> str:
    """The last lines that a failed command wrote, warnings left out; of a bar that redraws its line, the last state."""
    lines = [line.split("\r")[-1].rstrip() for line in (error.stderr.strip() or error.stdout).split("\n")]
    told = "\n".join([line for line in lines if line and not line.startswith("WARNING:")][-LAST:])
    return told or f"{error.cmd[0]} ended with exit status {error.returncode} and said nothing"


def one_line(error: subprocess.CalledProcessError) -> str:
    return " ".join(why(error).split())
