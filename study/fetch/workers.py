"""Several jobs at a time, their results in order, and no waiting for them when the user wants to leave."""

import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.pool import ThreadPool
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_order(work: Callable[[Job, threading.Event], Result], jobs: Iterable[Job], *, at_once: int) -> Iterator[Result]:
    """`work(job, stop)` for each job in `at_once` threads. The first exception is raised, in order.

    However the loop over it ends, `stop` is set then, and work that sees it should end. It is not waited for (the
    threads are daemons, which those of concurrent.futures are not): one that hangs in a dead connection would hold up
    Ctrl-C for as long as the time-out.
    """
    stop = threading.Event()
    pool = ThreadPool(at_once)
    try:
        yield from pool.imap(lambda job: work(job, stop), jobs)
    finally:
        stop.set()
        pool.terminate()
