"""Start processes for tests that kill one or train with several; forked from a preloaded server, so they start fast."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from tests.ports import free_port
from tests.waiting import HUNG

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["pytest", "pandas", "cv2", "safetensors.torch", "bsn.models", "bsn.training.loop"])


def start(function: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Call a function in its own process."""
    process = _context.Process(target=_run, args=(function, arguments))
    process.start()
    return process


def _run(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    # Its own children, such as loader workers, are then started as by a program that was not forked from a server.
    multiprocessing.set_start_method("fork", force=True)
    function(*arguments)


def exit_code(function: Callable[..., None], *arguments: Any) -> int:
    """Call a function in its own process; return 0, or minus the signal that killed it."""
    process = start(function, *arguments)
    process.join()
    return process.exitcode


def exit_codes(world: int, function: Callable[..., None], *arguments: Any) -> list[int | None]:
    """Call a function in `world` processes that find each other as under `torchrun`; return their exit codes.

    A process that hangs is killed; its exit code is None.
    """
    port = free_port()
    processes = [start(_join_group, rank, world, port, function, arguments) for rank in range(world)]
    for process in processes:
        process.join(HUNG)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
    return codes


def _join_group(rank: int, world: int, port: int, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
    os.environ.update({name: str(value) for name, value in ranks.items()})
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), TORCHELASTIC_RUN_ID="test")
    function(*arguments)
