"""The losses of section 3: eq. (4) with the individual kernel, eq. (7) with the global one, and a batch's total.

Shapes: logits (N, C, H, W); labels (N, C, H, W), a soft label or a one-hot vector per pixel, all zero where the pixel
is ignored; kernel (N, H, W), the global kernel under each patch. Means are over the pixels that are not ignored.
"""

import torch
from torch import Tensor
from torch.nn import functional

from bsn.models.layers import Output, upsample


def individual_kernel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Eq. (4) per pixel: L = -sum over j of K_indv_j log y_j, where y is the softmax of the logits.

    Its gradient with respect to the logits is eq. (5), y - K_indv. With one-hot labels it is the cross-entropy. Loss
    and gradient of ignored pixels are zero.

    Args:
        logits: (N, C, H, W).
        labels: K_indv, (N, C, H, W) in 0..1, all zero where ignored.

    Returns:
        (N, H, W), at least float32.
    """
    precision = torch.promote_types(logits.dtype, torch.float32)
    return -(labels * functional.log_softmax(logits, dim=1, dtype=precision)).sum(dim=1)


def global_kernel_loss(logits: Tensor, labels: Tensor, kernel: Tensor) -> Tensor:
    """Eq. (7) per pixel: L = -K_global_s log y_g, where g is the class with the largest label; boundary in a tie.

    Its gradient with respect to the logits is K_global_s (y - 1(i = g)), eq. (8).

    Args:
        logits: (N, C, H, W).
        labels: (N, C, H, W) in 0..1, all zero where ignored.
        kernel: K_global, (N, H, W).

    Returns:
        (N, H, W), at least float32; zero where ignored.
    """
    classes = labels.argmax(dim=1)
    if labels.shape[1] == 3:
        classes = torch.where(labels[:, 1] == labels.amax(dim=1), 1, classes)
    one_hot = torch.zeros_like(labels).scatter_(1, classes.unsqueeze(1), 1) * not_ignored(labels).unsqueeze(1)
    return kernel * individual_kernel_loss(logits, one_hot)


def boundary_sensitive_loss(
    logits: Tensor, labels: Tensor, kernel: Tensor | None = None, *, combination: str = "product"
) -> Tensor:
    """Segmentation loss of one batch: eq. (4), eq. (7), or both for the full BSN; mean over labelled pixels.

    Args:
        logits: (N, C, H, W).
        labels: (N, C, H, W) in 0..1, all zero where ignored.
        kernel: K_global, (N, H, W); None for eq. (4) alone.
        combination: of eq. (4) and eq. (7), which the paper does not give. "product" is K_global times eq. (4), which
            with one-hot labels is eq. (7); "sum" is eq. (4) + eq. (7).

    Returns:
        Scalar.

    Raises:
        ValueError: the combination is neither.
    """
    if combination not in ("product", "sum"):
        raise ValueError(f"combination is {combination!r}; it is product or sum")
    loss = individual_kernel_loss(logits, labels)
    if kernel is not None and combination == "product":
        loss = kernel * loss
    elif kernel is not None:
        loss = loss + global_kernel_loss(logits, labels, kernel)
    return loss.sum() / not_ignored(labels).sum().clamp(min=1)


def not_ignored(labels: Tensor) -> Tensor:
    """Mask of the labelled pixels.

    Args:
        labels: (N, C, H, W), all zero where ignored.

    Returns:
        (N, H, W), 1 where labelled and 0 where ignored, of the labels' dtype.
    """
    return (labels.sum(dim=1) > 0).to(labels.dtype)


def targets(labels: Tensor, classes: int) -> Tensor:
    """Targets for a network of 3 or 2 classes.

    Args:
        labels: (N, 3, H, W), soft labels [l_fg, l_bdry, l_bg].
        classes: 3 returns the labels; 2 returns one-hot [foreground, background], whichever label is larger.

    Returns:
        (N, classes, H, W).
    """
    if classes == 3:
        return labels
    labelled = labels.sum(dim=1) > 0
    foreground = labels[:, 0] >= labels[:, 2]
    return torch.stack([foreground & labelled, ~foreground & labelled], dim=1).to(labels.dtype)


def batch_losses(output: Output, batch: dict[str, Tensor], *, combination: str) -> tuple[Tensor, Tensor]:
    """Segmentation and attribute loss of one batch: means over its labelled pixels and its known attribute values.

    The segmentation loss is summed over the fused logits and those of every branch, as in DeepLabv2; the attribute loss
    over the classifiers. The logits are upsampled to the patch's resolution first: on their own grid, an eighth of it,
    a band of 10 pixels would hardly exist.

    Args:
        output: of the network.
        batch: of `bsn.training.patches.PatchSampler.load`, as tensors. Attributes of class -1 are ignored.
        combination: see `boundary_sensitive_loss`.

    Returns:
        Segmentation loss and attribute loss, two scalars; the second is 0 without the attribute branch.
    """
    size = batch["labels"].shape[-2:]
    wanted = targets(batch["labels"], output.fused.shape[1])
    segmentation = torch.zeros((), device=wanted.device)
    for logits in (output.fused, *output.branches):
        full = upsample(logits, size, align_corners=output.align_corners)
        segmentation = segmentation + boundary_sensitive_loss(full, wanted, batch["kernel"], combination=combination)
    if output.attributes is None:
        return segmentation, segmentation.new_zeros(())
    classes, attribute = batch["attributes"].flatten(), torch.zeros((), device=wanted.device)
    for logits in output.attributes:
        attribute = attribute + functional.cross_entropy(
            logits.flatten(0, 1), classes, ignore_index=-1, reduction="sum"
        )
    return segmentation, attribute / (classes >= 0).sum().clamp(min=1)


def known_counts(batch: dict[str, Tensor]) -> Tensor:
    """Denominators of the two means in `batch_losses`: labelled pixels and known attribute values, (2,) float32."""
    return torch.stack([not_ignored(batch["labels"]).sum(), (batch["attributes"] >= 0).sum().float()])
