"""Device, precision and processes of a training: one process, or those that `torchrun` or Slurm's `srun` started.

fabric = launch(threads=2)
with report_lost_process(fabric):
    train(...)
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import psutil
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from bsn.errors import InputError, brief

# How long a process waits for the others. No step takes that long, even if one reads its photos from a slow disk.
TIMEOUT = timedelta(minutes=10)
# torch raises plain RuntimeErrors for gloo, which connects CPUs. Each message contains one of these words: the path of
# gloo's code, or the text of its threads after a timeout.
GLOO = ("gloo", "pair closure")
# Separate cuBLAS buffers for concurrent products; with shared ones the order of summation may vary.
CUBLAS_WORKSPACE = ":4096:8"


def launch(*, threads: int, devices: int | None = None) -> Fabric:
    """Start Fabric with the processes of `torchrun` or `srun`, else on all GPUs of this machine, else on its CPU.

    Also makes torch deterministic. Computes in bf16 on a GPU, in float32 on a CPU.

    Args:
        threads: of torch in a single process; with several processes, the launcher's setting is kept.
        devices: maximum number of GPUs; None for all.

    Returns:
        Fabric, launched.

    Raises:
        InputError: the first host cannot be found, the other processes do not connect, or hosts have different numbers
            of processes.
    """
    enable_determinism()
    environment, local, nodes = _launcher()
    gpus = torch.cuda.device_count()
    local = local or min(devices or gpus, gpus) or 1
    several = local * nodes > 1
    fabric = Fabric(
        accelerator="cuda" if gpus else "cpu",
        devices=local,
        num_nodes=nodes,
        strategy=DDPStrategy(timeout=TIMEOUT) if several else "auto",
        precision="bf16-mixed" if gpus else "32-true",
        plugins=[environment],
    )
    if nodes > 1:
        _choose_interface(environment.main_address)
    with report_lost_process(fabric):
        fabric.launch()
    if not several:
        torch.set_num_threads(threads)
    return fabric


@contextmanager
def report_lost_process(fabric: Fabric) -> Iterator[None]:
    """Turn torch's error in a process that waits for a lost one into an InputError."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.distributed.DistError) and not any(word in str(error) for word in GLOO):
            raise
        raise InputError(
            f"process {fabric.global_rank} of {fabric.world_size} lost another one, or never connected to it "
            f"({brief(error)}); read the other's message, then start all again: training continues from its last "
            "checkpoint"
        ) from error


def _launcher() -> tuple[ClusterEnvironment, int | None, int]:
    """Launcher of this process, number of processes on this host (None: not launched), and number of hosts.

    Fabric's own detection of Slurm is not used: it reads the job's variables, which batch scripts and terminals have,
    too, and would wait there for processes that nobody starts; and it misses steps started from a terminal.
    """
    if TorchElasticEnvironment.detect():
        local, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        if world % local:
            raise InputError(f"{local} of {world} processes are on this host; start as many on each (--nproc-per-node)")
        return TorchElasticEnvironment(), local, world // local
    # A step is what srun starts. The terminal of a step (--pty) is attached to its first process only.
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))
    if tasks == 1 or os.isatty(0):
        return LightningEnvironment(), None, 1
    spread = os.environ["SLURM_STEP_TASKS_PER_NODE"]  # 4, or 4(x2) on two hosts, or 4,3
    local = int(spread.partition("(")[0]) if "," not in spread else 0
    if not local:
        raise InputError(
            f"srun has spread {tasks} processes as {spread}; start as many on each host (--ntasks-per-node)"
        )
    nodes = tasks // local
    # Fabric reads the job's variables.
    os.environ.update(
        SLURM_NTASKS_PER_NODE=str(local), SLURM_NNODES=str(nodes), SLURM_NODELIST=os.environ["SLURM_STEP_NODELIST"]
    )
    return SLURMEnvironment(), local, nodes


def _choose_interface(main_address: str) -> None:
    """Make gloo, which connects CPUs, use the network interface that reaches the first host.

    By default it uses the address of this host's name, often 127.0.1.1, which other hosts cannot reach.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(main_address, 9, type=socket.SOCK_DGRAM)[0]
    except OSError as error:
        raise InputError(
            f"the first host, {main_address}, has no address here ({brief(error)}); name one that every host can reach "
            "(torchrun: --master-addr)"
        ) from None
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(where)  # sends nothing
        own = probe.getsockname()[0]
    for name, addresses in psutil.net_if_addrs().items():
        if own in (address.address for address in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def enable_determinism() -> None:
    """Make torch deterministic: equal runs on the same kind of device give equal bytes. Call it before a GPU is used.

    On a CPU it changes nothing: torch is deterministic there for a fixed number of threads, which decides where sums
    are split and so how they are rounded. On a GPU, cuDNN no longer chooses convolutions by timing them, and bilinear
    upsampling takes torch's slower deterministic backward pass. torch warns of operations that have no deterministic
    version. bf16 is as deterministic as float32. Another kind of GPU gives other bytes in any case.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling new tensors costs time, and matters only to code that reads them before it writes.
    cast(Any, torch.utils.deterministic).fill_uninitialized_memory = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
