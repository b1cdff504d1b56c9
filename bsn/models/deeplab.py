"""DeepLabv2 (section 4.1) with the attribute branch (section 3.3).

One backbone and one ASPP are shared by branches at three scales, whose logits are fused by element-wise maximum.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from bsn.models.backbones import build_backbone
from bsn.models.layers import Dropout, Network, Output, upsample

# DeepLabv2's, in cells of the feature map; the paper's 400 pixels are 50 cells.
ASPP_RATES = (6, 12, 18, 24)


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: 3x3 convolutions at several rates, with bias, summed.

    forward: (N, channels, h, w) -> (N, classes, h, w).
    """

    def __init__(self, channels: int, classes: int, *, rates: Sequence[int] = ASPP_RATES) -> None:
        super().__init__()
        convs = [nn.Conv2d(channels, classes, 3, padding=rate, dilation=rate) for rate in rates]
        for conv in convs:
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(cast(Tensor, conv.bias))
        self.convs: Any = nn.ModuleList(convs)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and torch.is_grad_enabled():
            return self._as_one_product(x)
        return cast(Tensor, sum(conv(x) for conv in self.convs))

    def _as_one_product(self, x: Tensor) -> Tensor:
        """The same sum by one matrix product for all taps of all rates, whose results are shifted and added.

        oneDNN has no fast backward pass for dilated convolutions, and with few classes the shifted maps are small.
        """
        weights = torch.cat([conv.weight.permute(2, 3, 0, 1).flatten(0, 2) for conv in self.convs])
        taps = functional.linear(x.permute(0, 2, 3, 1), weights).permute(0, 3, 1, 2).contiguous()
        shifted = []
        for conv, by_rate in zip(self.convs, taps.unflatten(1, (len(self.convs), 9, -1)).unbind(1), strict=True):
            rate = conv.dilation[0]
            steps = [(i, j) for i in (-rate, 0, rate) for j in (-rate, 0, rate)]
            shifted += [_shift(tap, down, right) for tap, (down, right) in zip(by_rate.unbind(1), steps, strict=True)]
        return torch.stack(shifted).sum(dim=0) + cast(Tensor, sum(conv.bias for conv in self.convs))[:, None, None]


def _shift(x: Tensor, down: int, right: int) -> Tensor:
    """(N, C, H, W) -> the same shape: y[h, w] = x[h + down, w + right], zero outside of x."""
    if abs(down) >= x.shape[-2] or abs(right) >= x.shape[-1]:
        return x.new_zeros(x.shape)
    # One copy in each direction; a slice of a padded copy has a backward pass that also fills a tensor with zeros.
    return functional.pad(x, (-right, right, -down, down))


def _rounded(length: Any) -> Any:
    """round(length), half to even; during an ONNX export a length is a tensor, which must stay one."""
    return length.round().long() if isinstance(length, Tensor) else round(length)


class AttributeBranch(nn.Module):
    """Boundary-sensitive attribute classifier of section 3.3: two logits per attribute from the shared features.

    Each attribute has its own layers: FC, ReLU, dropout, FC, ReLU, dropout, FC to 2. The paper's "conv1_1 to pool5" are
    VGG's names; a ResNet's pool5 is its global average pool, which DeepLab drops and this branch adds again.

    Args:
        channels: of the features.
        attributes: number of binary attributes.
        neurons: of both hidden layers, 1024 in the paper.

    forward: (N, channels, h, w) -> (N, attributes, 2).
    """

    def __init__(self, channels: int, *, attributes: int, neurons: int) -> None:
        super().__init__()
        self.classifiers = nn.ModuleList(
            nn.Sequential(
                nn.Linear(channels, neurons),
                nn.ReLU(inplace=True),
                Dropout(neurons),
                nn.Linear(neurons, neurons),
                nn.ReLU(inplace=True),
                Dropout(neurons),
                nn.Linear(neurons, 2),
            )
            for _ in range(attributes)
        )

    def forward(self, features: Tensor) -> Tensor:
        pooled = features.mean(dim=(2, 3))
        return torch.stack([classifier(pooled) for classifier in self.classifiers], dim=1)


class DeepLabV2(Network):
    """DeepLabv2 for portraits: PortraitDeepLabv2 and the four BSNs.

    forward: (N, channels, H, W) -> `Output`, every branch on the grid of the largest one.

    Args:
        classes: 2 for hard labels (foreground, background), 3 for soft ones (foreground, boundary, background).
        channels: of the input; 6 in the paper.
        backbone: `resnet18`, `resnet50`, `resnet101` (the paper's) or the name of a timm model.
        base_width: channels of a ResNet's first stage, 64 in the paper.
        layout: of a ResNet, "torchvision", or "caffe" for the official network (bsn/models/resnet.py).
        output_stride: input pixels per cell of a timm model's feature maps; a ResNet has 8, as in the paper.
        out_index: index of the timm feature level to use.
        aspp_rates: dilations of the ASPP, in cells.
        scales: of the branches.
        attributes: number of binary attributes that the branch classifies; 0 for no branch.
        attribute_neurons: of the branch's two hidden layers, 1024 in the paper.
        attribute_classifiers: "one" on the branch of the largest scale, or "each" for one per branch, as the paper's
            "for each channel" can be read.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int = 6,
        backbone: str = "resnet101",
        base_width: int = 64,
        layout: str = "torchvision",
        output_stride: int = 8,
        out_index: int = -1,
        aspp_rates: Sequence[int] = ASPP_RATES,
        scales: Sequence[float] = (0.5, 0.75, 1.0),
        attributes: int = 0,
        attribute_neurons: int = 1024,
        attribute_classifiers: str = "one",
    ) -> None:
        super().__init__()
        # Largest first: the others are resized to its grid.
        self.scales = tuple(sorted(scales, reverse=True))
        # As in Caffe, whose grid of 51 cells over 400 pixels fits only with aligned corners.
        self.align_corners = layout == "caffe"
        self.backbone = build_backbone(
            backbone,
            channels=channels,
            base_width=base_width,
            layout=layout,
            output_stride=output_stride,
            out_index=out_index,
        )
        self.aspp = ASPP(self.backbone.out_channels, classes, rates=aspp_rates)
        classifiers = {"one": 1, "each": len(self.scales)}[attribute_classifiers] if attributes else 0
        self.attribute_branch = nn.ModuleList(
            AttributeBranch(self.backbone.out_channels, attributes=attributes, neurons=attribute_neurons)
            for _ in range(classifiers)
        )

    def forward(self, x: Tensor) -> Output:
        """Logits of a batch (N, channels, H, W); every branch's are on the grid of the largest one."""
        branches, attributes = [], []
        for number, scale in enumerate(self.scales):
            scaled = x if scale == 1 else self._rescale(x, scale)
            features = self.backbone(scaled)
            logits = self.aspp(features)
            grid = branches[0].shape[-2:] if branches else logits.shape[-2:]
            branches.append(upsample(logits, grid, align_corners=self.align_corners))
            if number < len(self.attribute_branch):
                attributes.append(self.attribute_branch[number](features))
        attribute_logits = torch.stack(attributes) if attributes else None
        return Output(reduce(torch.maximum, branches), tuple(branches), attribute_logits, self.align_corners)

    def _rescale(self, x: Tensor, scale: float) -> Tensor:
        return upsample(x, [_rounded(side * scale) for side in x.shape[-2:]], align_corners=self.align_corners)

    def parameter_groups(self, *, head_lr_multiplier: float) -> list[dict[str, Any]]:
        """Optimizer groups, each with the `multiplier` of its learning rate.

        1 for the backbone, `head_lr_multiplier` for the weights above it, and twice that for their biases, which have
        no weight decay. DeepLabv2's multipliers are 10 and 20: its backbone is pre-trained, and the head is not.
        """
        named = [*self.aspp.named_parameters(), *self.attribute_branch.named_parameters()]
        biases = [p for name, p in named if name.endswith("bias")]
        return [
            {"params": list(self.backbone.parameters()), "multiplier": 1.0},
            {"params": [p for name, p in named if not name.endswith("bias")], "multiplier": head_lr_multiplier},
            {"params": biases, "multiplier": 2 * head_lr_multiplier, "weight_decay": 0.0},
        ]
