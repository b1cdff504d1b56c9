"""Layers shared by both networks, and their output type.

Batch norm and dropout compute the same however a batch is split over processes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn import functional


class Output(NamedTuple):
    """Logits of a network.

    The C classes are foreground and background for hard labels; foreground, boundary and background for soft ones.

    Attributes:
        fused: (N, C, h, w), the prediction.
        branches: (N, C, h, w) per scale, each with a loss of its own.
        attributes: (S, N, A, 2) for A attributes and S classifiers; None without the attribute branch.
        align_corners: whether the grid's corner cells lie on the photo's corner pixels, as in Caffe.
    """

    fused: Tensor
    branches: tuple[Tensor, ...] = ()
    attributes: Tensor | None = None
    align_corners: bool = False


class Network(nn.Module):
    """Base of the networks of Table 1.

    forward: (N, channels, H, W) -> `Output`.
    """

    def parameter_groups(self, *, head_lr_multiplier: float) -> list[dict[str, Any]]:
        """Optimizer groups.

        Args:
            head_lr_multiplier: of the learning rate of the layers above the backbone.

        Returns:
            For each group `params` and the `multiplier` of its learning rate, 1 for the backbone.
        """
        raise NotImplementedError


def upsample(logits: Tensor, size: Sequence[int], *, align_corners: bool = False) -> Tensor:
    """Resize bilinearly.

    Args:
        logits: (N, C, h, w), logits or any other map.
        size: (height, width) of the result.
        align_corners: as in torch: whether corner pixels lie on corner pixels.

    Returns:
        (N, C, height, width).
    """
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=align_corners)


def foreground_score(logits: Tensor) -> Tensor:
    """Foreground logit minus background logit: the portrait is where it is above zero.

    The boundary class is ignored, as section 4.1 does in testing.

    Args:
        logits: (N, C, h, w); the first channel is foreground, the last one background.

    Returns:
        (N, h, w).
    """
    return logits[:, 0] - logits[:, -1]


class BatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d whose training statistics are those of the joint batch over all processes.

    torch's own SyncBatchNorm needs a GPU. With one process, and in evaluation mode, this is nn.BatchNorm2d.

    forward: (N, channels, h, w) -> the same shape and dtype.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and distributed.is_initialized() and distributed.get_world_size() > 1):
            return super().forward(x)
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        count = values.new_tensor([values.numel() / values.shape[1]])
        sums = all_reduce(torch.cat([values.sum(dim=(0, 2, 3)), count]))
        total, mean = sums[-1].detach(), (sums[:-1] / sums[-1].detach())[:, None, None]
        # In a second pass, because the mean of squares minus the square of the mean suffers from cancellation.
        variance = all_reduce((values - mean).square().sum(dim=(0, 2, 3))) / total
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean.flatten().to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_((variance * total / (total - 1)).to(self.running_var.dtype), self.momentum)
        scale = (self.weight * (variance + self.eps).rsqrt())[:, None, None]
        return ((values - mean) * scale + self.bias[:, None, None]).to(x.dtype)


class BatchNormAct2d(BatchNorm2d):
    """timm's layer of that name with statistics over all processes: batch norm, then the module's `drop` and `act`."""

    drop: nn.Module
    act: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.drop(super().forward(x)))


def freeze_batch_norm(model: nn.Module) -> None:
    """Make every batch norm a fixed scale and shift, for fine-tuning from pre-trained weights.

    Args:
        model: changed in place.

    Raises:
        ValueError: the model has no batch norm.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no batch normalisation to freeze; leave freeze_batch_norm off")
    for layer in layers:
        layer.eval().requires_grad_(False)


class Dropout(nn.Module):
    """Dropout of whole channels; the others are scaled by 1 / (1 - probability). The identity in evaluation mode.

    `draw_dropout` draws the dropped channels before each step with one seed per photo, so that two processes with half
    a batch each drop the same channels as one process with the whole batch.

    forward: (N, channels, ...) -> the same shape. In training mode, raises ValueError if `draw_dropout` was not called
    or drew for another number of photos.

    Args:
        channels: of the input.
        probability: that a channel is dropped.
    """

    def __init__(self, channels: int, *, probability: float = 0.5) -> None:
        super().__init__()
        self.channels = channels
        self.probability = probability
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        if self.kept is None or len(self.kept) != len(x):
            drawn = 0 if self.kept is None else len(self.kept)
            raise ValueError(
                f"dropout in training mode has a batch of {len(x)} photos and was drawn for {drawn}; call "
                "bsn.models.layers.draw_dropout with one seed per photo before each step, or model.eval()"
            )
        return x * self.kept.to(x.dtype).view(*self.kept.shape, *[1] * (x.dim() - 2))


def draw_dropout(model: nn.Module, seeds: Sequence[int], device: torch.device) -> None:
    """Draw the channels that the model's dropout layers drop in the next step.

    Args:
        model: with any number of `Dropout` layers.
        seeds: one per photo, in the order of the batch.
        device: of the model.
    """
    layers = [module for module in model.modules() if isinstance(module, Dropout)]
    if not layers:
        return
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    for layer in layers:
        draws = torch.stack([torch.rand(layer.channels, generator=generator) for generator in generators])
        layer.kept = ((draws >= layer.probability) / (1 - layer.probability)).to(device)
