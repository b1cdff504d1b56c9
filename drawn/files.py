"""Write files whose bytes depend on their content alone, and draw many pictures in parallel."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import scipy.io
from tqdm import tqdm

from bsn.workers import end_with_parent, interrupts_blocked

Item = TypeVar("Item")
Result = TypeVar("Result")

JPEG_QUALITY = 88
# Replaces scipy's own 116 bytes of header text, which hold the time of day.
MAT_HEADER = b"MATLAB 5.0 MAT-file, Platform: drawn".ljust(116)
# Starting two processes takes about as long as drawing this many pictures.
WORTH_A_POOL = 24


def encode_jpeg(rgb: np.ndarray) -> bytes:
    """Encode uint8 RGB (H, W, 3) as JPEG."""
    ok, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not ok:
        raise RuntimeError("OpenCV could not encode a JPEG")
    return data.tobytes()


def write_mat(file: Path, variables: Mapping[str, np.ndarray | str]) -> None:
    """Write a compressed MATLAB 5 file with a constant header."""
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, variables, do_compression=True)
    file.write_bytes(MAT_HEADER + buffer.getvalue()[len(MAT_HEADER) :])


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write JSON on one line, as COCO's own files are."""
    file.write_text(json.dumps(content, separators=(", ", ": ")), "utf-8")


def write_lines(file: Path, lines: list[str]) -> None:
    """Write lines of text, each ended by a line feed."""
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def draw_all(task: Callable[[Item], Result], items: Sequence[Item], *, label: str, processes: int) -> list[Result]:
    """Call `task` on every item and return the results in order, with a progress bar.

    `task` must be picklable and depend on its item alone, so that the number of processes changes no byte.
    """
    with tqdm(total=len(items), desc=f"draw {label}", unit="photo") as bar:
        results = []
        if processes == 1 or len(items) < WORTH_A_POOL:
            for item in items:
                results.append(task(item))
                bar.update()
            return results
        context = get_context("spawn")  # safe beside torch's threads
        pool = ProcessPoolExecutor(processes, context, initializer=_start)
        try:
            with interrupts_blocked():
                drawn = pool.map(task, items, chunksize=4)
            for result in drawn:
                results.append(result)
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)
        return results


def _start() -> None:
    end_with_parent()
    cv2.setNumThreads(1)
