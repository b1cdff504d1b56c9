"""How a command ends: with one line in place of a traceback for bad input, a full disk, Ctrl-C and SIGTERM.

program.begin()                     # in the command's package, before it imports anything slow
program.run(main, name="segment")   # at the end of its module; exits
"""

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
LATER = 0.05  # seconds until an interrupt is tried again
IMPATIENT = 1.0  # seconds after which a second signal is another one, and not the first one sent twice
_POOL = os.path.join("concurrent", "futures", "process.py")  # whose `submit` starts a pool's processes


class _Process:
    """This one. again: what the line of a signal advises; running: whether there is something to take down first."""

    owner = 0
    name, again = "", AGAIN
    running = False
    received: int | None = None
    since = 0.0


def begin(name: str = "") -> None:
    """From here on a signal ends this process with one line. name: of the command; by default its module's.

    Without a name it does nothing in a process that `python -m` did not start, such as a test's or a notebook's.
    """
    if not name:
        # What Python calls the program while it looks for the module, and imports the packages around it.
        if sys.argv[0] != "-m":
            return
        name = sys.orig_argv[sys.orig_argv.index("-m") + 1].rpartition(".")[2]
    _Process.owner, _Process.name = os.getpid(), name
    for number in SIGNALS:
        # One that is ignored was so from the start: by nohup, or by a shell for its jobs in the background.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _receive)
    signal.signal(signal.SIGALRM, _interrupt)


def run(command: Callable[[], int | None], *, name: str, again: str = AGAIN) -> NoReturn:
    """Call `command` and exit with the status that it returns, 0 for None; with 1 for InputError and for a full disk.

    A signal unwinds it as Ctrl-C does, and exits with 128 and its number; a second one exits at once.
    """
    # A table or a photo's name may hold what the terminal has no letter for.
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
    # Not before: the exception's frames hold progress bars, which end their line when they go.
    line, status = ending
    sys.stderr.write(line)
    sys.exit(status)


def _ending(error: BaseException) -> tuple[str, int] | None:
    """Line and exit status. None for what neither the user nor a signal has caused."""
    # Whatever is raised after a signal comes of it, such as the end of a worker process.
    if _Process.received or isinstance(error, KeyboardInterrupt):
        number = _Process.received or signal.SIGINT
        return _farewell(number), 128 + number
    if isinstance(error, InputError):
        return f"{_Process.name}: {error}\n", 1
    from bsn.disk import FULL  # not above: it loads OpenCV

    if isinstance(error, OSError) and error.errno in FULL:
        place = error.filename or os.getcwd()
        return f"{_Process.name}: the disk of {place} is full; free some space and run the same command again\n", 1
    return None


def _receive(number: int, frame: FrameType | None) -> None:
    if os.getpid() != _Process.owner:  # forked, and ended by the process that has forked it
        if number == signal.SIGTERM:
            os._exit(128 + number)
        return
    if _Process.received is None:
        _Process.received, _Process.since = number, time.monotonic()
        if _Process.running:
            _interrupt(number, frame)
            return
    elif time.monotonic() - _Process.since < IMPATIENT:
        return
    # Not by print: this may have come in the middle of one.
    os.write(2, _farewell(number).encode())
    os._exit(128 + number)


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, but not within an import, where it may be lost, nor while a pool starts its processes.

    A compiled module that is being loaded turns it into the ImportError of a package that isn't there. Processes that
    are left half started fail with tracebacks of their own.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_filename == "<frozen importlib._bootstrap>" or (
            code.co_name == "submit" and code.co_filename.endswith(_POOL)
        ):
            signal.setitimer(signal.ITIMER_REAL, LATER)
            return
        frame = frame.f_back
    if _Process.running:
        raise KeyboardInterrupt


def _farewell(number: int) -> str:
    """Of several processes that were started together the first one speaks."""
    if any(os.environ.get(rank, "0") != "0" for rank in ("RANK", "SLURM_PROCID")):
        return ""
    return f"{_Process.name}: {SIGNALS[number]}; {_Process.again}\n"
