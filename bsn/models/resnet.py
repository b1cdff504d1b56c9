"""ResNet of DeepLabv2: output stride 8, the last two stages dilated by 2 and 4 in every block.

Parameter names are torchvision's, so that its ImageNet weights load. torchvision's `replace_stride_with_dilation` is
not used, because it builds another network: the first block of a stage keeps the previous stage's dilation.
"""

from functools import partial

from torch import Tensor, nn

from bsn.models.layers import BatchNorm2d

STAGE_BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
LAYOUTS = ("torchvision", "caffe")


def _conv3x3(inputs: int, outputs: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (ResNet-18)."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inputs, planes, stride, dilation)
        self.bn1 = BatchNorm2d(planes)
        self.conv2 = _conv3x3(planes, planes, 1, dilation)
        self.bn2 = BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution and a shortcut (ResNet-50 and 101). layout: see `DilatedResNet`."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, *, stride: int, dilation: int, layout: str) -> None:
        super().__init__()
        outputs = planes * self.expansion
        first, second = (stride, 1) if layout == "caffe" else (1, stride)
        self.conv1 = nn.Conv2d(inputs, planes, 1, first, bias=False)
        self.bn1 = BatchNorm2d(planes)
        self.conv2 = _conv3x3(planes, planes, second, dilation)
        self.bn2 = BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), BatchNorm2d(outputs))


class DilatedResNet(nn.Module):
    """Dilated ResNet, from `conv1` to the last stage.

    The two layouts have the same parameters and are different networks. In "torchvision" a bottleneck's stride is in
    its 3x3 convolution. In "caffe", the official DeepLabv2, it is in the first 1x1, and the max pool (3x3, stride 2,
    padding 1, as in the ports) rounds up, so that 400 pixels give a grid of 51 cells instead of 50.

    forward: (N, channels, H, W) -> (N, out_channels, H/8, W/8).

    Args:
        depth: 18, 50 or 101.
        base_width: channels of the first stage, 64 in the paper.
        channels: of the input.
        layout: "torchvision"; or "caffe", which needs bottlenecks, that is, depth 50 or 101.

    Raises:
        ValueError: another layout, or "caffe" with depth 18.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(self, *, depth: int, base_width: int, channels: int, layout: str = "torchvision") -> None:
        super().__init__()
        if layout not in LAYOUTS:
            raise ValueError(f"layout = {layout!r} is refused; allowed: {', '.join(LAYOUTS)}")
        if layout == "caffe" and depth == 18:
            raise ValueError("layout = 'caffe' is refused with depth 18, which has no bottleneck; allowed: 50 or 101")
        block = BasicBlock if depth == 18 else partial(Bottleneck, layout=layout)
        expansion = BasicBlock.expansion if depth == 18 else Bottleneck.expansion
        self.conv1 = nn.Conv2d(channels, base_width, 7, 2, padding=3, bias=False)
        self.bn1 = BatchNorm2d(base_width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1, ceil_mode=layout == "caffe")
        inputs = base_width
        for stage, (blocks, stride, dilation) in enumerate(
            zip(STAGE_BLOCKS[depth], (1, 2, 1, 1), (1, 1, 2, 4), strict=True)
        ):
            planes = base_width * 2**stage
            layers = []
            for index in range(blocks):
                layers.append(block(inputs, planes, stride=stride if index == 0 else 1, dilation=dilation))
                inputs = planes * expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.out_channels = inputs
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))
