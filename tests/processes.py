"""Processes for tests that kill one, or train with two: forked from a clean server, so that they start at once."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["torch", "cv2", "lightning_fabric", "safetensors.torch"])


def start(function: Callable[..., None], *arguments: Any) -> BaseProcess:
    """The function in a process of its own."""
    process = _context.Process(target=_run, args=(function, arguments))
    process.start()
    return process


def _run(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    # What it starts of its own, such as loader workers, it starts as a program does that was not forked from a server.
    multiprocessing.set_start_method("fork", force=True)
    function(*arguments)


def exit_code(function: Callable[..., None], *arguments: Any) -> int:
    """0 when the function came to its end in a process of its own, minus the signal when it was killed."""
    process = start(function, *arguments)
    process.join()
    return process.exitcode
