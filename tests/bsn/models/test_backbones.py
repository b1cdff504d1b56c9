import pytest
import timm
import torch
from torch import nn

from bsn.models.backbones import TimmBackbone, build_backbone
from bsn.models.deeplab import ASPP

# Small models that timm keeps for tests, of three kinds, and the level whose cells are 8 pixels apart.
SMALL = {"test_efficientnet": 3, "test_resnet": 3, "test_convnext": 2}


def timm_backbone(name, **options):
    return build_backbone(
        name,
        channels=6,
        base_width=64,
        layout="torchvision",
        **{"output_stride": 8, "out_index": SMALL[name], **options},
    )


@pytest.mark.parametrize("name", SMALL)
def test_a_timm_backbone_has_six_input_channels_and_the_wanted_output_stride(name):
    network = timm_backbone(name).eval()
    assert network(torch.zeros(1, 6, 64, 96)).shape == (1, network.out_channels, 8, 12)
    assert next(m for m in network.modules() if isinstance(m, nn.Conv2d)).in_channels == 6


def test_an_output_stride_of_16_gives_cells_of_16_pixels():
    network = timm_backbone("test_efficientnet", output_stride=16).eval()
    assert network(torch.zeros(1, 6, 64, 96)).shape[-2:] == (4, 6)


@torch.no_grad()
def test_the_features_are_timm_s_own():
    torch.manual_seed(0)
    whole = timm.create_model("tf_efficientnet_lite0", features_only=True, in_chans=6, output_stride=8).eval()
    cut = TimmBackbone("tf_efficientnet_lite0", channels=6, output_stride=8, out_index=3).eval()
    cut.net.load_state_dict(
        {name: tensor for name, tensor in whole.state_dict().items() if name in cut.net.state_dict()}
    )
    x = torch.randn(1, 6, 64, 96)
    assert torch.equal(cut(x), whole(x)[3])
    # The stages of 192 and 320 channels are not there to be run for nothing.
    assert len(whole.blocks) == 7
    assert len(cut.net.blocks) == 5


def test_what_timm_cannot_build_is_refused_in_one_line():
    for name, options, line in (
        ("nosuch", {}, "backbone = 'nosuch' is refused; allowed: resnet18, resnet50, resnet101 or a timm model"),
        ("ghostnet_050", {}, "backbone = 'ghostnet_050' cannot be built with output_stride 8 and out_index 3 (only"),
        ("vit_tiny_patch16_224", {}, "unexpected keyword argument 'output_stride'"),
        ("test_resnet", {"out_index": 9}, "out_index 9"),
    ):
        with pytest.raises(ValueError, match="backbone") as caught:
            build_backbone(
                name,
                channels=6,
                base_width=64,
                layout="torchvision",
                **{"output_stride": 8, "out_index": 3, **options},
            )
        assert line in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(12, 8), (5, 3)])
def test_the_aspp_is_the_sum_of_its_convolutions_with_their_gradients(size):
    torch.manual_seed(0)
    aspp = ASPP(6, 3, rates=(1, 2, 6)).double()
    nn.init.normal_(aspp.convs[1].bias)
    x = torch.randn(2, 6, *size, dtype=torch.double, requires_grad=True)
    target = torch.randn(2, 3, *size, dtype=torch.double)
    plain = sum(conv(x) for conv in aspp.convs)
    wanted = torch.autograd.grad((plain * target).sum(), [x, *aspp.parameters()])
    y = aspp(x)
    found = torch.autograd.grad((y * target).sum(), [x, *aspp.parameters()])
    assert torch.allclose(y, plain)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other)
    with torch.no_grad():
        assert torch.allclose(aspp(x), plain)
