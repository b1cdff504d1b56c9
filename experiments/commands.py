"""Run `dvc` and other programs of this environment, captured or in this terminal; say in a few lines why one failed."""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

POLL_SECONDS = 0.2  # between checks for commands that have ended
GRACE_SECONDS = 10.0  # for commands to end after SIGINT
REASON_LINES = 6  # last lines of a failed command's output that are shown


def run(
    *command: str, folder: Path, environment: Mapping[str, str] | None = None, keep_open: Sequence[int] = ()
) -> str:
    """Run a command in which `python` is this interpreter.

    Args:
        command: the program and its arguments.
        folder: working directory.
        environment: variables added to those of this process.
        keep_open: file descriptors that the command inherits.

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


def run_attached(
    *commands: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None, at_once: int = 1
) -> int:
    """Run commands attached to this terminal; after a failure no further one starts.

    Running ones are waited for, also after Ctrl-C.

    Args:
        commands: each a program and its arguments.
        folder: working directory.
        variables: all of their environment variables; None for those of this process.
        at_once: largest number of commands that run in parallel.

    Returns:
        Exit status of the first command that failed, 128 plus the signal's number after a signal; 0 if none did.
    """
    running: list[psutil.Process] = []
    waiting, status = deque(commands), 0
    try:
        while running or (waiting and not status):
            while waiting and not status and len(running) < at_once:
                running.append(psutil.Popen(waiting.popleft(), cwd=folder, env=variables))
            ended, running = psutil.wait_procs(running, timeout=POLL_SECONDS)
            for process in ended:
                code = process.wait() or 0
                status = status or (code if code >= 0 else 128 - code)
    except KeyboardInterrupt:
        # Ctrl-C in a terminal has reached all of them; a signal for this process alone has not. Only to the children
        # of the commands: dvc ignores SIGINT while a stage runs, and breaks off with a traceback at a second one.
        # At once, because a stage counts a second signal within bsn.program.SAME_SIGNAL as the first.
        _send(signal.SIGINT, [child for process in running for child in _children(process)])
        _, running = psutil.wait_procs(running, timeout=GRACE_SECONDS)
        # What runs on was between two stages, or ignores SIGINT, as in the background of a script.
        _send(signal.SIGTERM, [one for process in running for one in (*_children(process), process)])
        psutil.wait_procs(running)
        raise
    return status


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _send(number: int, processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def failure(error: subprocess.CalledProcessError) -> str:
    """Return the last lines that a failed command wrote, without warnings; of a progress bar its last state."""
    lines = [line.split("\r")[-1].rstrip() for line in (error.stderr.strip() or error.stdout).split("\n")]
    shown = "\n".join([line for line in lines if line and not line.startswith("WARNING:")][-REASON_LINES:])
    return shown or f"{error.cmd[0]} ended with exit status {error.returncode} and no output"


def one_line(error: subprocess.CalledProcessError) -> str:
    """Return `failure` in one line."""
    return " ".join(failure(error).split())
