"""The losses of the paper: eq. (4) with the individual kernel, eq. (7) with the global one, and both together.

Shapes: logits (N, C, H, W); labels (N, C, H, W), a soft label or a one-hot vector at each pixel, all zero where the
pixel is ignored; kernel (N, H, W), the global kernel under each patch. A mean is over the pixels not ignored.
"""

import torch
from torch import Tensor
from torch.nn import functional


def individual_kernel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Eq. (4) at each pixel: -sum over j of K_indv_j log y_j, y the softmax of the logits. Returns (N, H, W).

    Its gradient by the logits is eq. (5), y - K_indv. With one-hot labels it is the plain cross-entropy, and an
    ignored pixel, whose label is all zero, gives zero loss and zero gradient. The softmax of bf16 logits is float32.
    """
    precision = torch.promote_types(logits.dtype, torch.float32)
    return -(labels * functional.log_softmax(logits, dim=1, dtype=precision)).sum(dim=1)


def global_kernel_loss(logits: Tensor, labels: Tensor, kernel: Tensor) -> Tensor:
    """Eq. (7) at each pixel: -K_global_s log y_g, g the pixel's class, the largest of its label. Returns (N, H, W).

    Its gradient by the logits is eq. (8) with the sign of a descent, K_global_s (y - 1(i = g)). Where the boundary is
    as likely as another class, the pixel is boundary.
    """
    classes = labels.argmax(dim=1)
    if labels.shape[1] == 3:
        classes = torch.where(labels[:, 1] == labels.amax(dim=1), 1, classes)
    one_hot = torch.zeros_like(labels).scatter_(1, classes.unsqueeze(1), 1) * not_ignored(labels).unsqueeze(1)
    return kernel * individual_kernel_loss(logits, one_hot)


def boundary_sensitive_loss(
    logits: Tensor, labels: Tensor, kernel: Tensor | None = None, *, combination: str = "product"
) -> Tensor:
    """The segmentation loss of one patch batch, a scalar: eq. (4), (7), or the full BSN's of both.

    How (4) and (7) combine is not written in the paper:
    "product"  K_global_s x eq. (4); with one-hot labels this is eq. (7) itself
    "sum"      eq. (4) + eq. (7)
    Without a kernel it is eq. (4) alone. Raises ValueError for another combination.
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
    """(N, H, W) float, 1 where a pixel has a label and 0 where it is ignored."""
    return (labels.sum(dim=1) > 0).to(labels.dtype)
