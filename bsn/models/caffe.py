"""Weights of the official Caffe DeepLabv2, as two public ports convert them, with our names and for our input.

The ports' names: `base.layer2.block1.reduce.conv.weight` (deeplab-pytorch by kazuto1011, whose older files have `proj`
for `shortcut` and `aspp.stages.c0` for `aspp.c0`), or `Scale.layer1.0.conv1.weight` and
`Scale.layer5.conv2d_list.0.weight` (pytorch-deeplab-resnet by isht7 and by speedinghzl).
"""

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from bsn.inputs import MEAN, STD

# Mean that is subtracted from the official network's input: blue, green, red, in 0..255.
BGR_MEAN = (104.008, 116.669, 122.675)
_PREFIX = re.compile(r"^(?:(?:module|base|scale|Scale)\.)+")
# Number of a bottleneck's convolution by kazuto1011's name for it.
_PARTS = {"reduce": 1, "conv3x3": 2, "increase": 3}
_STEM = re.compile(r"layer1\.conv1\.(conv|bn)\.(.+)")
_BLOCK = re.compile(r"layer([2-5])\.block(\d+)\.(reduce|conv3x3|increase|shortcut|proj)\.(conv|bn)\.(.+)")
_ASPP = re.compile(r"(?:aspp\.(?:stages\.)?c|layer5\.conv2d_list\.)([0-3])\.(.+)")


def is_caffe(names: Iterable[str]) -> bool:
    """Whether these tensor names are those of a converted Caffe checkpoint."""
    return any(
        name.removeprefix("module.").startswith("Scale.") or _STEM.fullmatch(bare) or _ASPP.fullmatch(bare)
        for name, bare in ((name, _PREFIX.sub("", name)) for name in names)
    )


def from_caffe(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert a checkpoint to our tensor names and our input, RGB normalised by ImageNet's mean and deviation.

    Input: the official network takes BGR in 0..255 minus BGR_MEAN. With x our input, that is
    255 std x + (255 mean - BGR_MEAN). The factor is multiplied into conv1, and the constant subtracted from the running
    mean of the batch norm behind it. While that is frozen, the result is exact, except at the padded border, which
    differs by the constant (at most one grey level of 255).

    Scale: conv1 is divided by the running standard deviation of that batch norm, which becomes 1. Otherwise the batch
    norm, made for grey levels, would divide the added channels, whose values are near 1, by some hundreds, and they
    would hardly have an effect or learn.

    Classes: class 0 is the background in such files, and the last class is in ours. An ASPP of two classes is reversed;
    one of any other number is dropped, because its classes are not ours.

    Args:
        tensors: by the names of either port (`is_caffe`).

    Returns:
        Tensors by our names. If the first layer is missing or has other than three input channels, the input is not
        converted, and the caller refuses the tensors by their shapes.
    """
    converted = {_our_name(_PREFIX.sub("", name)): tensor for name, tensor in tensors.items()}
    for name in [name for name in converted if name.startswith("aspp.")]:
        if len(converted[name]) == 2:
            converted[name] = converted[name].flip(0)
        else:
            del converted[name]
    weight, mean = converted.get("backbone.conv1.weight"), converted.get("backbone.bn1.running_mean")
    variance = converted.get("backbone.bn1.running_var")
    if weight is None or mean is None or variance is None or weight.dim() != 4 or weight.shape[1] != 3:
        return converted
    weight = weight.double().flip(1)
    offset = torch.tensor([255 * ours - theirs for ours, theirs in zip(MEAN, BGR_MEAN[::-1], strict=True)]).double()
    factor = 255 * torch.tensor(STD).double()
    constant = torch.einsum("oihw,i->o", weight, offset)
    eps = nn.BatchNorm2d(1).eps
    scale = (variance.double() + eps).rsqrt()
    converted["backbone.bn1.running_mean"] = ((mean.double() - constant) * scale).float()
    converted["backbone.bn1.running_var"] = torch.full_like(variance, 1 - eps)
    converted["backbone.conv1.weight"] = (weight * factor.view(1, 3, 1, 1) * scale.view(-1, 1, 1, 1)).float()
    return converted


def _our_name(name: str) -> str:
    if found := _ASPP.fullmatch(name):
        return f"aspp.convs.{found[1]}.{found[2]}"
    if found := _STEM.fullmatch(name):
        return f"backbone.{found[1]}1.{found[2]}"
    if found := _BLOCK.fullmatch(name):
        stage, block, part, kind, rest = found.groups()
        layer = f"{kind}{_PARTS[part]}" if part in _PARTS else f"downsample.{('conv', 'bn').index(kind)}"
        return f"backbone.layer{int(stage) - 1}.{int(block) - 1}.{layer}.{rest}"
    return f"backbone.{name}"
