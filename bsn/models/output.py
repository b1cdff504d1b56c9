"""What a network of this project returns."""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional


class Output(NamedTuple):
    """Class order is foreground, background for hard labels; foreground, boundary, background for soft ones."""

    fused: Tensor  # (N, C, h, w) logits, the prediction
    branches: tuple[Tensor, ...] = ()  # (N, C, h, w) logits of each scale, for their own losses
    attributes: Tensor | None = None  # (N, A, 2) logits of each attribute


def upsample(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits brought to (height, width) bilinearly."""
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def foreground_score(logits: Tensor) -> Tensor:
    """Foreground logit minus background logit, (N, h, w): section 4.1 ignores the boundary class in testing.

    Above zero is portrait. The first channel is foreground and the last background, with or without a boundary
    between them.
    """
    return logits[:, 0] - logits[:, -1]
