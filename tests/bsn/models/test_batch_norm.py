import pytest
import torch
from torch import distributed, nn

from bsn.models import build
from bsn.models.batch_norm import BatchNorm2d, freeze_batch_norm
from tests.processes import exit_codes


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
