"""The networks, stage by stage, against a second implementation: plain functions of the weights, from the papers alone.

DeepLabv2: stride 8, the last two stages dilated by 2 and 4, ASPP at 6, 12, 18 and 24 summed, branches at three scales,
their element-wise maximum. Layout caffe: stride on the first 1x1 of a bottleneck, a pool that rounds up, resizing from
corner to corner.
"""

from math import ceil, inf

import pytest
import torch
from torch.nn import functional as F
from torchvision.models.vgg import make_layers

from bsn.models.deeplab import DeepLabV2
from bsn.models.fcn8s import FCN8s

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def norm(x, t, name):
    mean, var = t[f"{name}.running_mean"].view(-1, 1, 1), t[f"{name}.running_var"].view(-1, 1, 1)
    return (x - mean) / (var + 1e-5).sqrt() * t[f"{name}.weight"].view(-1, 1, 1) + t[f"{name}.bias"].view(-1, 1, 1)


def rounded_up_pool(x, size, stride, padding):
    """Caffe's: as many windows as begin on the picture, the last ones hanging over its edge."""
    cells = [ceil((side + 2 * padding - size) / stride) + 1 for side in x.shape[-2:]]
    over = [(n - 1) * stride + size - padding - side for n, side in zip(cells, x.shape[-2:], strict=True)]
    return F.max_pool2d(F.pad(x, (padding, over[1], padding, over[0]), value=-inf), size, stride)


def plain_block(x, t, name, stride, dilation, caffe):
    shortcut = x
    if f"{name}.downsample.0.weight" in t:
        shortcut = norm(F.conv2d(x, t[f"{name}.downsample.0.weight"], stride=stride), t, f"{name}.downsample.1")
    convolutions = 3 if f"{name}.conv3.weight" in t else 2
    strided = 1 if convolutions == 2 or caffe else 2
    for number in range(1, convolutions + 1):
        weight = t[f"{name}.conv{number}.weight"]
        around = dilation if weight.shape[-1] == 3 else 0
        step = stride if number == strided else 1
        x = F.conv2d(x, weight, stride=step, padding=around, dilation=dilation if around else 1)
        x = norm(x, t, f"{name}.bn{number}")
        x = F.relu(x + shortcut if number == convolutions else x)
    return x


def plain_resnet(x, t, depth, caffe, prefix="backbone."):
    """Every stage's output by its name."""
    seen = {}
    x = F.conv2d(x, t[f"{prefix}conv1.weight"], stride=2, padding=3)
    seen["conv1"] = x
    x = F.relu(norm(x, t, f"{prefix}bn1"))
    x = rounded_up_pool(x, 3, 2, 1) if caffe else F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-inf), 3, 2)
    seen["maxpool"] = x
    for stage, (blocks, stride, dilation) in enumerate(zip(BLOCKS[depth], (1, 2, 1, 1), (1, 1, 2, 4), strict=True), 1):
        for block in range(blocks):
            x = plain_block(x, t, f"{prefix}layer{stage}.{block}", stride if block == 0 else 1, dilation, caffe)
            seen[f"layer{stage}.{block}"] = x
    return seen


def plain_aspp(x, t):
    return sum(
        F.conv2d(x, t[f"aspp.convs.{i}.weight"], t[f"aspp.convs.{i}.bias"], padding=rate, dilation=rate)
        for i, rate in enumerate((6, 12, 18, 24))
    )


def randomised(model):
    """In float64, every weight and statistic random, so that none can be forgotten."""
    torch.manual_seed(3)
    model = model.double().eval()
    for name, value in model.state_dict().items():
        if value.dim() == 1:
            value.uniform_(0.5, 1.5) if name.endswith(("weight", "var")) else value.normal_(std=0.3)
    return model


def close(ours, plain):
    return ours.shape == plain.shape and (ours - plain).abs().max() <= 1e-9 * plain.abs().max()


@pytest.mark.parametrize(
    ("depth", "layout"),
    [(18, "torchvision"), (50, "torchvision"), (50, "caffe"), (101, "torchvision"), (101, "caffe")],
)
@torch.no_grad()
def test_deeplab_is_its_plain_second_implementation_after_every_stage(depth, layout):
    model, corners = (
        randomised(DeepLabV2(classes=3, backbone=f"resnet{depth}", base_width=4, layout=layout)),
        layout == "caffe",
    )
    seen = {}
    for name, module in model.backbone.named_modules():
        if name in ("conv1", "maxpool") or (name.startswith("layer") and name.count(".") == 1):
            module.register_forward_hook(lambda *call, name=name: seen.setdefault(name, []).append(call[2].clone()))
    x, t = torch.randn(2, 6, 56, 42, dtype=torch.float64), model.state_dict()
    output = model(x)

    expected = []
    for number, size in enumerate([(56, 42), (42, 32), (28, 21)]):  # 1, .75 (31.5 to the even 32), .5
        scaled = F.interpolate(x, size=size, mode="bilinear", align_corners=corners) if number else x
        stages = plain_resnet(scaled, t, depth, corners)
        assert set(seen) == set(stages)
        for name, plain in stages.items():
            assert close(seen[name][number], plain), (name, size)
        logits = plain_aspp(stages[f"layer4.{BLOCKS[depth][3] - 1}"], t)
        if number:
            logits = F.interpolate(logits, size=expected[0].shape[-2:], mode="bilinear", align_corners=corners)
        expected.append(logits)
    assert len(output.branches) == 3
    for branch, plain in zip(output.branches, expected, strict=True):
        assert close(branch, plain)
    assert close(output.fused, torch.maximum(torch.maximum(expected[0], expected[1]), expected[2]))


def test_the_layouts_grids_are_those_of_the_official_network_and_of_torchvision():
    # 51 at 400 and 41 at 321, as the official network has them.
    x = torch.zeros(1, 6, 400, 321)
    for layout, grid in (("torchvision", (50, 41)), ("caffe", (51, 41))):
        model = DeepLabV2(classes=2, backbone="resnet50", base_width=4, layout=layout, scales=(1.0,)).eval()
        assert model(x).fused.shape[-2:] == grid


@pytest.mark.parametrize("batch_norm", [False, True])
@torch.no_grad()
def test_fcn8s_is_its_plain_second_implementation_after_every_stage(batch_norm):
    model = randomised(FCN8s(classes=2, base_width=4, batch_norm=batch_norm))
    seen = {}
    for name, module in model.named_modules():
        if (name.startswith("blocks.") and name.count(".") == 1) or name in ("fc6", "fc7"):
            module.register_forward_hook(lambda *call, name=name: seen.setdefault(name, call[2].clone()))
    x, t = torch.randn(2, 6, 50, 75, dtype=torch.float64), model.state_dict()
    output = model(x)

    def layer(x, name, at):
        x = F.conv2d(
            x, t[f"{name}.{at}.weight"], t.get(f"{name}.{at}.bias"), padding=t[f"{name}.{at}.weight"].shape[-1] // 2
        )
        return F.relu(norm(x, t, f"{name}.{at + 1}") if batch_norm else x)

    pools = []
    for block, convolutions in enumerate((2, 2, 3, 3, 3)):
        for number in range(convolutions):
            x = layer(x, f"blocks.{block}", number * (3 if batch_norm else 2))
        x = rounded_up_pool(x, 2, 2, 0)
        assert close(seen[f"blocks.{block}"], x)
        pools.append(x)
    for name in ("fc6", "fc7"):
        x = layer(x, name, 0)
        assert close(seen[name], x)
    scores = [
        F.conv2d(pool, t[f"score_{name}.weight"], t[f"score_{name}.bias"])
        for name, pool in (("fc7", x), ("pool4", pools[3]), ("pool3", pools[2]))
    ]
    expected = scores[0]
    for finer in scores[1:]:
        expected = finer + F.interpolate(expected, size=finer.shape[-2:], mode="bilinear", align_corners=False)
    assert close(output.fused, expected)


@pytest.mark.parametrize("batch_norm", [False, True])
@torch.no_grad()
def test_fcn8s_s_blocks_are_torchvision_s_vgg16(batch_norm):
    cfg = [4, 4, "M", 8, 8, "M", 16, 16, 16, "M", 32, 32, 32, "M", 32, 32, 32, "M"]
    theirs = make_layers(cfg, batch_norm).double().eval()
    model = randomised(FCN8s(classes=2, channels=3, base_width=4, batch_norm=batch_norm))
    layers = [layer for block in model.blocks for layer in block]
    for their, our in zip(theirs, layers, strict=True):
        bias = {"bias": torch.zeros_like(their.bias)} if batch_norm and their.__class__.__name__ == "Conv2d" else {}
        their.load_state_dict({**our.state_dict(), **bias})
    x = torch.randn(1, 3, 64, 96, dtype=torch.float64)  # no side is rounded
    plain = x
    for block in model.blocks:
        x = block(x)
        for _ in block:
            plain = theirs[0](plain)
            theirs = theirs[1:]
        assert close(x, plain)
