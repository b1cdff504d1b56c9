import pytest
import torch
from torch import nn

from bsn.models.resnet import DilatedResNet


@pytest.mark.parametrize("depth", [18, 50, 101])
def test_output_stride_is_eight_and_the_last_two_stages_are_dilated_in_every_block(depth):
    network = DilatedResNet(depth=depth, base_width=4, channels=6)
    for stage, dilation in ((network.layer3, 2), (network.layer4, 4)):
        convolutions = [m for m in stage.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
        assert {m.dilation for m in convolutions} == {(dilation, dilation)}
        assert {m.stride for m in convolutions} == {(1, 1)}
    network.eval()
    assert network(torch.zeros(1, 6, 64, 48)).shape == (1, network.out_channels, 8, 6)


def test_depths_have_the_blocks_of_resnet():
    for depth, blocks in ((18, [2, 2, 2, 2]), (50, [3, 4, 6, 3]), (101, [3, 4, 23, 3])):
        network = DilatedResNet(depth=depth, base_width=4, channels=3)
        assert [len(getattr(network, f"layer{n}")) for n in range(1, 5)] == blocks


@pytest.mark.parametrize("depth", [18, 50, 101])
def test_parameter_names_and_shapes_are_torchvisions(depth):
    import torchvision

    reference = getattr(torchvision.models, f"resnet{depth}")(weights=None).state_dict()
    ours = DilatedResNet(depth=depth, base_width=64, channels=3).state_dict()
    reference = {name: value.shape for name, value in reference.items() if not name.startswith("fc.")}
    assert {name: value.shape for name, value in ours.items()} == reference


def test_undilated_it_computes_what_torchvision_computes():
    import torchvision

    torch.manual_seed(0)
    reference = torchvision.models.resnet18(weights=None).eval()
    ours = DilatedResNet(depth=18, base_width=64, channels=3).eval()
    ours.load_state_dict({k: v for k, v in reference.state_dict().items() if not k.startswith("fc.")})
    x = torch.randn(1, 3, 64, 64)
    # The stages before the dilated ones are the same network.
    stem = reference.maxpool(reference.relu(reference.bn1(reference.conv1(x))))
    expected = reference.layer2(reference.layer1(stem))
    stem = ours.maxpool(ours.relu(ours.bn1(ours.conv1(x))))
    assert torch.allclose(ours.layer2(ours.layer1(stem)), expected)
