"""A training step of DeepLabv2-ResNet101 on a GPU: photos/s, TFLOP/s and share of the GPU's own matrix rate.

    python -m benchmarks.gpu

Three scales, patches of 400x400, soft labels (3 classes), the attribute branch, batch norm frozen as when fine-tuning,
bf16 autocast and channels last, SGD as in profiles/paper.yaml; for batches 1, 10 and 16, with and without torch.compile
and CUDA graphs. A step is what benchmarks.step says: the batch comes from pinned memory, the weights change.

TFLOP/s count what the network's multiplications and additions are (FlopCounterMode on one patch, forward and backward),
whatever a compiler makes of them. The peak is the best rate of bf16 matrix products, measured in the same run. A
combination that fails has its reason in its row. Without a GPU the same code runs a narrow network on small patches.
"""

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
    """All that differs between a GPU and a CPU. matrix: side of the square products that are the peak."""

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
    """The paper's network and patches."""
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
    """What two cores do in a minute."""
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
    """One combination: median seconds a step, or why there are none."""

    batch: int
    compiled: bool
    graph: bool
    seconds: float | None = None
    reason: str = ""


def step_flop(scale: Scale) -> tuple[int, int]:
    """Forward, and forward and backward, of one patch; counted on the meta device, where nothing is computed."""
    step = make_step(scale, 1, device=torch.device("meta"), mixed=False)
    with FlopCounterMode(display=False) as forward:
        step.forward()
    with FlopCounterMode(display=False) as both:
        step.forward().backward()
    return forward.get_total_flops(), both.get_total_flops()


def make_step(
    scale: Scale, batch: int, *, device: torch.device | None = None, mixed: bool = True, compiled: bool = False
) -> Step:
    """A step of that many patches, on the scale's device unless another is named."""
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
    """FLOP/s of bf16 products of two square matrices, the best of many."""
    side = scale.matrix
    one, other = (torch.randn(side, side, device=scale.device, dtype=torch.bfloat16) for _ in range(2))
    out = torch.empty_like(one)
    return 2 * side**3 / min(seconds(lambda: torch.mm(one, other, out=out), scale))


def seconds(call: Callable[[], object], scale: Scale) -> list[float]:
    """Of each of `scale.steps` calls in a row, after a warm-up. A GPU's own clock says when one ends."""
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
    """Every combination, each as soon as it is known."""
    for batch, compiled in product(scale.batches, (False, True)):
        step = None
        for graph in (False, True):
            taken, reason = None, ""
            try:
                step = step or make_step(scale, batch, compiled=compiled)
                if graph:
                    step.capture()
                taken = statistics.median(seconds(partial(step, RATE), scale))
            # Out of memory, no compiler, a driver too old: whatever it is, the next combination may do.
            except Exception as error:
                reason = one_line(error)
            yield Row(batch, compiled, graph, taken, reason)
        # Nothing of this step may take memory from the next, nor its compiled code be counted against it.
        step = None
        torch.compiler.reset()
        gc.collect()
        if scale.device.type == "cuda":
            torch.cuda.empty_cache()


def one_line(error: Exception) -> str:
    """The kind of an error and the first line of what it says, fit for a table's cell."""
    text = (str(error).strip().splitlines() or [""])[0].replace("|", "/")
    return f"{type(error).__name__}: {text[:100]}"


def table_row(row: Row, *, flop: int, peak: float) -> str:
    """flop: of one patch. peak: FLOP/s."""
    words = " | ".join("yes" if switch else "no" for switch in (row.compiled, row.graph))
    if row.seconds is None:
        return f"| {row.batch} | {words} | {row.reason} | | | |"
    rate = row.batch * flop / row.seconds
    return (
        f"| {row.batch} | {words} | {row.seconds * 1000:.1f} | {row.batch / row.seconds:.1f} | {rate / 1e12:.3g} "
        f"| {rate / peak:.0%} |"
    )


def goal_line(rows: list[Row], scale: Scale, *, flop: int, peak: float) -> str:
    """The best of the goal's batch beside the goal."""
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
