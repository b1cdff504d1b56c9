"""Parallel maps whose results come in order: over processes, or over threads of this process."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from bsn.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

# The function that this worker process applies; set when it starts.
_function: Callable[[Any], Any]


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C in the processes started in this block; a terminal sends it to all that it runs.

    They end with this process, which receives it after the block.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ordered_map(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int, imports: str
) -> Iterator[Result]:
    """Apply `function` to each item in worker processes; in this process for one item or one worker.

    Each process computes on one thread: on small pictures two processes are faster than two threads of one. They are
    forked from a server process without threads; a fork of this process would hang on the threads that OpenCV and
    OpenMP have in it.

    Args:
        function: pickled, like items and results.
        items: to apply it to.
        workers: number of processes.
        imports: module that the server imports before it forks.

    Returns:
        Iterator over the results, in the order of the items.

    Raises:
        InputError: a worker was killed, as when the machine runs out of memory.
        Exception: what the function raises.
    """
    if min(workers, len(items)) == 1:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([imports])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(function,))
    try:
        with interrupts_blocked():
            results = pool.map(_apply, items)
        yield from results
    except BrokenProcessPool:
        raise InputError(f"one of {workers} worker processes was killed: is there memory enough for all?") from None
    finally:
        pool.shutdown(cancel_futures=True)


def threaded_map(
    function: Callable[[Item], Result], items: Sequence[Item], *, threads: int | None = None
) -> Iterator[Result]:
    """Apply `function` to each item in threads of this process, for work in OpenCV, which releases the lock.

    Args:
        function: to apply.
        items: to apply it to.
        threads: number of threads; by default ThreadPoolExecutor's.

    Returns:
        Iterator over the results, in the order of the items. Items not begun when the iteration ends are dropped.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def _start(function: Callable[[Any], Any]) -> None:
    import cv2  # late, like torch: only worker processes need them
    import torch

    global _function
    _function = function
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _apply(item: Any) -> Any:
    return _function(item)
