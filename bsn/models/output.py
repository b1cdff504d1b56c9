"""What a network of this project returns."""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional


class Output(NamedTuple):
    """Class order is foreground, background for hard labels; foreground, boundary, background for soft ones."""

    fused: Tensor  # (N, C, h, w) logits, the prediction
    branches: tuple[Tensor, ...] = ()  # (N, C, h, w) logits of each scale, for their own losses
    attributes: Tensor | None = None  # (S, N, A, 2) logits of each attribute by each of S classifiers
    corners: bool = False  # whether the corner cells of the grid lie on the corner pixels of the photo, as in Caffe


def upsample(logits: Tensor, size: tuple[int, int], *, corners: bool = False) -> Tensor:
    """Logits brought to (height, width) bilinearly: corner to corner, or else cell by cell of an even division."""
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=corners)


def foreground_score(logits: Tensor) -> Tensor:
    """Foreground logit minus background logit, (N, h, w): section 4.1 ignores the boundary class in testing.

    Above zero is portrait. The first channel is foreground and the last background, with or without a boundary
    between them.
    """
    return logits[:, 0] - logits[:, -1]
