"""Wait for what another process does."""

import time
from collections.abc import Callable

# Seconds after which a test hangs. Long, because what takes seconds on an idle machine takes minutes on a busy one.
HUNG = 1800


def wait_until(done: Callable[[], object], *, every: float = 0.05) -> None:
    """Ask `done` every few hundredths of a second until its answer is true."""
    end = time.monotonic() + HUNG
    while not done():
        assert time.monotonic() < end, "it hangs"
        time.sleep(every)
