"""Wait for what another process does, and ask whether it lives."""

import time
from collections.abc import Callable

import psutil

# Seconds after which a test hangs. Long, because what takes seconds on an idle machine takes minutes on a busy one.
HUNG = 1800


def wait_until(done: Callable[[], object], *, every: float = 0.05) -> None:
    """Ask `done` every few hundredths of a second until its answer is true."""
    end = time.monotonic() + HUNG
    while not done():
        assert time.monotonic() < end, "it hangs"
        time.sleep(every)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie, whose parent has not asked how it ended, does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
