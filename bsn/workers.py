"""One function over many things on all cores, the answers in order."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from bsn.errors import InputError

Thing, Answer = TypeVar("Thing"), TypeVar("Answer")

# What a worker does; set once, when it starts.
_function: Callable[[Any], Any] | None = None


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
        yield from pool.map(_answer, things)
    except BrokenProcessPool:
        raise InputError(f"one of {workers} worker processes was killed: is there memory enough for all?") from None
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
