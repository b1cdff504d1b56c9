"""Faster training on a CPU: dilated convolutions, and convolutions with the frozen batch norm behind them folded in."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class DilatedConv2d(nn.Conv2d):
    """nn.Conv2d computed by `convolve`.

    forward: (N, in, H, W) -> (N, out, h, w).
    """

    def forward(self, x: Tensor) -> Tensor:
        return convolve(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )


class FoldedConv2d(nn.Conv2d):
    """A convolution that also applies the frozen batch norm behind it, y -> scale y + shift.

    The trained parameter stays the unscaled `weight`. `fold_frozen_batch_norm` makes these.

    forward: (N, in, H, W) -> (N, out, h, w).
    """

    scale: Tensor
    shift: Tensor
    pads_like_tensorflow: bool

    def forward(self, x: Tensor) -> Tensor:
        if self.pads_like_tensorflow:
            from timm.layers.padding import pad_same  # late: importing timm takes two seconds

            x = pad_same(x, list(self.kernel_size), list(self.stride), list(self.dilation))
        weight = self.weight * self.scale
        if self.kernel_size == self.stride == (1, 1) and self.groups == 1 and x.device.type == "cpu":
            # A matrix product needs no copy of activations that are stored channels last.
            return functional.linear(x.permute(0, 2, 3, 1), weight[:, :, 0, 0], self.shift).permute(0, 3, 1, 2)
        return convolve(
            x,
            weight,
            self.shift,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )


class FoldedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that the convolution before it applies: the identity, then the activation of timm's BatchNormAct2d."""

    act: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x) if hasattr(self, "act") else x


@torch.no_grad()
def fold_frozen_batch_norm(model: nn.Module, *, channels: int) -> None:
    """Fold each frozen batch norm into the convolution before it, in place.

    This saves two passes over the activations per layer and step. The state dict stays the same. The model is run once
    to find which convolution feeds which batch norm; a batch norm behind any other layer is not folded.

    Args:
        model: with batch norms in evaluation mode and without gradients.
        channels: of the model's input.
    """
    for conv, norm in _convolutions_before_batch_norms(model, channels):
        # A folded model is folded again for its next training, from other weights.
        pads_like_tensorflow = getattr(conv, "pads_like_tensorflow", type(conv).__name__ == "Conv2dSame")
        scale = norm.weight * (cast(Tensor, norm.running_var) + norm.eps).rsqrt()
        conv.register_buffer("scale", scale.view(-1, 1, 1, 1), persistent=False)
        conv.register_buffer("shift", norm.bias - cast(Tensor, norm.running_mean) * scale, persistent=False)
        conv.__class__, norm.__class__ = FoldedConv2d, FoldedBatchNorm2d
        cast(FoldedConv2d, conv).pads_like_tensorflow = pads_like_tensorflow
        activation: Any = getattr(norm, "act", None)
        if activation is not None:
            # The matrix product returns a view. In place on a view, autograd would copy it and its base.
            activation.inplace = False


def _convolutions_before_batch_norms(model: nn.Module, channels: int) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Pairs of a convolution without bias and the batch norm that takes its output."""
    makers: dict[int, tuple[nn.Conv2d, Tensor]] = {}
    pairs = {}

    def remember(conv: nn.Conv2d, _: tuple, output: Tensor) -> None:
        makers[id(output)] = (conv, output)  # keeps the tensor alive: Python reuses the id of a freed one

    def look_up(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        conv, _ = makers.get(id(inputs[0]), (None, None))
        if conv is not None and conv.bias is None:
            pairs[norm] = conv

    hooks = [
        module.register_forward_hook(remember)
        if isinstance(module, nn.Conv2d)
        else module.register_forward_pre_hook(look_up)
        for module in model.modules()
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    modes = [(module, module.training) for module in model.modules()]
    model.eval()(next(model.parameters()).new_zeros(1, channels, 64, 64))
    for module, mode in modes:
        module.training = mode
    for hook in hooks:
        hook.remove()
    return [(conv, norm) for norm, conv in pairs.items()]


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: tuple[int, ...] = (1, 1),
    padding: str | tuple[int, ...] = (0, 0),
    dilation: tuple[int, ...] = (1, 1),
    groups: int = 1,
) -> Tensor:
    """conv2d, computed on d x d interleaved sub-images for a dilation d > 1 on a CPU with gradients.

    oneDNN has no fast backward pass for dilated convolutions; on the sub-images the convolution is not dilated. Falls
    back to torch's conv2d if input and output differ in size.

    Args:
        x: (N, in, H, W).
        weight: (out, in / groups, rows, columns).
        bias: (out,) or None.
        stride: (vertical, horizontal), like `padding` and `dilation`.
        groups: of channels.

    Returns:
        (N, out, h, w).
    """
    step, (height, width), (rows, columns) = dilation[0], x.shape[-2:], weight.shape[-2:]
    same = (step * (rows // 2), step * (columns // 2))
    interleaves = step > 1 and dilation == (step, step) and stride == (1, 1) and padding == same
    if not interleaves or x.device.type != "cpu" or not torch.is_grad_enabled():
        return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)
    # These zeros are the same as the convolution's own padding.
    x = functional.pad(x, (0, -width % step, 0, -height % step))
    y = functional.conv2d(_interleave(x, step), weight, bias, padding=(rows // 2, columns // 2), groups=groups)
    return _deinterleave(y, step)[:, :, :height, :width]


def _interleave(x: Tensor, step: int) -> Tensor:
    """(N, C, H, W) -> (step * step * N, C, H / step, W / step), stored channels last."""
    n, c, h, w = x.shape
    x = x.permute(0, 2, 3, 1).reshape(n, h // step, step, w // step, step, c)
    return x.permute(2, 4, 0, 1, 3, 5).reshape(-1, h // step, w // step, c).permute(0, 3, 1, 2)


def _deinterleave(x: Tensor, step: int) -> Tensor:
    """The inverse of `_interleave`."""
    n, c, h, w = x.shape
    x = x.permute(0, 2, 3, 1).reshape(step, step, n // step**2, h, w, c)
    return x.permute(2, 3, 0, 4, 1, 5).reshape(-1, h * step, w * step, c).permute(0, 3, 1, 2)
