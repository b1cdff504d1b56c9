"""python -m benchmarks.gpu_check: check in 10 minutes that this machine's GPUs train the paper's networks correctly.

Trains DeepLabv2-ResNet101 (batch 10) and FCN-8s (batch 1) on 400x400 patches of drawn portraits: 200 steps in bf16
with a goal for their speed, the first steps again in float32 on the CPU, a run that is killed and resumed, and an
all-reduce over all GPUs. Exits with 1 and the reasons where a goal is missed. Without a GPU it trains small networks.
"""

import hashlib
import json
import math
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import distributed, multiprocessing
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import gpu
from bsn.alignment import FRAME
from bsn.errors import InputError
from bsn.inputs import CHANNELS, working_photo
from bsn.kernels import label_codes
from bsn.models import build
from bsn.training import loop
from bsn.training.checkpoints import Checkpoint
from bsn.training.launch import enable_determinism
from bsn.training.patches import PatchSampler, TrainingPhoto, working_labels
from bsn.training.recipe import NO_AUGMENTATION, Phase, Recipe
from drawn.catalog import scene_of
from drawn.painter import paint
from study.runner import run_stage

PHOTOS = 12
FIRST, FIRST_BATCH = 3, 2  # steps, and patches in each, whose loss is compared with float32
GOAL_DIFFERENCE = 0.02  # of that loss: bf16 has 8 bits of precision
WIDTH = 10  # pixels, the paper's band of eq. (1)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network and its training.

    Attributes:
        options: arguments of `bsn.models.build`.
        size, crop: Height and width of working copies and of patches, pixels.
        goal: most seconds per step, None without a goal.
    """

    network: str
    options: dict[str, Any]
    size: tuple[int, int]
    crop: tuple[int, int]
    batch: int
    steps: int
    rate: float
    frozen: bool
    goal: float | None


def cases() -> dict[str, Case]:
    """Return the paper's two networks, or without a GPU two small ones."""
    if torch.cuda.is_available():
        patches = {"size": (800, 600), "crop": (400, 400), "steps": 200, "frozen": True}
        goal = 60 * gpu.GOAL_MINUTES / gpu.UPDATES
        deeplab = {"classes": 3, "backbone": "resnet101"}
        return {
            "DeepLabv2-ResNet101": Case(
                network="deeplab", options=deeplab, batch=10, rate=2.5e-4, goal=goal, **patches
            ),
            "FCN-8s": Case(
                network="fcn8s", options={"classes": 2}, batch=1, rate=1e-4, goal=None, **{**patches, "frozen": False}
            ),
        }
    patches = {"size": (128, 96), "crop": (64, 64), "batch": 2, "steps": 20, "rate": 1e-3, "goal": None}
    deeplab = {"classes": 3, "backbone": "resnet18", "base_width": 8}
    return {
        "DeepLabv2-ResNet18": Case(network="deeplab", options=deeplab, frozen=True, **patches),
        "FCN-8s, narrow": Case(network="fcn8s", options={"classes": 2, "base_width": 4}, frozen=False, **patches),
    }


def gpu_check(*arguments: str) -> int:
    """Print the table and return the exit status; with arguments, be one of the training processes."""
    if arguments:
        train(*arguments)
        return 0
    has_gpu, began = torch.cuda.is_available(), time.perf_counter()
    if has_gpu:
        print(f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}, torch {torch.__version__}")
    else:
        print("No GPU here: small networks on the CPU, which shows that the code runs and says nothing of a GPU.")
    peak = gpu.matrix_rate(gpu.on_gpu()) if has_gpu else math.nan
    if has_gpu:
        print(f"bf16 matrix products: {peak / 1e12:.4g} TFLOP/s\n")
    print("| network | photos/s | share of matrix rate | memory, GB | loss, step 1 to last | difference to float32 |")
    print("|---|---|---|---|---|---|", flush=True)
    missed = []
    for name, case in cases().items():
        try:
            missed += [f"{name}: {reason}" for reason in check(name, case, peak)]
        except InputError as error:
            missed.append(f"{name}: {error}")
    missed += reduce_over_all()
    print(f"\n{time.perf_counter() - began:.0f} s in all.")
    for reason in missed:
        print(f"MISSED: {reason}")
    return 1 if missed else 0


def check(name: str, case: Case, peak: float) -> list[str]:
    """Train the case, print its row, and return the goals that it misses.

    peak: FLOP/s of matrix products, NaN without a GPU.
    """
    with TemporaryDirectory() as folder:
        whole = run(name, folder, "whole")
        exact, rounded = run(name, folder, "float32"), run(name, folder, "first")
        resumed = kill_and_resume(name, folder, seconds=whole["seconds"])
    step = whole["seconds"] / whole["timed"]
    share = case.batch * flop(case) / step / peak
    difference = abs(rounded["losses"][-1] / exact["losses"][-1] - 1)
    print(
        f"| {name} | {case.batch / step:.1f} | {'-' if math.isnan(share) else f'{share:.0%}'} "
        f"| {whole['memory'] / 2**30:.1f} "
        f"| {whole['losses'][0]:.3f} to {whole['losses'][-1]:.3f} | {difference:.2%} |",
        flush=True,
    )
    missed = []
    if not whole["losses"][-1] < whole["losses"][0]:
        missed.append(f"the loss did not fall in {case.steps} steps")
    if difference > GOAL_DIFFERENCE:
        missed.append(f"its first losses differ from float32 by {difference:.1%}; allowed: {GOAL_DIFFERENCE:.0%}")
    if case.goal and step > case.goal:
        missed.append(
            f"{step * 1000:.0f} ms per step; goal: {case.goal * 1000:.0f} ms, {gpu.GOAL_MINUTES} min per network"
        )
    if case.goal and share < gpu.GOAL_SHARE:
        missed.append(f"{share:.0%} of the measured matrix rate; goal: {gpu.GOAL_SHARE:.0%}")
    if resumed != whole["weights"]:
        missed.append("a run that was killed and started again ended with other weights")
    return missed


def run(name: str, folder: str, kind: str) -> dict[str, Any]:
    """Run a training process and return its result.

    Raises:
        InputError: it failed.
    """
    done = subprocess.run(_command(name, folder, kind), capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"training ({kind}) failed: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def kill_and_resume(name: str, folder: str, *, seconds: float) -> str:
    """Kill a training in the middle, start it again, and return the hash of its final weights."""
    checkpoint = Path(folder) / "killed"
    process = subprocess.Popen(_command(name, folder, "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(checkpoint.rglob("*.*")):
        time.sleep(0.02)
    time.sleep(seconds / 4)
    process.kill()
    process.wait()
    return run(name, folder, "killed")["weights"]


def _command(name: str, folder: str, kind: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.gpu_check", name, folder, kind]


def train(name: str, folder: str, kind: str) -> None:
    """Train one case and print the result as JSON.

    Args:
        name: of the case.
        folder: for checkpoints.
        kind: "whole" or "killed" for all steps; "first" or "float32" for the first ones.
    """
    case = cases()[name]
    enable_determinism()
    on_cpu = kind == "float32" or not torch.cuda.is_available()
    fabric = Fabric(accelerator="cpu" if on_cpu else "cuda", devices=1, precision="32-true" if on_cpu else "bf16-mixed")
    is_short = kind in ("first", "float32")
    loop.SAVE_EVERY = 0.2
    times = []
    torch.manual_seed(0)
    model = build(case.network, **case.options).to(memory_format=torch.channels_last)
    state = loop.train(
        model,
        drawn(case, batch=FIRST_BATCH if is_short else case.batch),
        Recipe(
            phases=[Phase(iterations=FIRST if is_short else case.steps, learning_rate=case.rate)],
            optimizer="sgd",
            momentum=0.9,
            weight_decay=5e-4,
            freeze_batch_norm=case.frozen,
        ),
        fabric,
        checkpoint=Checkpoint(Path(folder) / kind),
        on_point=lambda point: times.append((point.iteration, time.perf_counter())),
    )
    digest = hashlib.sha256()
    for key in sorted(state.model):
        digest.update(state.model[key].cpu().float().numpy().tobytes())
    timed = times[-1][0] - times[0][0]
    memory = 0 if on_cpu else torch.cuda.max_memory_allocated()
    result = {"losses": [point.loss for point in state.curves], "weights": digest.hexdigest(), "memory": memory}
    print(json.dumps({**result, "timed": timed, "seconds": times[-1][1] - times[0][1]}))


def drawn(case: Case, *, batch: int) -> PatchSampler:
    """Return patches of drawn portraits with labels for the case's classes."""
    width = WIDTH if case.options["classes"] == 3 else 0
    photos = []
    for number in range(PHOTOS):
        picture = paint(scene_of("pfcn", number, 1))
        codes = label_codes(picture.people[0].astype(np.uint8), width=width)
        photos.append(
            TrainingPhoto(
                id=str(number),
                photo=working_photo(picture.rgb, None, case.size),
                labels=working_labels(codes, case.size, width=width, reading="closeness"),
                attributes=np.empty(0, np.int64),
            )
        )
    ones = np.ones(FRAME, np.float32)
    augmentation = replace(NO_AUGMENTATION, flip=0.5)
    return PatchSampler(
        photos, crop=case.crop, batch=batch, seed=1, augmentation=augmentation, aligned_mean_mask=ones, kernel=ones
    )


def flop(case: Case) -> int:
    """Count FLOP of one patch, forward plus backward, on the meta device."""
    with torch.device("meta"):
        model = build(case.network, **case.options).eval()
        patch = torch.empty(1, CHANNELS, *case.crop)
    with FlopCounterMode(display=False) as counter:
        model(patch).fused.sum().backward()
    return counter.get_total_flops()


def reduce_over_all() -> list[str]:
    """Sum a number over all GPUs by NCCL, without a GPU over two processes by gloo; return the missed goals."""
    count = torch.cuda.device_count()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    try:
        multiprocessing.spawn(_reduce, (count or 2, port), nprocs=count or 2)
    except Exception as error:
        return [f"{'NCCL' if count else 'gloo'}: {gpu.one_line(error)}"]
    print(f"\n{f'NCCL: a sum over {count} GPU(s)' if count else 'gloo: a sum over two processes'} is right.")
    return []


def _reduce(rank: int, count: int, port: int) -> None:
    has_gpu = torch.cuda.is_available()
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    distributed.init_process_group("nccl" if has_gpu else "gloo", rank=rank, world_size=count)
    value = torch.full((1 << 20,), rank + 1.0, device=f"cuda:{rank}" if has_gpu else "cpu")
    distributed.all_reduce(value)
    if not (value == count * (count + 1) / 2).all():
        raise RuntimeError("the sum is wrong")
    distributed.destroy_process_group()


if __name__ == "__main__":
    run_stage(gpu_check)
