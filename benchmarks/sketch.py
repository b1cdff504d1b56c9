"""python -m benchmarks.sketch [STAGE...]: time and peak memory per stage, relative to a start of its program.

Runs each stage's command in this checkout in the order of `dvc repro`; it writes its outputs again. The profile in
params.yaml applies. The floor is `--help` of the same program: the start of Python and the imports. Memory is the
largest resident size of the stage's process or of any that it started.
"""

import os
import shlex
import sys
import time

from dvc.repo import Repo
from dvc.stage import Stage


def main() -> None:
    """Print the table."""
    wanted = set(sys.argv[1:])
    with Repo() as repo:
        order = [stage for stage in in_order(repo) if not wanted or stage.addressing in wanted]
    print("| stage | seconds | of its start | peak memory, MB |\n|---|---|---|---|", flush=True)
    total, largest = 0.0, 0.0
    for stage in order:
        seconds, megabytes = _measure(stage.cmd)
        start, _ = _measure(" ".join([*shlex.split(stage.cmd)[:3], "--help"]))
        total, largest = total + seconds, max(largest, megabytes)
        print(f"| {stage.addressing} | {seconds:.1f} | {seconds / start:.1f} x | {megabytes:.0f} |", flush=True)
    print(f"| **all {len(order)}** | **{total:.0f}** | | **{largest:.0f}** |")


def in_order(repo: Repo) -> list[Stage]:
    """Return the stages of dvc.yaml, each after those that it depends on."""
    graph, done, order = repo.index.graph, set(), []

    def visit(stage: Stage) -> None:
        if stage in done:
            return
        done.add(stage)
        for needed in graph.successors(stage):
            visit(needed)
        order.append(stage)

    for stage in repo.index.stages:
        if stage.path_in_repo == "dvc.yaml":  # the trials are another pipeline
            visit(stage)
    return order


def _measure(command: str) -> tuple[float, float]:
    started = time.perf_counter()
    log = os.open(os.devnull, os.O_WRONLY)
    process = os.posix_spawnp(
        "python",
        shlex.split(command),
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)],
    )
    _, status, usage = os.wait4(process, 0)
    os.close(log)
    if status:
        sys.exit(f"{command} failed; run it by itself to see why")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
