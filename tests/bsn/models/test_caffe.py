"""Converted Caffe checkpoints: their names, and their input folded into the first layers."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bsn.inputs import network_input
from bsn.models.caffe import from_caffe, is_caffe
from bsn.models.deeplab import DeepLabV2
from bsn.models.weights import fill, starting_weights
from tests.bsn.models.test_forward import plain_aspp, plain_resnet, randomised

OPTIONS = {"backbone": "resnet50", "base_width": 4, "layout": "caffe"}
PARTS = {"1": "reduce", "2": "conv3x3", "3": "increase"}


def kazuto(name, prefix="base.", shortcut="shortcut", aspp="aspp.c"):
    """deeplab-pytorch's name of a tensor of torchvision's names."""
    place, _, kind = name.rpartition(".")
    if place in ("conv1", "bn1"):
        return f"{prefix}layer1.conv1.{place[:-1].replace('bn1', 'bn')}.{kind}"
    if place.startswith("aspp.convs."):
        return f"{prefix}{aspp}{place[-1]}.{kind}"
    stage, block, layer = place.split(".", 2)
    part = shortcut if layer.startswith("downsample") else PARTS[layer[-1]]
    unit = "bn" if layer.startswith("bn") or layer == "downsample.1" else "conv"
    return f"{prefix}layer{int(stage[-1]) + 1}.block{int(block) + 1}.{part}.{unit}.{kind}"


def older_kazuto(name):
    return kazuto(name, "scale.", "proj", "aspp.stages.c")


def bare_kazuto(name):
    return kazuto(name, "")


def parallel_kazuto(name):
    return kazuto(name, "module.base.")


def isht7(name):
    return "Scale." + name.replace("aspp.convs", "layer5.conv2d_list")


def bare_isht7(name):
    return name.replace("aspp.convs", "layer5.conv2d_list")


@pytest.fixture(scope="module")
def checkpoint():
    """A network of the official kind for BGR with its mean off, in torchvision's names."""
    model = randomised(DeepLabV2(classes=2, channels=3, **OPTIONS))
    with torch.no_grad():
        model.backbone.conv1.weight.mul_(0.05).add_(0.01)
    state = {key.removeprefix("backbone."): value for key, value in model.float().state_dict().items()}
    # The files are of a time before this one.
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


def test_names_by_hand():
    for theirs, ours in {
        "base.layer1.conv1.conv.weight": "backbone.conv1.weight",
        "base.layer1.conv1.bn.running_var": "backbone.bn1.running_var",
        "base.layer2.block1.shortcut.conv.weight": "backbone.layer1.0.downsample.0.weight",
        "scale.layer2.block1.proj.bn.bias": "backbone.layer1.0.downsample.1.bias",
        "layer4.block23.conv3x3.bn.weight": "backbone.layer3.22.bn2.weight",
        "module.base.layer5.block3.increase.conv.weight": "backbone.layer4.2.conv3.weight",
        "base.aspp.c3.bias": "aspp.convs.3.bias",
        "Scale.layer3.22.bn2.weight": "backbone.layer3.22.bn2.weight",
        "Scale.layer5.conv2d_list.1.weight": "aspp.convs.1.weight",
    }.items():
        assert set(from_caffe({theirs: torch.zeros(2)})) == {ours}


@pytest.mark.parametrize("names", [kazuto, older_kazuto, bare_kazuto, parallel_kazuto, isht7, bare_isht7])
@torch.no_grad()
def test_a_checkpoint_computes_from_our_input_what_it_computed_from_its_own(checkpoint, names, tmp_path):
    torch.save({names(key): value for key, value in checkpoint.items()}, tmp_path / "caffe.pth")
    ours = DeepLabV2(classes=2, scales=(1.0,), **OPTIONS).eval()
    fill(ours, starting_weights("deeplab", str(tmp_path / "caffe.pth"), **OPTIONS))

    rng = np.random.default_rng(5)
    photo = F.interpolate(torch.from_numpy(rng.uniform(0, 255, (1, 3, 32, 32))), size=(160, 160), mode="bilinear")
    photo = photo.round().to(torch.uint8)
    bgr = photo.flip(1).double() - torch.tensor([104.008, 116.669, 122.675]).double().view(3, 1, 1)
    expected = plain_resnet(bgr, {key: value.double() for key, value in checkpoint.items()}, 50, True, prefix="")

    x = network_input(photo, torch.randn(1, 3, 160, 160))
    backbone = ours.backbone
    stem = backbone.bn1(backbone.conv1(x))
    # Of conv1 two cells at each border see its zero padding, which is another colour to each of the two.
    theirs = F.batch_norm(
        expected["conv1"], *(checkpoint[f"bn1.{k}"].double() for k in ("running_mean", "running_var", "weight", "bias"))
    )
    assert torch.allclose(stem[..., 2:-2, 2:-2].double(), theirs[..., 2:-2, 2:-2], rtol=1e-4, atol=1e-3)
    # Up to layer2 its ten 3x3 convolutions carry that border inwards by at most seven cells of 21.
    features = backbone.layer2(backbone.layer1(backbone.maxpool(backbone.relu(stem)))).double()
    plain = expected["layer2.3"]
    assert features.shape == plain.shape == (1, 32, 21, 21)
    inside = (..., slice(7, -7), slice(7, -7))
    assert (features[inside] - plain[inside]).abs().max() < 1e-5 * plain.abs().max()
    assert plain[inside].abs().max() > 1

    # Past the dilated stages the border is everywhere, and is still a small thing.
    deepest = ours.backbone(x).double()
    assert (deepest - expected["layer4.2"]).norm() < 0.02 * expected["layer4.2"].norm()
    assert torch.equal(ours(x).fused, ours.aspp(ours.backbone(x)))


def test_an_added_channel_counts_as_much_as_the_photo_s(checkpoint, tmp_path):
    # Activations in grey levels have a variance in the thousands; behind it a weight of 1 would move nothing.
    theirs = {**checkpoint, "bn1.running_var": torch.full_like(checkpoint["bn1.running_var"], 1e4)}
    torch.save({kazuto(key): value for key, value in theirs.items()}, tmp_path / "caffe.pth")
    ours = DeepLabV2(classes=2, **OPTIONS).eval()
    fill(ours, starting_weights("deeplab", str(tmp_path / "caffe.pth"), **OPTIONS))
    backbone = ours.backbone
    assert torch.allclose(backbone.bn1.running_var + backbone.bn1.eps, torch.ones(4))
    x = torch.zeros(1, 6, 32, 32)
    before = backbone.bn1(backbone.conv1(x))
    with torch.no_grad():
        backbone.conv1.weight[:, 5, 3, 3] = 1.0
    x[:, 5] = 1.0
    moved = backbone.bn1(backbone.conv1(x)) - before
    assert torch.allclose(moved, backbone.bn1.weight.view(1, -1, 1, 1).expand_as(moved), rtol=1e-4)


@torch.no_grad()
def test_two_classes_are_reversed_because_class_0_of_these_files_is_the_background(checkpoint, tmp_path):
    torch.save({kazuto(key): value for key, value in checkpoint.items()}, tmp_path / "caffe.pth")
    ours = DeepLabV2(classes=2, **OPTIONS).eval()
    fill(ours, starting_weights("deeplab", str(tmp_path / "caffe.pth"), **OPTIONS))
    features = torch.randn(1, ours.backbone.out_channels, 9, 9)
    expected = plain_aspp(features, checkpoint)
    assert torch.allclose(ours.aspp(features)[:, 0], expected[:, 1], atol=1e-5)
    assert torch.allclose(ours.aspp(features)[:, 1], expected[:, 0], atol=1e-5)


def test_an_aspp_for_21_classes_is_left_out(checkpoint):
    voc = {isht7(key): value for key, value in checkpoint.items()}
    voc |= {key: value.new_zeros(21, *value.shape[1:]) for key, value in voc.items() if "layer5" in key}
    assert not [key for key in from_caffe(voc) if key.startswith("aspp")]


def test_torchvision_s_and_our_own_names_are_no_caffe_checkpoint():
    assert not is_caffe(["conv1.weight", "layer1.0.conv1.weight", "fc.weight"])
    assert not is_caffe(["backbone.conv1.weight", "aspp.convs.0.weight"])
