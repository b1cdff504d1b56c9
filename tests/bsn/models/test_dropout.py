import pytest
import torch
from torch import nn

from bsn.models import build
from bsn.models.dropout import Dropout, draw_dropout

CPU = torch.device("cpu")


def dropped(seeds, channels=1000, probability=0.25):
    layer = Dropout(channels, probability=probability)
    draw_dropout(layer, seeds, CPU)
    return layer(torch.ones(len(seeds), channels, 2, 2))


def test_whole_channels_are_dropped_and_the_others_raised_so_that_the_mean_stays():
    x = dropped([1])
    assert set(x.unique().tolist()) == {0, torch.tensor(1 / 0.75).item()}
    assert (x == x[:, :, :1, :1]).all()
    assert abs((x == 0).float().mean().item() - 0.25) < 0.05


def test_a_photo_loses_the_same_channels_whatever_share_it_is_in():
    joint = dropped([1, 2, 3, 4])
    assert torch.equal(joint[1::2], dropped([2, 4]))
    assert not torch.equal(joint[0], joint[1])


def test_two_layers_of_a_network_drop_different_channels():
    model = nn.Sequential(Dropout(1000), Dropout(1000))
    draw_dropout(model, [7], CPU)
    assert not torch.equal(model[0].kept, model[1].kept)


def test_nothing_is_dropped_in_evaluation():
    x, layer = torch.ones(2, 8), Dropout(8)
    assert torch.equal(layer.eval()(x), x)
    draw_dropout(layer, [1, 2], CPU)
    assert not torch.equal(layer.train()(x), x)
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize("seeds", [[], [1], [1, 2, 3]])
def test_training_without_a_draw_for_each_photo_is_refused_with_what_to_call(seeds):
    layer = Dropout(8)
    if seeds:
        draw_dropout(layer, seeds, CPU)
    with pytest.raises(
        ValueError, match=rf"2 photos and was drawn for {len(seeds)}; call bsn.models.dropout.draw_dropout"
    ):
        layer(torch.ones(2, 8))


@pytest.mark.parametrize(
    ("network", "options"),
    [("fcn8s", {}), ("deeplab", {"backbone": "resnet18", "attributes": 1})],
    ids=["fcn8s", "deeplab"],
)
def test_a_network_of_the_project_in_training_mode_asks_for_the_draw(network, options):
    model, photo = build(network, classes=2, base_width=4, **options).train(), torch.zeros(2, 6, 64, 64)
    with pytest.raises(ValueError, match=r"draw_dropout with one seed per photo before each step, or model\.eval"):
        model(photo)
    draw_dropout(model, [1, 2], CPU)
    assert model(photo).fused.shape[:2] == (2, 2)
