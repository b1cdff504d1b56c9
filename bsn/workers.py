"""One function over many things at a time, the answers in order; by processes, or by threads of this one."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from bsn.errors import InputError

Thing, Answer = TypeVar("Thing"), TypeVar("Answer")

# What a worker does; set once, when it starts.
_function: Callable[[Any], Any] | None = None


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started meanwhile never hear of Ctrl-C, which a terminal sends to all that it runs.

    They end with this process, which hears of it when the block ends.
    """
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def ordered_map(
    function: Callable[[Thing], Answer], things: Sequence[Thing], *, workers: int, imports: str
) -> Iterator[Answer]:
    """`function` of each thing, in the things' order, by so many processes; in this one for one thing or one worker.

    Each process computes on one thread: on small pictures two processes are faster than two threads of one.
    They are forked from a server that has imported the module `imports` and has no threads: a fork of this
    process would hang on the threads that OpenCV and OpenMP have in it. Function, things and answers are
    pickled. An exception of the function is raised here; InputError, too, when a worker is killed, as it is
    when the machine runs out of memory.
    """
    if min(workers, len(things)) == 1:
        yield from map(function, things)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([imports])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(function,))
    try:
        with deaf_to_interrupts():
            answers = pool.map(_answer, things)
        yield from answers
    except BrokenProcessPool:
        raise InputError(f"one of {workers} worker processes was killed: is there memory enough for all?") from None
    finally:
        pool.shutdown(cancel_futures=True)


def threaded_map(
    function: Callable[[Thing], Answer], things: Sequence[Thing], *, threads: int | None = None
) -> Iterator[Answer]:
    """`function` of each thing, in the things' order, by threads of this process; by default some more than cores.

    For work that OpenCV does, beside which other threads may run. What has not begun when the loop ends is left.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(function, things)
    finally:
        pool.shutdown(cancel_futures=True)


def _start(function: Callable[[Any], Any]) -> None:
    import cv2
    import torch

    global _function
    _function = function
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _answer(thing: Any) -> Any:
    return _function(thing)
