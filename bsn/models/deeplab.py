"""DeepLabv2 with a ResNet: three shared branches at three scales, ASPP, element-wise maximum (section 4.1)."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from bsn.models.attributes import AttributeBranch
from bsn.models.output import Output, upsample
from bsn.models.resnet import DilatedResNet

ASPP_RATES = (6, 12, 18, 24)


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: four 3x3 convolutions at four rates, with bias, summed.

    (N, channels, h, w) -> (N, classes, h, w).
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels, classes, 3, padding=rate, dilation=rate) for rate in ASPP_RATES)
        for conv in self.convs:
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        return sum(conv(x) for conv in self.convs)


class DeepLabV2(nn.Module):
    """PortraitDeepLabv2 and the four BSNs.

    classes: 2 for hard labels (foreground, background), 3 for soft ones (foreground, boundary, background).
    channels: of the input, 6 in the paper. depth: of the ResNet, 101 in the paper. base_width: 64 in the paper.
    layout: of the ResNet, "torchvision", or "caffe" for the official network (bsn/models/resnet.py).
    scales: of the branches. attributes: how many binary attributes the branch of section 3.3 tells; 0 for none.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int = 6,
        depth: int = 101,
        base_width: int = 64,
        layout: str = "torchvision",
        scales: Sequence[float] = (0.5, 0.75, 1.0),
        attributes: int = 0,
    ) -> None:
        super().__init__()
        self.scales = tuple(scales)
        # Caffe's resizing; and its grid of 51 cells over 400 pixels fits corner to corner alone.
        self.corners = layout == "caffe"
        self.backbone = DilatedResNet(depth=depth, base_width=base_width, channels=channels, layout=layout)
        self.aspp = ASPP(self.backbone.out_channels, classes)
        self.attribute_branch = (
            AttributeBranch(self.backbone.out_channels, attributes=attributes, base_width=base_width)
            if attributes
            else None
        )

    def forward(self, x: Tensor) -> Output:
        """x: (N, channels, H, W). The logits of every branch come on the grid of the largest one."""
        branches, attributes = [], None
        # Largest first: its grid is the one that the others are brought to.
        for scale in sorted(self.scales, reverse=True):
            scaled = x if scale == 1 else self._rescale(x, scale)
            features = self.backbone(scaled)
            logits = self.aspp(features)
            grid = branches[0].shape[-2:] if branches else logits.shape[-2:]
            branches.append(upsample(logits, grid, corners=self.corners))
            if attributes is None and self.attribute_branch is not None:
                attributes = self.attribute_branch(features)
        return Output(reduce(torch.maximum, branches), tuple(branches), attributes, self.corners)

    def _rescale(self, x: Tensor, scale: float) -> Tensor:
        return upsample(x, [round(side * scale) for side in x.shape[-2:]], corners=self.corners)

    def parameter_groups(self, *, new_layers: float) -> list[dict]:
        """Parameters by learning-rate multiplier: 1 for the backbone, `new_layers` for the weights of the layers above
        it, twice that for their biases, which carry no weight decay.

        DeepLabv2 takes 10 (and 20): its backbone is pre-trained, the layers above are new.
        """
        modules = [self.aspp, *([self.attribute_branch] if self.attribute_branch else [])]
        named = [parameter for module in modules for parameter in module.named_parameters()]
        biases = [p for name, p in named if name.endswith("bias")]
        return [
            {"params": list(self.backbone.parameters()), "multiplier": 1.0},
            {"params": [p for name, p in named if not name.endswith("bias")], "multiplier": new_layers},
            {"params": biases, "multiplier": 2 * new_layers, "weight_decay": 0.0},
        ]
