"""Run `dvc` and other programs of this environment, and say in a few lines why one failed."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

REASON_LINES = 6  # last lines of a failed command's output that are shown


def run(
    *command: str, folder: Path, environment: Mapping[str, str] | None = None, keep_open: Sequence[int] = ()
) -> str:
    """Run a command in which `python` is this interpreter.

    Args:
        command: The program and its arguments.
        folder: Working directory.
        environment: Variables added to those of this process.
        keep_open: File descriptors that the command inherits.

    Returns:
        Its standard output.

    Raises:
        subprocess.CalledProcessError: The command failed; the error holds both output streams.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **(environment or {})},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=True,
        pass_fds=keep_open,
    ).stdout


def dvc(*arguments: str, folder: Path) -> str:
    """Run a DVC command and return its standard output; errors as for `run`."""
    return run(sys.executable, "-m", "dvc", *arguments, folder=folder)


def failure(error: subprocess.CalledProcessError) -> str:
    """Return the last lines that a failed command wrote, without warnings; of a progress bar its last state."""
    lines = [line.split("\r")[-1].rstrip() for line in (error.stderr.strip() or error.stdout).split("\n")]
    shown = "\n".join([line for line in lines if line and not line.startswith("WARNING:")][-REASON_LINES:])
    return shown or f"{error.cmd[0]} ended with exit status {error.returncode} and no output"


def one_line(error: subprocess.CalledProcessError) -> str:
    """Return `failure` in one line."""
    return " ".join(failure(error).split())
