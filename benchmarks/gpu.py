"""python -m benchmarks.gpu: speed of the paper's training step on a GPU, as a share of the GPU's matrix rate.

DeepLabv2-ResNet101 with three scales on patches of 400x400 in bf16, SGD as in profiles/paper.yaml, for batches 1, 10
and 16, with and without torch.compile and CUDA graphs. Without a GPU: a narrow network on small patches, no graphs.
"""

# TFLOP/s count the network's multiplications and additions (FlopCounterMode on one patch, forward and backward),
# whatever a compiler does with them. The peak is the best rate of bf16 matrix products in the same run.

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.step import Step, made_up_batch
from bsn.models import build
from bsn.models.layers import freeze_batch_norm
from bsn.training.launch import enable_determinism

UPDATES, GOAL_SHARE, GOAL_MINUTES = 40_000, 0.40, 30
RATE = 2.5e-4  # learning rate of the timed steps, the paper's
PAPER_GFLOP = 1194  # forward and backward of one 400x400 patch, counted before this benchmark was written


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What differs between a GPU and a CPU; `matrix`: side of the square matrices for the peak."""

    device: torch.device
    backbone: str
    base_width: int
    crop: tuple[int, int]
    batches: tuple[int, ...]
    goal_batch: int
    warm_up: int
    steps: int
    matrix: int

    def __str__(self) -> str:
        height, width = self.crop
        return f"DeepLabv2-{self.backbone}, base width {self.base_width}, three scales, {height}x{width}, bf16"


def on_gpu() -> Scale:
    """Return the paper's network and patches."""
    return Scale(
        device=torch.device("cuda"),
        backbone="resnet101",
        base_width=64,
        crop=(400, 400),
        batches=(1, 10, 16),
        goal_batch=10,
        warm_up=10,
        steps=50,
        matrix=8192,
    )


def on_cpu() -> Scale:
    """Return a size that two cores measure in a minute."""
    return Scale(
        device=torch.device("cpu"),
        backbone="resnet18",
        base_width=16,
        crop=(96, 96),
        batches=(1, 2),
        goal_batch=2,
        warm_up=2,
        steps=10,
        matrix=1024,
    )


@dataclass(frozen=True)
class Row:
    """One combination: median seconds per step, or why it failed."""

    batch: int
    compiled: bool
    graph: bool
    seconds: float | None = None
    reason: str = ""


def step_flop(scale: Scale) -> tuple[int, int]:
    """Count FLOP of one patch, forward, and forward plus backward, on the meta device, which computes nothing."""
    step = make_step(scale, 1, device=torch.device("meta"), mixed=False)
    with FlopCounterMode(display=False) as forward:
        step.forward()
    with FlopCounterMode(display=False) as both:
        step.forward().backward()
    return forward.get_total_flops(), both.get_total_flops()


def make_step(
    scale: Scale, batch: int, *, device: torch.device | None = None, mixed: bool = True, compiled: bool = False
) -> Step:
    """Return a step of `batch` patches, on the scale's device unless `device` is given."""
    torch.manual_seed(0)
    with device or scale.device:
        model = build("deeplab", classes=3, backbone=scale.backbone, base_width=scale.base_width, attributes=1)
    freeze_batch_norm(model.train())
    return Step(
        model,
        made_up_batch(batch, scale.crop, attributes=1),
        optimizer="sgd",
        head_lr_multiplier=10.0,
        weight_decay=5e-4,
        mixed=mixed,
        compiled=compiled,
    )


def matrix_rate(scale: Scale) -> float:
    """Measure FLOP/s of bf16 products of two square matrices, the best of many."""
    side = scale.matrix
    one, other = (torch.randn(side, side, device=scale.device, dtype=torch.bfloat16) for _ in range(2))
    out = torch.empty_like(one)
    return 2 * side**3 / min(seconds(lambda: torch.mm(one, other, out=out), scale))


def seconds(call: Callable[[], object], scale: Scale) -> list[float]:
    """Time each of `scale.steps` calls in a row after a warm-up, by the GPU's own clock where there is one."""
    for _ in range(scale.warm_up):
        call()
    if scale.device.type != "cuda":
        marks = [time.perf_counter()]
        for _ in range(scale.steps):
            call()
            marks.append(time.perf_counter())
        return [end - start for start, end in pairwise(marks)]
    events = [torch.cuda.Event(enable_timing=True) for _ in range(scale.steps + 1)]
    events[0].record()
    for event in events[1:]:
        call()
        event.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) / 1000 for start, end in pairwise(events)]


def measure(scale: Scale) -> Iterator[Row]:
    """Measure every combination, and yield each when it is done."""
    for batch, compiled in product(scale.batches, (False, True)):
        step = None
        for graph in (False, True) if scale.device.type == "cuda" else (False,):
            taken, reason = None, ""
            try:
                step = step or make_step(scale, batch, compiled=compiled)
                if graph:
                    step.capture()
                taken = statistics.median(seconds(partial(step, RATE), scale))
            # Out of memory, no compiler, an old driver: the next combination may still run.
            except Exception as error:
                reason = one_line(error)
            yield Row(batch, compiled, graph, taken, reason)
        # Free this step's memory and compiled code before the next one.
        step = None
        torch.compiler.reset()
        gc.collect()
        if scale.device.type == "cuda":
            torch.cuda.empty_cache()


def one_line(error: Exception) -> str:
    """Return an error's type and the first line of its message, fit for a table cell."""
    text = (str(error).strip().splitlines() or [""])[0].replace("|", "/")
    return f"{type(error).__name__}: {text[:100]}"


def table_row(row: Row, *, flop: int, peak: float) -> str:
    """Return a row of the table; `flop` is that of one patch, `peak` in FLOP/s."""
    words = " | ".join("yes" if switch else "no" for switch in (row.compiled, row.graph))
    if row.seconds is None:
        return f"| {row.batch} | {words} | {row.reason} | | | |"
    rate = row.batch * flop / row.seconds
    return (
        f"| {row.batch} | {words} | {row.seconds * 1000:.1f} | {row.batch / row.seconds:.1f} | {rate / 1e12:.3g} "
        f"| {rate / peak:.0%} |"
    )


def goal_line(rows: list[Row], scale: Scale, *, flop: int, peak: float) -> str:
    """Return the best result for the goal's batch size and the goal."""
    done = [row for row in rows if row.batch == scale.goal_batch and row.seconds is not None]
    if not done:
        return f"Batch {scale.goal_batch}: no combination ran"
    best = min(done, key=lambda row: row.seconds)
    share, minutes = best.batch * flop / best.seconds / peak, UPDATES * best.seconds / 60
    return (
        f"Batch {best.batch}, best: {share:.0%} of the measured matrix rate, {UPDATES} updates in {minutes:.0f} min "
        f"(goal, batch 10 of the paper's network on an H200: {GOAL_SHARE:.0%}, {GOAL_MINUTES} min)"
    )


def main() -> None:
    """Print the table."""
    gpu = torch.cuda.is_available()
    scale = on_gpu() if gpu else on_cpu()
    if gpu:
        enable_determinism()  # as in training
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    else:
        print("No GPU at hand: a small network on a CPU, which shows that the code runs and says nothing of a GPU.")
    forward, both = step_flop(on_gpu())
    print(f"One patch of the paper's network: {forward / 1e9:.0f} GFLOP forward, {both / 1e9:.0f} with backward,")
    print(f"{both / 1e9 / PAPER_GFLOP - 1:+.1%} from the {PAPER_GFLOP} counted before")
    flop, peak = step_flop(scale)[1], matrix_rate(scale)
    print(f"Peak: {peak / 1e12:.4g} TFLOP/s, bf16 products of {scale.matrix}x{scale.matrix}\n")
    print(f"Training step of {scale}, {'GPU' if gpu else 'CPU, no GPU at hand'}\n")
    print("| batch | compiled | CUDA graph | ms per step | photos/s | TFLOP/s | share of peak |")
    print("|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for row in measure(scale):
        rows.append(row)
        print(table_row(row, flop=flop, peak=peak), flush=True)
    print(f"\n{goal_line(rows, scale, flop=flop, peak=peak)}")


if __name__ == "__main__":
    main()
