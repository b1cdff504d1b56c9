"""What a training step lowers: the segmentation loss of every branch, and the loss of the attributes."""

import torch
from torch import Tensor
from torch.nn import functional

from bsn.losses import boundary_sensitive_loss, not_ignored
from bsn.models.output import Output, upsample


def targets(labels: Tensor, classes: int) -> Tensor:
    """Soft labels (N, 3, h, w) as they are for 3 classes; for 2, the nearer of foreground and background, one-hot."""
    if classes == 3:
        return labels
    labelled = labels.sum(dim=1) > 0
    foreground = labels[:, 0] >= labels[:, 2]
    return torch.stack([foreground & labelled, ~foreground & labelled], dim=1).to(labels.dtype)


def losses(output: Output, batch: dict[str, Tensor], *, combination: str) -> tuple[Tensor, Tensor]:
    """Segmentation and attribute loss of one batch, two scalars: means over the pixels and the values that are known.

    The segmentation loss is summed over the fused map and every branch, as DeepLabv2 does, and the attribute loss over
    the classifiers. The segmentation loss is taken at the patch's own resolution: on the grid of the logits, an eighth
    of it, a band of 10 pixels would hardly exist.
    """
    size = batch["labels"].shape[-2:]
    wanted = targets(batch["labels"], output.fused.shape[1])
    segmentation = sum(
        boundary_sensitive_loss(
            upsample(logits, size, corners=output.corners), wanted, batch["kernel"], combination=combination
        )
        for logits in (output.fused, *output.branches)
    )
    if output.attributes is None:
        return segmentation, segmentation.new_zeros(())
    summed = sum(
        functional.cross_entropy(logits.flatten(0, 1), batch["attributes"].flatten(), ignore_index=-1, reduction="sum")
        for logits in output.attributes
    )
    return segmentation, summed / (batch["attributes"] >= 0).sum().clamp(min=1)


def counts(batch: dict[str, Tensor]) -> Tensor:
    """How many pixels and how many attributes are known, (2,) float32: what the two means of `losses` are over."""
    return torch.stack([not_ignored(batch["labels"]).sum(), (batch["attributes"] >= 0).sum().float()])
