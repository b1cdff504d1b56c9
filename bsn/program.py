"""Run a command so that bad input, a full disk, Ctrl-C and SIGTERM end it with one line and no traceback.

program.begin()                     # in the command's package, before it imports anything slow
program.run(main, name="segment")   # at the end of its module; exits
"""

import io
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from bsn.errors import InputError

SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended by SIGTERM"}
AGAIN = "run the same command again"
RETRY_AFTER = 0.05  # seconds until an interrupt that was put off is tried again
SAME_SIGNAL = 1.0  # seconds within which a second signal counts as the first one sent twice
_POOL = os.path.join("concurrent", "futures", "process.py")  # its `submit` starts a pool's processes


class _Process:
    """State of this process.

    Attributes:
        owner: its id, 0 before `begin`.
        name: of the command, for messages.
        again: advice after a signal.
        running: whether `run` is unwinding exceptions.
        received: first signal received.
        since: when, in seconds of time.monotonic().
    """

    owner = 0
    name, again = "", AGAIN
    running = False
    received: int | None = None
    since = 0.0


def begin(name: str = "") -> None:
    """From here on, a signal ends this process with one line.

    Args:
        name: of the command; by default that of the module run by `python -m`. Without a name nothing is done in a
            process that `python -m` did not start, such as a test's or a notebook's.
    """
    if not name:
        # Python sets argv[0] to "-m" while it imports the packages around the module.
        if sys.argv[0] != "-m":
            return
        name = sys.orig_argv[sys.orig_argv.index("-m") + 1].rpartition(".")[2]
    _Process.owner, _Process.name = os.getpid(), name
    for number in SIGNALS:
        # Leave a signal ignored that was ignored at the start: by nohup, or by a shell for background jobs.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _receive)
    signal.signal(signal.SIGALRM, _interrupt)


def run(command: Callable[[], int | None], *, name: str, again: str = AGAIN) -> NoReturn:
    """Call `command` and exit with its status.

    A signal unwinds the command as Ctrl-C does; a second one exits at once.

    Args:
        command: returns the exit status, None for 0. InputError and a full disk give 1, a signal 128 plus its number.
        name: of the command, in front of the line.
        again: advice after a signal.
    """
    # A table or a file name may hold characters that the terminal's encoding lacks.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    _Process.name, _Process.again, _Process.running = name, again, True
    try:
        sys.exit(command())
    except BaseException as error:
        ending = _ending(error)
        if ending is None:
            raise
    finally:
        _Process.running = False
    # Only now: the exception's frames hold progress bars, which end their line when they are freed.
    line, status = ending
    sys.stderr.write(line)
    sys.exit(status)


def _ending(error: BaseException) -> tuple[str, int] | None:
    """Line and exit status; None for an error that neither the user nor a signal caused."""
    # Any error after a signal is a consequence, such as the end of a worker process.
    if _Process.received or isinstance(error, KeyboardInterrupt):
        number = _Process.received or signal.SIGINT
        return _farewell(number), 128 + number
    if isinstance(error, InputError):
        return f"{_Process.name}: {error}\n", 1
    from bsn.disk import FULL  # late: it loads OpenCV

    if isinstance(error, OSError) and error.errno in FULL:
        place = error.filename or os.getcwd()
        return f"{_Process.name}: the disk of {place} is full; free some space and run the same command again\n", 1
    return None


def _receive(number: int, frame: FrameType | None) -> None:
    if os.getpid() != _Process.owner:  # a forked child, which its parent ends
        if number == signal.SIGTERM:
            os._exit(128 + number)
        return
    if _Process.received is None:
        _Process.received, _Process.since = number, time.monotonic()
        if _Process.running:
            _interrupt(number, frame)
            return
    elif time.monotonic() - _Process.since < SAME_SIGNAL:
        return
    # Not by print: the signal may have interrupted one.
    os.write(2, _farewell(number).encode())
    os._exit(128 + number)


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, but not during an import or while a pool starts its processes.

    A compiled module that is being loaded turns it into an ImportError. Half-started processes fail with tracebacks of
    their own.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_filename == "<frozen importlib._bootstrap>" or (
            code.co_name == "submit" and code.co_filename.endswith(_POOL)
        ):
            signal.setitimer(signal.ITIMER_REAL, RETRY_AFTER)
            return
        frame = frame.f_back
    if _Process.running:
        raise KeyboardInterrupt


def _farewell(number: int) -> str:
    """The line after a signal; empty in all but the first of several processes started together."""
    if any(os.environ.get(rank, "0") != "0" for rank in ("RANK", "SLURM_PROCID")):
        return ""
    return f"{_Process.name}: {SIGNALS[signal.Signals(number)]}; {_Process.again}\n"
