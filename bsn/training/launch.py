"""The processes that train: one of this machine's, or those that `torchrun` or Slurm's `srun` has started.

    fabric = launch(threads=2)
    with one_line_for_a_lost_process(fabric):
        train(...)

Several share every batch; the first one alone reads and writes files of the run.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psutil
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning_fabric.strategies import DDPStrategy

from bsn.errors import InputError
from bsn.training.determinism import settle

# How long a process waits for the others: one may read its photos from a slow disk, none takes that long for a step.
PATIENCE = timedelta(minutes=10)
# For gloo, which connects processors, torch has no class of errors. One of these is in each text: the path of gloo's
# code, or what its threads say to each other when one has lost patience.
GLOO = ("gloo", "pair closure")


def launch(*, threads: int, devices: int | None = None) -> Fabric:
    """What `torchrun` or `srun` has started, or else every GPU of this machine, or its processor; deterministic.

    threads: of torch, where one process trains alone; several have as many as whoever started them says. devices: how
    many GPUs at most, in place of every one. Raises InputError when the other processes do not come.
    """
    settle()
    environment, local, nodes = _started()
    local = local or devices or torch.cuda.device_count() or 1
    several = local * nodes > 1
    fabric = Fabric(
        accelerator="auto",
        devices=local,
        num_nodes=nodes,
        strategy=DDPStrategy(timeout=PATIENCE) if several else "auto",
        precision="bf16-mixed" if torch.cuda.is_available() else "32-true",
        plugins=[environment],
    )
    if nodes > 1:
        _choose_interface(environment.main_address)
    with one_line_for_a_lost_process(fabric):
        fabric.launch()
    if not several:
        torch.set_num_threads(threads)
    return fabric


@contextmanager
def one_line_for_a_lost_process(fabric: Fabric) -> Iterator[None]:
    """Whatever torch raises in a process that waits for another becomes one InputError."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.distributed.DistError) and not any(word in str(error) for word in GLOO):
            raise
        reason = str(error).splitlines()[0]
        raise InputError(
            f"process {fabric.global_rank} of {fabric.world_size} has lost another, or never found it ({reason}); look "
            "at what that one says, and start all of them again: training goes on from its last checkpoint"
        ) from error


def _started() -> tuple[ClusterEnvironment, int | None, int]:
    """Who has started this process, how many of them are on this host (None: nobody says), and on how many hosts.

    Fabric by itself takes the job's variables, which a batch script and a terminal have as well, for those of a process
    of many, and waits for others that nobody starts; and it does not know a step that is started from a terminal.
    """
    if TorchElasticEnvironment.detect():
        local, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        if world % local:
            raise InputError(f"{local} of {world} processes are on this host; start as many on each (--nproc-per-node)")
        return TorchElasticEnvironment(), local, world // local
    # Of what srun has started: a step. A step's terminal (--pty) is that of its first process alone.
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
    # Fabric reads the job's.
    os.environ.update(
        SLURM_NTASKS_PER_NODE=str(local), SLURM_NNODES=str(nodes), SLURM_NODELIST=os.environ["SLURM_STEP_NODELIST"]
    )
    return SLURMEnvironment(), local, nodes


def _choose_interface(main_address: str) -> None:
    """Have gloo, which connects processors, listen where the first host can be reached.

    It would take the address of this host's own name, and that is often 127.0.1.1, where no other host finds it.
    """
    family, _, _, _, where = socket.getaddrinfo(main_address, 9, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(where)  # sends nothing
        own = probe.getsockname()[0]
    for name, addresses in psutil.net_if_addrs().items():
        if own in (address.address for address in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
