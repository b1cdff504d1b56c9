"""One training step outside of the training loop, timed by benchmarks.loader and benchmarks.gpu.

Forward, the losses of all branches, backward and the optimizer. The batch is copied into fixed tensors of the device,
as a CUDA graph needs.
"""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from bsn.inputs import network_input
from bsn.losses import batch_losses
from bsn.models.layers import draw_dropout

MOMENTUM = 0.9
WARM_UP = 3  # steps before a capture, in which cuDNN chooses algorithms and the optimizer allocates buffers


def made_up_batch(batch: int, crop: tuple[int, int], *, attributes: int, seed: int = 0) -> dict[str, Tensor]:
    """Return noise in the shapes and dtypes of `PatchSampler.load`, on the CPU; the soft labels sum to one."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.rand(batch, 3, *crop, generator=draw)
    return {
        "image": torch.randint(0, 256, (batch, 3, *crop), generator=draw, dtype=torch.uint8),
        "prior": torch.rand(batch, 3, *crop, generator=draw),
        "labels": labels / labels.sum(dim=1, keepdim=True),
        "kernel": 0.9 + 0.1 * torch.rand(batch, *crop, generator=draw),
        "attributes": torch.randint(0, 2, (batch, attributes), generator=draw),
    }


class Step:
    """A training step; each call updates the model's weights once.

    Args:
        model: on its device, in its mode.
        host: a batch as returned by `made_up_batch`.
        optimizer: "sgd" or "adamw".
        head_lr_multiplier: as in a profile.
        weight_decay: as in a profile.
        mixed: bf16 autocast around the network, as Fabric's "bf16-mixed", and channels last.
        compiled: whether torch.compile compiles the network and its losses.
    """

    def __init__(
        self,
        model: nn.Module,
        host: dict[str, Tensor],
        *,
        optimizer: str,
        head_lr_multiplier: float,
        weight_decay: float,
        mixed: bool,
        compiled: bool = False,
    ) -> None:
        self.device = next(model.parameters()).device
        self.mixed = mixed
        # Pinned, so that a GPU fetches the next batch while it still computes.
        self.host = {key: value.pin_memory() if self.device.type == "cuda" else value for key, value in host.items()}
        self.batch = {key: value.to(self.device) for key, value in host.items()}
        # Once, because a graph replays the first draw.
        draw_dropout(model, range(len(host["image"])), self.device)
        self.optimizer = self._optimizer(
            model.parameter_groups(head_lr_multiplier=head_lr_multiplier), optimizer, weight_decay
        )
        if mixed:
            model.to(memory_format=torch.channels_last)
        # For the shape of this batch alone.
        self.loss = torch.compile(_Loss(model), dynamic=False) if compiled else _Loss(model)
        self.run: Callable[[], object] = self.update

    def __call__(self, rate: float) -> None:
        """Copy the batch, set the learning rate, update the weights. Does not wait for a GPU."""
        for key, value in self.batch.items():
            value.copy_(self.host[key], non_blocking=True)
        for group in self.optimizer.param_groups:
            group["lr"].fill_(rate * group["multiplier"])
        self.run()

    def update(self) -> None:
        """Update the weights from the batch on the device; no operation waits for the device."""
        self.optimizer.zero_grad(set_to_none=True)
        self.forward().backward()
        self.optimizer.step()

    def forward(self) -> Tensor:
        """Return the loss of the batch on the device."""
        return self.loss(self.batch, self.mixed)

    def capture(self) -> None:
        """Capture the step as a CUDA graph, which later calls replay.

        Raises:
            RuntimeError: the capture failed.
        """
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self.update()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Free the gradients of the warm-up, so that the graph allocates its own.
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self.update()
        self.run = graph.replay

    def _optimizer(self, groups: list[dict], name: str, weight_decay: float) -> torch.optim.Optimizer:
        # A tensor rate and the fused kernel, or a graph would keep the rate as a constant.
        for group in groups:
            group["lr"] = torch.zeros((), device=self.device)
        if name == "sgd":
            return torch.optim.SGD(groups, momentum=MOMENTUM, weight_decay=weight_decay, fused=True)
        return torch.optim.AdamW(
            groups,
            betas=(MOMENTUM, 0.999),
            weight_decay=weight_decay,
            fused=True,
            capturable=self.device.type == "cuda",
        )


class _Loss(nn.Module):
    """The network and its losses: a batch in, a scalar out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor], mixed: bool) -> Tensor:
        x = network_input(batch["image"], batch["prior"])
        if mixed:
            x = x.contiguous(memory_format=torch.channels_last)
        # The meta device, which only counts operations, has no autocast.
        with torch.autocast(x.device.type, dtype=torch.bfloat16) if mixed else nullcontext():
            output = self.model(x)
        # Losses in float32, as with Fabric.
        output = output._replace(
            fused=output.fused.float(),
            branches=tuple(branch.float() for branch in output.branches),
            attributes=None if output.attributes is None else output.attributes.float(),
        )
        segmentation, attribute = batch_losses(output, batch, combination="product")
        return segmentation + attribute
