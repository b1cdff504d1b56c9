"""Commands as this environment has them, `dvc` above all."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

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
        encoding="utf-8",
        errors="replace",
        check=True,
        pass_fds=keep_open,
    )
    return done.stdout


def attend(*command: str, folder: Path, environment: Mapping[str, str]) -> int:
    """Exit status of a command that writes to this terminal; one that is interrupted is waited for.

    environment: all of its variables.
    """
    process = subprocess.Popen(command, cwd=folder, env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt:
        # A terminal's Ctrl-C has reached it as well, a signal for this process alone has not.
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.send_signal(signal.SIGINT)
        process.wait()
        raise


def dvc(*arguments: str, folder: Path) -> str:
    return run(sys.executable, "-m", "dvc", *arguments, folder=folder)


def why(error: subprocess.CalledProcessError) -> str:
    """The last lines that a failed command wrote, warnings left out; of a bar that redraws its line, the last state."""
    lines = [line.split("\r")[-1].rstrip() for line in (error.stderr.strip() or error.stdout).split("\n")]
    told = "\n".join([line for line in lines if line and not line.startswith("WARNING:")][-LAST:])
    return told or f"{error.cmd[0]} ended with exit status {error.returncode} and said nothing"


def one_line(error: subprocess.CalledProcessError) -> str:
    return " ".join(why(error).split())
