import copy

import pytest
import torch
from torch import nn

from bsn.models import build
from bsn.models.convolutions import DilatedConv2d, FoldedBatchNorm2d, FoldedConv2d, fold_frozen_batch_norm
from bsn.models.layers import freeze_batch_norm
from tests.bsn.models.test_forward import randomised


@pytest.mark.parametrize("size", [(12, 8), (13, 9), (3, 2)])
@pytest.mark.parametrize(("dilation", "kernel", "groups"), [(2, 3, 4), (2, 5, 4), (4, 3, 1), (6, 1, 1)])
def test_a_dilated_convolution_and_its_gradients_are_torch_s(size, dilation, kernel, groups):
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 4, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=groups).double()
    fast = DilatedConv2d(4, 4, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=groups).double()
    fast.load_state_dict(plain.state_dict())
    results = []
    for layer in (plain, fast):
        x = torch.linspace(-1, 1, 2 * 4 * size[0] * size[1], dtype=torch.double).reshape(2, 4, *size).requires_grad_()
        y = layer(x)
        (y * torch.arange(y.numel()).reshape(y.shape)).sum().backward()
        results.append([y, x.grad, layer.weight.grad, layer.bias.grad])
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other)
    with torch.no_grad():
        assert torch.equal(fast(x), plain(x))


@pytest.mark.parametrize(
    ("options", "folded"),
    [
        # Stem, a separable block of two convolutions, and inverted residuals of three.
        ({"backbone": "tf_efficientnet_lite0", "out_index": 3}, 33),
        ({"backbone": "test_resnet", "out_index": 3}, 12),
        ({"backbone": "resnet18", "base_width": 4}, 20),
    ],
)
def test_a_folded_network_and_its_gradients_are_those_of_the_plain_one(options, folded):
    torch.manual_seed(0)
    plain = randomised(build("deeplab", classes=2, scales=(1.0,), **options))
    freeze_batch_norm(plain.train())
    fast = copy.deepcopy(plain)
    fold_frozen_batch_norm(fast.backbone, channels=6)
    assert sum(isinstance(module, FoldedConv2d) for module in fast.modules()) == folded
    assert sum(isinstance(module, FoldedBatchNorm2d) for module in fast.modules()) == folded
    assert list(fast.state_dict()) == list(plain.state_dict())
    x = torch.randn(2, 6, 64, 48, dtype=torch.double).contiguous(memory_format=torch.channels_last)
    results = []
    for model in (plain, fast):
        y = model(x).fused
        y.square().sum().backward()
        results.append([y, *(p.grad for p in model.parameters() if p.requires_grad)])
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, rtol=1e-6, atol=1e-9 * float(one.detach().abs().max()))

    # As in a second training of the same model, which starts from other weights.
    other = randomised(copy.deepcopy(plain))
    fast.load_state_dict(other.state_dict())
    fold_frozen_batch_norm(fast.backbone, channels=6)
    with torch.no_grad():
        assert torch.allclose(fast(x).fused, other(x).fused, rtol=1e-6)


def test_a_convolution_with_a_bias_is_left_as_it_is():
    model = nn.Sequential(nn.Conv2d(6, 4, 1), nn.BatchNorm2d(4)).eval()
    fold_frozen_batch_norm(model, channels=6)
    assert type(model[0]) is nn.Conv2d
