"""Drawing many pictures on at most two processes; the bytes never depend on how many."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import cv2
from tqdm import tqdm

from bsn.workers import deaf_to_interrupts

Item, Result = TypeVar("Item"), TypeVar("Result")

# Starting two processes costs about as much as drawing this many pictures.
WORTH_A_POOL = 24


def draw_all(task: Callable[[Item], Result], items: Sequence[Item], *, label: str, processes: int) -> list[Result]:
    """`task` on every item, in order, with a progress bar. `task` must be picklable and depend on its item only."""
    with tqdm(total=len(items), desc=f"draw {label}", unit="photo") as bar:
        results = []
        if processes == 1 or len(items) < WORTH_A_POOL:
            for item in items:
                results.append(task(item))
                bar.update()
            return results
        context = get_context("spawn")  # safe beside torch's threads
        pool = ProcessPoolExecutor(processes, context, initializer=cv2.setNumThreads, initargs=(1,))
        try:
            with deaf_to_interrupts():
                drawn = pool.map(task, items, chunksize=4)
            for result in drawn:
                results.append(result)
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)
        return results
