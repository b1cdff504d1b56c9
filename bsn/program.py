"""Run a command so that invalid input, a full disk, Ctrl-C, SIGTERM and a closed pipe end it without a traceback.

program.begin()                     # in the command's package, before it imports anything slow
program.run(main, name="segment")   # at the end of its module; exits
"""

import io
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import NoReturn

from bsn.errors import InputError

SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended by SIGTERM"}
AGAIN = "run the same command again"
RETRY_AFTER = 0.05  # seconds until a postponed interrupt is tried again
SAME_SIGNAL = 1.0  # seconds within which a second signal counts as the first one sent twice
_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")  # options of Python whose value is the next argument
_POOL = os.path.join("concurrent", "futures", "process.py")  # its `submit` starts a pool's processes


class _Process:
    """Signal handling state; signal handlers cannot take arguments.

    Attributes:
        owner: id of the process that called `begin`, 0 before; forked children inherit it.
        name: of the command, for messages.
        again: advice after a signal.
        running: whether `run` would catch a KeyboardInterrupt now.
        received: first signal received.
        since: time of the first signal, seconds of time.monotonic().
    """

    owner = 0
    name, again = "", AGAIN
    running = False
    received: int | None = None
    since = 0.0


def begin(name: str = "") -> None:
    """Install signal handlers, so that SIGINT and SIGTERM end this process with one line.

    Args:
        name: of the command; by default that of the module run by `python -m`. Without a name, and in a process that
            `python -m` did not start, such as a test or a notebook, no handler is installed.
    """
    if not name:
        # Python sets argv[0] to "-m" while it imports the packages around the module.
        if sys.argv[0] != "-m":
            return
        name = _module(sys.orig_argv[1:]).rpartition(".")[2]
    _Process.owner, _Process.name = os.getpid(), name
    for number in SIGNALS:
        # Signals ignored at the start, by nohup or by a shell for background jobs, stay ignored.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _receive)
    signal.signal(signal.SIGALRM, _interrupt)


def _module(arguments: Iterable[str]) -> str:
    """The module that Python's own arguments name: `-m a.b`, `-ma.b`, `-um a.b`, `-W error -m a.b`."""
    arguments = iter(arguments)
    for argument in arguments:
        flags, is_module, name = argument.partition("m")
        if argument in _WITH_VALUE:
            next(arguments)
        elif is_module and flags[:1] == "-" and not set(flags) & {"X", "W"} and flags[:2] != "--":
            return name or next(arguments, "")
    return ""


def run(command: Callable[[], int | None], *, name: str, again: str = AGAIN) -> NoReturn:
    """Call `command` and exit.

    The first signal raises KeyboardInterrupt in the command; a second one exits at once. Exit status: the command's;
    1 after an InputError or on a full disk; 128 plus the signal's number after a signal; 128 plus SIGPIPE, without a
    message, if the reader of stdout (such as `head`) has exited.

    Args:
        command: returns the exit status, None for 0.
        name: of the command, the prefix of error messages.
        again: advice after a signal.
    """
    # A table or a file name may hold characters that the terminal's encoding lacks.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    _Process.name, _Process.again, _Process.running = name, again, True
    try:
        status = command()
        if sys.stdout:  # None where the terminal or `>&-` has closed it
            sys.stdout.flush()
        sys.exit(status)
    except BaseException as error:
        ending = _message_and_status(error)
        if ending is None:
            raise
    finally:
        _Process.running = False
    # Printed only now, because the exception's frames hold progress bars, which end their line when they are freed.
    line, status = ending
    if not line:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that Python's flush at exit does not fail as well
    sys.stderr.write(line)
    sys.exit(status)


def _message_and_status(error: BaseException) -> tuple[str, int] | None:
    """Message and exit status; None for a bug, whose traceback is shown."""
    # Any error after a signal is a consequence, such as the end of a worker process.
    if _Process.received or isinstance(error, KeyboardInterrupt):
        number = _Process.received or signal.SIGINT
        return _signal_message(number), 128 + number
    if isinstance(error, InputError):
        return f"{_Process.name}: {error}\n", 1
    if isinstance(error, BrokenPipeError) and _stdout_is_broken():
        return "", 128 + signal.SIGPIPE
    from bsn.disk import FORBIDDEN, FULL  # late: it loads OpenCV

    if isinstance(error, OSError) and error.errno in FULL:
        place = f" of {error.filename}" if error.filename else ""
        return f"{_Process.name}: the disk{place} is full; free some space and run the same command again\n", 1
    if isinstance(error, OSError) and error.errno in FORBIDDEN and error.filename:
        return f"{_Process.name}: {error.filename} cannot be read or written: {error.strerror}\n", 1
    return None


def _stdout_is_broken() -> bool:
    """Whether stdout is a pipe without a reader, which poll reports as POLLERR."""
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


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
    # Not print, which is not reentrant: the signal may have interrupted one.
    os.write(2, _signal_message(number).encode())
    os._exit(128 + number)


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, but later if an import or the start of a process pool is under way.

    A compiled module would turn it into an ImportError, and half-started processes would print tracebacks of their own.
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


def _signal_message(number: int) -> str:
    """Line printed after a signal; empty in all but the first of the processes that torchrun or srun started."""
    if any(os.environ.get(rank, "0") != "0" for rank in ("RANK", "SLURM_PROCID")):
        return ""
    return f"{_Process.name}: {SIGNALS[signal.Signals(number)]}; {_Process.again}\n"
