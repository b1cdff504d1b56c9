"""Run `dvc` and other programs of this environment, captured or in this terminal; say in a few lines why one failed."""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

POLL = 0.2  # seconds between looks at running commands
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


def run_attached(
    *commands: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, at_once: int = 1
) -> int:
    """Run commands that write to this terminal. After Ctrl-C, wait for them to end.

    Args:
        commands: Each a program and its arguments. After the first that fails, no further one starts.
        folder: Working directory.
        environment: All of their variables; None for those of this process.
        at_once: Number of commands that run side by side.

    Returns:
        Exit status of the first command that failed, 0 if none did.
    """
    waiting, running, status = deque(commands), list[psutil.Process](), 0
    try:
        while running or (waiting and not status):
            while waiting and not status and len(running) < at_once:
                running.append(psutil.Popen(waiting.popleft(), cwd=folder, env=environment))
            ended, running = psutil.wait_procs(running, timeout=POLL)
            status = next((code for code in (status, *(process.wait() for process in ended)) if code), 0)
    except KeyboardInterrupt:
        # Ctrl-C in a terminal has reached the commands as well; a signal for this process alone has not.
        _, running = psutil.wait_procs(running, timeout=1)
        for process in running:
            for child in process.children(recursive=True):
                child.send_signal(signal.SIGINT)
        psutil.wait_procs(running)
        raise
    return status


def failure(error: subprocess.CalledProcessError) -> str:
    """Return the last lines that a failed command wrote, without warnings; of a progress bar its last state."""
    lines = [line.split("\r")[-1].rstrip() for line in (error.stderr.strip() or error.stdout).split("\n")]
    shown = "\n".join([line for line in lines if line and not line.startswith("WARNING:")][-REASON_LINES:])
    return shown or f"{error.cmd[0]} ended with exit status {error.returncode} and no output"


def one_line(error: subprocess.CalledProcessError) -> str:
    """Return `failure` in one line."""
    return " ".join(failure(error).split())
