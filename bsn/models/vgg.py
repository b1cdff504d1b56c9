"""torchvision's VGG16 made PortraitFCN+'s: its classifier's first two layers become convolutions, as in FCN-8s."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bsn.models.fcn8s import VGG16_BLOCKS

_CLASSIFIER = {"classifier.0": "fc6.0", "classifier.3": "fc7.0"}


def from_torchvision(tensors: Mapping[str, Tensor], *, batch_norm: bool) -> dict[str, Tensor]:
    """Weights of VGG16 (or VGG16_BN) in our names.

    `classifier.0`, (4096, 512 x 7 x 7), is fc6's 7x7 convolution and `classifier.3` fc7's 1x1; the last is left out.
    With batch normalisation our convolutions have no bias: theirs goes into the normalisation's mean, which is exact.
    VGG16_BN has none behind its classifier: ours there starts as one that changes nothing.
    """
    names = {**_features(batch_norm), **_CLASSIFIER}
    ours = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        if layer in names:
            ours[f"{names[layer]}.{kind}"] = tensor
    for layer, side in (("fc6.0", 7), ("fc7.0", 1)):
        weight = ours.get(f"{layer}.weight")
        if weight is not None and weight.dim() == 2 and weight.shape[1] % side**2 == 0:
            ours[f"{layer}.weight"] = weight.view(len(weight), -1, side, side)
    if batch_norm:
        _biases_into_means(ours)
    return ours


def _features(batch_norm: bool) -> dict[str, str]:
    """Our name of each layer of `features` that has weights."""
    names, first, step = {}, 0, 3 if batch_norm else 2
    for block, (_, convolutions) in enumerate(VGG16_BLOCKS):
        for at in range(0, convolutions * step, step):
            for layer in (at, at + 1) if batch_norm else (at,):
                names[f"features.{first + layer}"] = f"blocks.{block}.{layer}"
        first += convolutions * step + 1  # the pool
    return names


def _biases_into_means(ours: dict[str, Tensor]) -> None:
    for name in [name for name in ours if name.startswith("fc") and name.endswith(".bias")]:
        fresh, zeros = name.replace("0.bias", "1"), torch.zeros_like(ours[name])
        ours[f"{fresh}.weight"], ours[f"{fresh}.bias"] = zeros + 1, zeros
        ours[f"{fresh}.running_mean"], ours[f"{fresh}.running_var"] = zeros, zeros + 1 - nn.BatchNorm2d(1).eps
    convolutions = [name.removesuffix(".weight") for name, tensor in ours.items() if tensor.dim() == 4]
    for convolution in convolutions:
        layer, _, index = convolution.rpartition(".")
        mean = f"{layer}.{int(index) + 1}.running_mean"
        if mean in ours and f"{convolution}.bias" in ours:
            ours[mean] = ours[mean] - ours.pop(f"{convolution}.bias")
