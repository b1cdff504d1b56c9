"""Parallel maps over processes or threads that yield their results in order."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any, TypeVar

from bsn.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

# The function that this worker process applies; `_start` sets it.
_function: Callable[[Any], Any]


def cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C in the processes started in this block, to which a terminal sends it as well.

    They end when this process does, which receives the signal after the block.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """End this worker process as soon as the process that started it is gone, whatever killed that one.

    A worker of the standard library's pools or of torch's loader would otherwise stay, with all its memory: it holds
    both ends of the pipe on which it waits, so it never sees the other side close.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def ordered_map(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int, imports: str
) -> Iterator[Result]:
    """Apply `function` to each item in worker processes; in this process if there is one item or one worker.

    Each process computes on one thread: on small pictures two processes are faster than two threads. They are forked
    from a server process without threads (forkserver), because forks of this process could hang on locks of OpenCV's
    and OpenMP's threads.

    Args:
        function: picklable, like items and results.
        items: its arguments.
        workers: number of processes.
        imports: module that the server imports before it forks.

    Yields:
        The results, in the order of the items.

    Raises:
        InputError: a worker was killed, for instance because the machine ran out of memory.
        Exception: any that the function raises.
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
    """Apply `function` to each item in threads of this process, for work in OpenCV, which releases the GIL.

    Args:
        function: thread-safe.
        items: its arguments.
        threads: number of threads; by default ThreadPoolExecutor's.

    Yields:
        The results, in the order of the items. If the caller stops early, items not yet begun are dropped.

    Raises:
        Exception: any that the function raises.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Iterator[tuple[Item, Callable[[], Result]]]:
    """Apply `function` in threads of this process, at most one item per thread ahead of the caller: for large results.

    Args:
        function: to apply.
        items: to apply it to.
        threads: number of threads.

    Returns:
        Iterator over the items in order, each with a call that waits for its result or raises what the function raised.
    """
    pool, waiting = ThreadPoolExecutor(threads), deque[tuple[Item, Callable[[], Result]]]()
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item).result))
            if len(waiting) > threads:
                yield waiting.popleft()
        yield from waiting
    finally:
        pool.shutdown(cancel_futures=True)


def _start(function: Callable[[Any], Any]) -> None:
    import cv2  # late, like torch, because only worker processes need them
    import torch

    global _function
    _function = function
    end_with_parent()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _apply(item: Any) -> Any:
    return _function(item)
