"""Time and peak memory of each stage of the study, run one by one in the graph's order as `dvc repro` does.

    python -m benchmarks.sketch [STAGE ...]

Every stage's own command runs in this checkout and writes its outputs again; the profile in params.yaml says which
study it is. Wall time includes the start of Python and the imports; memory is the largest resident size of the
stage's process or of any that it started.
"""

import os
import shlex
import sys
import time

from dvc.repo import Repo


def main() -> None:
    """Print the table."""
    wanted = set(sys.argv[1:])
    with Repo() as repo:
        order = [stage for stage in in_order(repo) if not wanted or stage.addressing in wanted]
    print("| stage | seconds | peak memory, MB |\n|---|---|---|", flush=True)
    total, largest = 0.0, 0.0
    for stage in order:
        seconds, megabytes = _measure(stage.cmd)
        total, largest = total + seconds, max(largest, megabytes)
        print(f"| {stage.addressing} | {seconds:.1f} | {megabytes:.0f} |", flush=True)
    print(f"| **all {len(order)}** | **{total:.0f}** | **{largest:.0f}** |")


def in_order(repo: Repo) -> list:
    """The stages of `dvc repro`, each after those that it depends on."""
    graph, done, order = repo.index.graph, set(), []

    def visit(stage: object) -> None:
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
