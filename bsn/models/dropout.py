"""Dropout that does not know how a batch is split."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Drops whole channels of a photo, and raises the others by 1 / (1 - probability).

    What it drops is drawn before each step by `draw_dropout`, slot by slot, so that two processes with half of a batch
    each drop what one process with all of it would. In evaluation mode it drops nothing.

    forward: (N, channels, ...) -> the same shape. Raises ValueError in training mode when nothing was drawn, or for
    another number of photos.
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
                "bsn.models.dropout.draw_dropout with one seed per photo before each step, or model.eval()"
            )
        return x * self.kept.to(x.dtype).view(*self.kept.shape, *[1] * (x.dim() - 2))


def draw_dropout(model: nn.Module, seeds: Sequence[int], device: torch.device) -> None:
    """Draw what the model's dropout layers drop in the next step: one seed a photo of the batch, in its order."""
    layers = [module for module in model.modules() if isinstance(module, Dropout)]
    if not layers:
        return
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    for layer in layers:
        draws = torch.stack([torch.rand(layer.channels, generator=generator) for generator in generators])
        layer.kept = ((draws >= layer.probability) / (1 - layer.probability)).to(device)
