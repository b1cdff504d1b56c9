import pytest
import torch

from bsn.models.fcn8s import FCN8s


def test_the_paper_s_network_has_vgg16_s_layers_and_six_channels():
    model = FCN8s(classes=2)
    convolutions = [m for block in model.blocks for m in block if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert convolutions[0].in_channels == 6
    assert model.fc6[0].out_channels == 4096


@pytest.mark.parametrize("size", [(64, 48), (50, 37), (100, 75)])
def test_logits_come_on_the_grid_of_an_eighth_for_any_size(size):
    output = FCN8s(classes=2, base_width=4).eval()(torch.zeros(1, 6, *size))
    assert output.fused.shape == (1, 2, -(-size[0] // 8), -(-size[1] // 8))
    assert output.branches == ()


def test_each_of_the_three_scores_reaches_the_answer():
    torch.manual_seed(0)
    model, x = FCN8s(classes=2, base_width=4).eval(), torch.randn(1, 6, 64, 64)
    with torch.no_grad():
        whole = model(x).fused
        for score in (model.score_pool3, model.score_pool4, model.score_fc7):
            kept = score.bias.clone()
            score.bias += 1
            assert torch.allclose(model(x).fused, whole + 1, atol=1e-5)
            score.bias.copy_(kept)
