"""python -m benchmarks.neighbours: slowdown of a sketch training beside other work, and by the pinned instruction set.

Seconds per step alone, beside one busy process per core, beside a second training, and without the pin of
bsn.environment. Each is a training of stages.train with fewer steps in its own process, on the data of this checkout;
they take turns, and a ratio is within one round.
"""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bsn import environment
from bsn.errors import InputError
from bsn.workers import cores
from study.runner import run_stage

METHOD, STEPS, ROUNDS = "portrait_deeplab", 90, 3
PRETRAINED = Path("data/pretrained/deeplab.safetensors")
GOAL_BUSY, GOAL_TWO = 2.5, 1.1


def started(*, native: bool = False) -> subprocess.Popen[str]:
    """Start a training; `native`: with all instructions of the processor, whatever the profile says."""
    if not PRETRAINED.exists():
        raise InputError(f"{PRETRAINED} does not exist; make the data first: dvc repro train@{METHOD}")
    command = [sys.executable, "-m", "benchmarks.neighbours", "native" if native else "pinned"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def counted(training: subprocess.Popen[str]) -> tuple[float, float]:
    """Wait for a training and return the start and end of its counted steps, seconds of a clock of all processes."""
    output, _ = training.communicate()
    if training.returncode:
        raise InputError(f"{' '.join(training.args)} failed; run it by itself to see why")
    times = [float(line) for line in output.splitlines()]
    return times[0], times[-1]


def alone(*, native: bool = False) -> float:
    """Return the seconds of the counted steps of one training."""
    begun, ended = counted(started(native=native))
    return ended - begun


def beside_busy_processes() -> float:
    """Return the seconds of the counted steps beside one busy process per core."""
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(cores())]
    try:
        return alone()
    finally:
        for process in busy:
            process.kill()


def two_at_once() -> float:
    """Return the seconds from the first counted step to the last one of two trainings."""
    spans = [counted(training) for training in (started(), started())]
    return max(ended for _, ended in spans) - min(begun for begun, _ in spans)


def train(level: str) -> None:
    """Train and print the time after every ten steps; `level` is "native" or "pinned"."""
    environment.fix_results(native=level == "native")
    # Late, because these load libraries that read the variables.
    from bsn.training import loop
    from bsn.training.checkpoints import open_checkpoint
    from bsn.training.launch import launch
    from study.params import load
    from study.training import DATA, attribute_classes, model_description, patch_sampler, starting_model

    params = load()
    method = params.methods[METHOD]
    network = params.network(method)
    recipe = params.recipe(method)
    recipe = replace(recipe, phases=[replace(recipe.phases[0], iterations=STEPS)])
    fabric = launch(threads=network.threads)
    attributes = attribute_classes(DATA / "attributes" / f"{method.attribute}.csv")
    sampler = patch_sampler(params, method, attributes)
    description = model_description(params, method, attributes)
    model = starting_model(description, seed=params.seed)
    with TemporaryDirectory() as folder:  # of checkpoints, of which none is resumed
        loop.train(
            model,
            sampler,
            recipe,
            fabric,
            checkpoint=open_checkpoint(Path(folder), description, model, sampler, recipe, fabric),
            on_point=lambda _: print(time.monotonic(), flush=True),
        )


def neighbours(level: str = "") -> None:
    """Print the table; with a level, be one of the training processes."""
    if level:
        train(level)
        return
    rounds = [(alone(), beside_busy_processes(), two_at_once(), alone(native=True)) for _ in range(ROUNDS)]
    ratios = {
        f"beside {cores()} busy processes": ([busy / own for own, busy, _, _ in rounds], f"{GOAL_BUSY} x"),
        "two at once, against one after the other": ([two / (2 * own) for own, _, two, _ in rounds], f"{GOAL_TWO} x"),
        "pinned instruction set, of native": ([own / native for own, _, _, native in rounds], "-"),
    }
    own = median(own for own, *_ in rounds) / (STEPS - 10)
    print(f"{METHOD} alone: {own:.3f} s per step (median of {ROUNDS})\n")
    print("| training | ratio | goal | by round |\n|---|---|---|---|")
    for name, (found, goal) in ratios.items():
        print(f"| {name} | {median(found):.2f} x | {goal} | {', '.join(f'{ratio:.2f}' for ratio in found)} |")


if __name__ == "__main__":
    run_stage(neighbours)
