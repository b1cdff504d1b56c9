"""Converted Caffe checkpoints of DeepLabv2, in the names that two well-known PyTorch ports give them, made ours.

Names: `base.layer2.block1.reduce.conv.weight` (deeplab-pytorch by kazuto1011; `proj` for `shortcut` and
`aspp.stages.c0` for `aspp.c0` in its older files) or `Scale.layer1.0.conv1.weight`, `Scale.layer5.conv2d_list.0.weight`
(pytorch-deeplab-resnet by isht7 and by speedinghzl).
"""

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from bsn.inputs import MEAN, STD

# The mean of the official network's input, blue, green, red, 0..255.
BGR_MEAN = (104.008, 116.669, 122.675)
_PREFIX = re.compile(r"^(?:(?:module|base|scale|Scale)\.)+")
_PARTS = {"reduce": 1, "conv3x3": 2, "increase": 3}
_STEM = re.compile(r"layer1\.conv1\.(conv|bn)\.(.+)")
_BLOCK = re.compile(r"layer([2-5])\.block(\d+)\.(reduce|conv3x3|increase|shortcut|proj)\.(conv|bn)\.(.+)")
_ASPP = re.compile(r"(?:aspp\.(?:stages\.)?c|layer5\.conv2d_list\.)([0-3])\.(.+)")


def is_caffe(names: Iterable[str]) -> bool:
    """Whether a file with tensors of these names is a converted Caffe checkpoint."""
    return any(
        name.removeprefix("module.").startswith("Scale.") or _STEM.fullmatch(bare) or _ASPP.fullmatch(bare)
        for name, bare in ((name, _PREFIX.sub("", name)) for name in names)
    )


def from_caffe(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same network in our names and for our input, RGB normalised by ImageNet's mean and deviation.

    The official network is shown BGR, 0..255, less BGR_MEAN. With x our input, its input is 255 std x + (255 mean -
    BGR_MEAN): the factor goes into conv1, the constant into the mean of the batch norm behind it. The padded border
    differs by that constant (at most one grey level of 255), the rest is exact while the batch norm is frozen.

    The variance of that batch norm, of activations in grey levels, goes into conv1 as well. Left in place it would
    divide the added channels, whose values are near 1, by some hundreds: they would hardly count, nor learn.

    Class 0 of such files is the background, and ours is the last: of two classes the order is turned. The ASPP for any
    other number of classes says nothing about ours, and is left out.
    """
    ours = {_our_name(_PREFIX.sub("", name)): tensor for name, tensor in tensors.items()}
    for name in [name for name in ours if name.startswith("aspp.")]:
        if len(ours[name]) == 2:
            ours[name] = ours[name].flip(0)
        else:
            del ours[name]
    weight, mean = ours.get("backbone.conv1.weight"), ours.get("backbone.bn1.running_mean")
    if (
        weight is None
        or mean is None
        or "backbone.bn1.running_var" not in ours
        or weight.dim() != 4
        or weight.shape[1] != 3
    ):
        return ours  # for the caller to refuse
    weight = weight.double().flip(1)
    offset = torch.tensor([255 * ours - theirs for ours, theirs in zip(MEAN, BGR_MEAN[::-1], strict=True)]).double()
    factor = 255 * torch.tensor(STD).double()
    constant = torch.einsum("oihw,i->o", weight, offset)
    variance = ours["backbone.bn1.running_var"]
    eps = nn.BatchNorm2d(1).eps
    scale = (variance.double() + eps).rsqrt()
    ours["backbone.bn1.running_mean"] = ((mean.double() - constant) * scale).float()
    ours["backbone.bn1.running_var"] = torch.full_like(variance, 1 - eps)
    ours["backbone.conv1.weight"] = (weight * factor.view(1, 3, 1, 1) * scale.view(-1, 1, 1, 1)).float()
    return ours


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
