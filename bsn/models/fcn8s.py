"""PortraitFCN+ (Shen et al. 2016): FCN-8s on VGG16 with six input channels, and torchvision's VGG16 weights for it."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from bsn.models.layers import BatchNorm2d, Dropout, Network, Output, upsample

# Before each pool: channels over the base width, and number of convolutions.
VGG16_BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
PAPER_FC, PAPER_BASE_WIDTH = 4096, 64
# torchvision's names of fc6 and fc7, and ours.
_CLASSIFIER = {"classifier.0": "fc6.0", "classifier.3": "fc7.0"}


class FCN8s(Network):
    """FCN-8s: scores of pool3, pool4 and fc7, each upsampled and added to the next finer one.

    forward: (N, channels, H, W) -> `Output` on the grid of pool3, an eighth of the input.

    Args:
        classes: 2, foreground and background.
        channels: of the input; 6 in PortraitFCN+.
        base_width: channels of the first block, 64 in VGG16.
        batch_norm: needed to train from random weights, where plain VGG16 does not converge.
    """

    def __init__(self, *, classes: int, channels: int = 6, base_width: int = 64, batch_norm: bool = False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        inputs = channels
        for widths, convolutions in VGG16_BLOCKS:
            layers: list[nn.Module] = []
            for _ in range(convolutions):
                layers += _convolution(inputs, widths * base_width, 3, batch_norm)
                inputs = widths * base_width
            # Ceil mode, as in Caffe, so that photos whose sides are not multiples of 32 lose no border.
            self.blocks.append(nn.Sequential(*layers, nn.MaxPool2d(2, 2, ceil_mode=True)))
        neurons = PAPER_FC * base_width // PAPER_BASE_WIDTH
        self.fc6 = nn.Sequential(*_convolution(inputs, neurons, 7, batch_norm), Dropout(neurons))
        self.fc7 = nn.Sequential(*_convolution(neurons, neurons, 1, batch_norm), Dropout(neurons))
        self.score_pool3 = nn.Conv2d(4 * base_width, classes, 1)
        self.score_pool4 = nn.Conv2d(8 * base_width, classes, 1)
        self.score_fc7 = nn.Conv2d(neurons, classes, 1)
        for score in (self.score_pool3, self.score_pool4, self.score_fc7):
            nn.init.normal_(score.weight, std=0.01)
            nn.init.zeros_(cast(Tensor, score.bias))

    def forward(self, x: Tensor) -> Output:
        """Logits of a batch (N, channels, H, W) on the grid of pool3, an eighth of the input."""
        pools = []
        for block in self.blocks:
            x = block(x)
            pools.append(x)
        score = self.score_fc7(self.fc7(self.fc6(x)))
        for finer in (self.score_pool4(pools[3]), self.score_pool3(pools[2])):
            score = finer + upsample(score, finer.shape[-2:])
        return Output(score)

    def parameter_groups(self, *, head_lr_multiplier: float) -> list[dict[str, Any]]:
        """Optimizer groups with the `multiplier` of their learning rate: `head_lr_multiplier` for the score layers."""
        head = [p for name, p in self.named_parameters() if name.startswith("score")]
        backbone = [p for name, p in self.named_parameters() if not name.startswith("score")]
        return [{"params": backbone, "multiplier": 1.0}, {"params": head, "multiplier": head_lr_multiplier}]


def _convolution(inputs: int, outputs: int, kernel: int, batch_norm: bool) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=not batch_norm)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return [conv, *([BatchNorm2d(outputs)] if batch_norm else []), nn.ReLU(inplace=True)]


def from_vgg16(tensors: Mapping[str, Tensor], *, batch_norm: bool) -> dict[str, Tensor]:
    """Convert torchvision's weights of VGG16 or VGG16_BN to the names and shapes of `FCN8s`.

    As in FCN-8s, `classifier.0`, (4096, 512 x 7 x 7), becomes fc6's 7x7 convolution and `classifier.3` fc7's 1x1; the
    last layer is dropped. With batch norm our convolutions have no bias: torchvision's is subtracted from the batch
    norm's running mean, which is exact. VGG16_BN has no batch norm in its classifier, so ours starts as the identity
    there.

    Args:
        tensors: by torchvision's names.
        batch_norm: whether the `FCN8s` has batch norm.

    Returns:
        Tensors by our names.
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
