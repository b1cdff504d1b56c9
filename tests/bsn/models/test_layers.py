import pytest
import torch
from torch import distributed, nn

from bsn.models import build
from bsn.models.layers import BatchNorm2d, Dropout, draw_dropout, foreground_score, freeze_batch_norm, upsample
from tests.processes import exit_codes

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
        ValueError, match=rf"2 photos and was drawn for {len(seeds)}; call bsn.models.layers.draw_dropout"
    ):
        layer(torch.ones(2, 8))


@pytest.mark.parametrize(
    ("network", "options"),
    [("fcn8s", {}), ("deeplab", {"backbone": "resnet18", "attributes": 1})],
    ids=["fcn8s", "deeplab"],
)
def test_a_network_in_training_mode_needs_draw_dropout(network, options):
    model, photo = build(network, classes=2, base_width=4, **options).train(), torch.zeros(2, 6, 64, 64)
    with pytest.raises(ValueError, match=r"draw_dropout with one seed per photo before each step, or model\.eval"):
        model(photo)
    draw_dropout(model, [1, 2], CPU)
    assert model(photo).fused.shape[:2] == (2, 2)


def joint_batch():
    """Five photos, of which the first process sees two and the second three, far from zero: cancelling would show."""
    torch.manual_seed(0)
    return 100 + torch.randn(5, 4, 3, 2, dtype=torch.float64), torch.randn(5, 4, 3, 2, dtype=torch.float64)


def seen_by(layer, x, wanted):
    """Output, gradient of the input, running mean and running variance, for a loss that is a sum over the photos."""
    x = x.clone().requires_grad_()
    y = layer(x)
    (y * wanted).sum().backward()
    return y.detach(), x.grad, layer.running_mean, layer.running_var


def work(folder):
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    share = slice(0, 2) if rank == 0 else slice(2, 5)
    x, wanted = joint_batch()
    torch.save(seen_by(BatchNorm2d(4).double(), x[share], wanted[share]), folder / str(rank))
    distributed.destroy_process_group()


def test_two_processes_with_unequal_shares_normalise_by_the_joint_batch(tmp_path):
    assert exit_codes(2, work, tmp_path) == [0, 0]
    expected = seen_by(nn.BatchNorm2d(4).double(), *joint_batch())
    first, second = (torch.load(tmp_path / str(rank)) for rank in (0, 1))
    for split, joint in zip(zip(first[:2], second[:2], strict=True), expected[:2], strict=True):
        assert torch.allclose(torch.cat(split), joint, atol=1e-10)
    for shares in (first, second):
        assert torch.allclose(torch.stack(shares[2:]), torch.stack(expected[2:]), atol=1e-10)


def test_in_one_process_it_is_torch_s():
    x, wanted = joint_batch()
    for ours, theirs in zip(
        seen_by(BatchNorm2d(4).double(), x, wanted), seen_by(nn.BatchNorm2d(4).double(), x, wanted), strict=True
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("statistic", ["weight", "bias", "running_mean", "running_var"])
def test_frozen_it_learns_nothing(statistic):
    layer = BatchNorm2d(4).train()
    freeze_batch_norm(nn.Sequential(layer))
    before = getattr(layer, statistic).clone()
    x = torch.randn(2, 4, 3, 3, requires_grad=True)
    layer(x).square().sum().backward()
    assert torch.equal(getattr(layer, statistic), before)
    assert layer.weight.grad is None
    assert x.grad is not None


def test_another_librarys_batch_norm_is_frozen_as_well():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    freeze_batch_norm(model)
    assert not model[1].training
    assert [parameter.requires_grad for parameter in model.parameters()] == [True, True, False, False]


def test_a_model_without_batch_norm_cannot_be_frozen():
    with pytest.raises(ValueError, match="FCN8s has no batch normalisation to freeze"):
        freeze_batch_norm(build("fcn8s", classes=2, base_width=4))


def test_the_boundary_class_is_ignored_in_testing():
    # foreground .2, boundary 9, background .1: portrait, although the boundary is by far the likeliest.
    logits = torch.tensor([0.2, 9.0, 0.1]).view(1, 3, 1, 1)
    assert foreground_score(logits).item() > 0
    assert foreground_score(logits[:, [0, 2]]).item() == foreground_score(logits).item()


def test_caffe_s_grid_is_upsampled_with_aligned_corners_and_torchvision_s_without():
    row = torch.tensor([0.0, 4.0]).view(1, 1, 1, 2)
    assert upsample(row, (1, 5), align_corners=True).flatten().tolist() == [0, 1, 2, 3, 4]
    # Two cells of two pixels: their middles are at .5 and 2.5, and beyond them nothing changes.
    assert upsample(row, (1, 4)).flatten().tolist() == [0, 1, 3, 4]
