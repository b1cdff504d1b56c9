"""What makes the same training give the same bytes: its number of threads, and the ways that torch may compute in.

A sum that several threads share is rounded by where it is cut, so weights depend on how many there are. With a number
that is set they do not depend on the machine's cores. What is left is the versions of the libraries and the processor's
instruction set (`instructions`): oneDNN adds up in another order with AVX2 than with AVX-512.
"""

import os

import torch

from bsn.environment import pinned

# Buffers of cuBLAS that no two products share: without them a product may be added up in another order.
WORKSPACE = ":4096:8"
# What `settle` asks of torch, for whoever writes down how a result was made.
MODE = "deterministic where torch can be, a warning elsewhere"


def settle() -> None:
    """Have torch compute everything in one way, from here on. To be called before the first use of a GPU.

    On a processor this changes no byte and costs no time: there only the number of threads counts. On a GPU cuDNN no
    longer chooses its convolutions by timing them, and the backward pass of bilinear upsampling, which adds up in
    whatever order it comes to, is replaced by a slower one of torch's; where torch has no such replacement it warns and
    goes on. bf16 is as deterministic as float32, only coarser. Another kind of GPU gives other bytes in any case.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Every new tensor would be filled, so that also what is read before it is written is the same: it costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def instructions() -> str:
    """What torch computes with: the processor's newest, such as AVX512, or "AVX2, pinned" (bsn.environment)."""
    found = torch.backends.cpu.get_cpu_capability()
    return f"{found}, pinned" if pinned() else found
