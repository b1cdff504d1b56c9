import math

import pytest
import torch

from bsn.losses import (
    batch_losses,
    boundary_sensitive_loss,
    global_kernel_loss,
    individual_kernel_loss,
    targets,
)
from bsn.models.layers import Output


def random_case(classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, 4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.softmax(torch.randn(2, classes, 4, 5, generator=generator, dtype=torch.float64), dim=1)
    kernel = 0.9 + 0.1 * torch.rand(2, 4, 5, generator=generator, dtype=torch.float64)
    return logits, labels, kernel


def one_hot(labels):
    return torch.zeros_like(labels).scatter_(1, labels.argmax(1, keepdim=True), 1)


def test_eq_4_by_hand():
    # Equal logits: y = 1/3 each, so the loss is log 3 whatever the soft label.
    logits = torch.zeros(1, 3, 1, 1)
    labels = torch.tensor([0.6, 0.4, 0.0]).view(1, 3, 1, 1)
    assert individual_kernel_loss(logits, labels).item() == pytest.approx(math.log(3))


def test_eq_7_by_hand():
    # y = softmax(log 3, 0) = (3/4, 1/4); class 0 with weight .9 costs .9 log(4/3).
    logits = torch.tensor([math.log(3), 0.0]).view(1, 2, 1, 1)
    labels = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    loss = global_kernel_loss(logits, labels, torch.full((1, 1, 1), 0.9))
    assert loss.item() == pytest.approx(0.9 * math.log(4 / 3))


def test_the_gradient_of_eq_4_is_eq_5():
    logits, labels, _ = random_case()
    individual_kernel_loss(logits, labels).sum().backward()
    assert torch.allclose(logits.grad, torch.softmax(logits, 1) - labels, atol=1e-6)


def test_the_gradient_of_eq_7_is_eq_8():
    logits, labels, kernel = random_case()
    global_kernel_loss(logits, labels, kernel).sum().backward()
    expected = kernel.unsqueeze(1) * (torch.softmax(logits, 1) - one_hot(labels))
    assert torch.allclose(logits.grad, expected, atol=1e-6)


def test_an_ignored_pixel_has_zero_loss_and_gradient():
    logits, labels, kernel = random_case()
    labels[:, :, 0, 0] = 0
    boundary_sensitive_loss(logits, labels, kernel, combination="sum").backward()
    assert (logits.grad[:, :, 0, 0] == 0).all()
    assert (logits.grad[:, :, 1, 1] != 0).all()


def test_the_mean_leaves_ignored_pixels_out():
    logits, labels, _ = random_case()
    labels[:, :, :2] = 0
    rows = individual_kernel_loss(logits, labels)[:, 2:]
    assert boundary_sensitive_loss(logits, labels).item() == pytest.approx(rows.mean().item())


def test_a_batch_of_only_ignored_pixels_has_zero_loss():
    logits, labels, _ = random_case()
    assert boundary_sensitive_loss(logits, torch.zeros_like(labels)).item() == 0


def test_product_is_eq_4_weighted_and_sum_is_eq_4_plus_eq_7():
    logits, labels, kernel = random_case()
    fourth, seventh = individual_kernel_loss(logits, labels), global_kernel_loss(logits, labels, kernel)
    product = boundary_sensitive_loss(logits, labels, kernel, combination="product")
    both = boundary_sensitive_loss(logits, labels, kernel, combination="sum")
    assert product.item() == pytest.approx((kernel * fourth).mean().item())
    assert both.item() == pytest.approx((fourth + seventh).mean().item())


def test_with_hard_labels_the_product_is_eq_7():
    logits, labels, kernel = random_case(classes=2)
    hard = one_hot(labels)
    product = boundary_sensitive_loss(logits, hard, kernel, combination="product")
    assert product.item() == pytest.approx(global_kernel_loss(logits, hard, kernel).mean().item())


def test_bf16_logits_agree_with_float32():
    logits, labels, kernel = (tensor.float() for tensor in random_case())
    exact = boundary_sensitive_loss(logits, labels, kernel)
    assert boundary_sensitive_loss(logits.bfloat16(), labels, kernel).item() == pytest.approx(exact.item(), rel=1e-2)


@pytest.mark.parametrize("weighted", [True, False])
def test_an_unknown_combination_is_refused_with_and_without_a_kernel(weighted):
    logits, labels, kernel = random_case()
    with pytest.raises(ValueError, match="average"):
        boundary_sensitive_loss(logits, labels, kernel if weighted else None, combination="average")


def closed_form(logits, labels, kernel, combination):
    """The gradient of the whole loss by the logits, from eq. (5) and (8), in float64."""
    y, kept = torch.softmax(logits.detach().double(), 1), (labels.sum(1) > 0).double()
    labels, kernel = labels.double(), kernel.double().unsqueeze(1)
    eq_5 = y - labels
    eq_8 = kernel * (y - one_hot(labels))
    gradient = {"individual": eq_5, "product": kernel * eq_5, "sum": eq_5 + eq_8}[combination]
    return gradient * kept.unsqueeze(1) / kept.sum()


def closed_loss(logits, labels, kernel, combination):
    """Eq. (4), (7) and their combinations written with a plain softmax, in float64."""
    log_y, kept = torch.softmax(logits.detach().double(), 1).log(), (labels.sum(1) > 0).double()
    labels, kernel = labels.double(), kernel.double()
    fourth, seventh = -(labels * log_y).sum(1), -kernel * (one_hot(labels) * log_y).sum(1)
    loss = {"individual": fourth, "product": kernel * fourth, "sum": fourth + seventh}[combination]
    return ((loss * kept).sum() / kept.sum()).item()


def loss_of(logits, labels, kernel, combination):
    if combination == "individual":
        return boundary_sensitive_loss(logits, labels)
    return boundary_sensitive_loss(logits, labels, kernel, combination=combination)


def partly_ignored_case(classes=3, spread=4.0):
    logits, labels, kernel = random_case(classes)
    labels[0, :, :2] = 0
    labels[1, :, 3, 4] = 0
    return (spread * logits).detach().requires_grad_(), labels, kernel


combinations = pytest.mark.parametrize("combination", ["individual", "product", "sum"])


@combinations
@pytest.mark.parametrize("classes", [2, 3])
def test_loss_and_gradient_of_a_batch_are_the_closed_forms(combination, classes):
    logits, labels, kernel = partly_ignored_case(classes)
    loss = loss_of(logits, labels, kernel, combination)
    loss.backward()
    assert loss.item() == pytest.approx(closed_loss(logits, labels, kernel, combination), abs=1e-6)
    assert (logits.grad - closed_form(logits, labels, kernel, combination)).abs().max() <= 1e-6


@combinations
def test_autograd_s_own_check_of_the_gradient_holds_in_float64(combination):
    logits, labels, kernel = partly_ignored_case()
    assert torch.autograd.gradcheck(lambda z: loss_of(z, labels, kernel, combination), logits)


@combinations
@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16])
def test_ignored_pixels_give_exactly_no_gradient_however_wrong_they_are(combination, kind):
    logits, labels, kernel = partly_ignored_case(spread=1e4)
    logits = logits.detach().to(kind).requires_grad_()
    labels, kernel = labels.float(), kernel.float()
    loss_of(logits, labels, kernel, combination).backward()
    ignored = (labels.sum(1, keepdim=True) == 0).expand_as(logits)
    assert (logits.grad[ignored] == 0).all()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[~ignored].abs().max() > 0


@combinations
def test_what_is_predicted_at_ignored_pixels_changes_nothing(combination):
    logits, labels, kernel = partly_ignored_case()
    other = logits + 100 * (labels.sum(1, keepdim=True) == 0) * torch.tensor([1.0, -1.0, 0.5]).view(1, 3, 1, 1)
    assert loss_of(other, labels, kernel, combination).item() == loss_of(logits, labels, kernel, combination).item()


@combinations
def test_float32_agrees_with_float64(combination):
    logits, labels, kernel = partly_ignored_case()
    single = logits.detach().float().requires_grad_()
    loss = loss_of(single, labels.float(), kernel.float(), combination)
    loss.backward()
    assert loss.item() == pytest.approx(closed_loss(logits, labels, kernel, combination), rel=1e-6)
    assert (single.grad - closed_form(logits, labels, kernel, combination)).abs().max() <= 1e-7


@combinations
def test_bf16_differs_only_by_the_rounding_of_the_logits(combination):
    logits, labels, kernel = partly_ignored_case()
    half = logits.detach().bfloat16().requires_grad_()
    loss = loss_of(half, labels.float(), kernel.float(), combination)
    loss.backward()
    assert loss.dtype == torch.float32
    # At the rounded logits all is as in float32, but for the gradient's own rounding to 8 bits, which "sum" has twice.
    terms = 2 if combination == "sum" else 1
    assert loss.item() == pytest.approx(closed_loss(half, labels, kernel, combination), rel=1e-6)
    exact = closed_form(half, labels, kernel, combination)
    assert (half.grad.double() - exact).abs().max() <= terms * 2**-8 * exact.abs().max()
    # -sum l log y moves by at most twice what the logits move, sum |y - l| being at most 2.
    moved = (half.detach().double() - logits).abs().max().item()
    assert loss.item() == pytest.approx(closed_loss(logits, labels, kernel, combination), abs=2 * terms * moved)


@combinations
def test_under_bf16_autocast_the_loss_is_taken_in_float32(combination):
    _, labels, kernel = partly_ignored_case()
    torch.manual_seed(0)
    network, image = torch.nn.Conv2d(4, 3, 3, padding=1), torch.randn(2, 4, 4, 5)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(image)
        loss = loss_of(logits, labels.float(), kernel.float(), combination)
    assert logits.dtype == torch.bfloat16
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(closed_loss(logits, labels, kernel, combination), rel=1e-6)


def test_eq_4_and_5_by_hand():
    # y = softmax(log 2, 0, 0) = (1/2, 1/4, 1/4).
    logits = torch.tensor([math.log(2), 0.0, 0.0]).view(1, 3, 1, 1).requires_grad_()
    labels = torch.tensor([0.5, 0.25, 0.25]).view(1, 3, 1, 1)
    loss = individual_kernel_loss(logits, labels).sum()
    loss.backward()
    # .5 log 2 + .25 log 4 + .25 log 4, which no other y betters: the gradient is zero.
    assert loss.item() == pytest.approx(1.5 * math.log(2))
    assert logits.grad.flatten().tolist() == pytest.approx([0, 0, 0], abs=1e-7)


def test_eq_7_and_8_by_hand_for_a_soft_label():
    logits = torch.tensor([math.log(2), 0.0, 0.0]).view(1, 3, 1, 1).requires_grad_()
    # The largest is the boundary: y_g = 1/4.
    labels = torch.tensor([0.3, 0.6, 0.1]).view(1, 3, 1, 1)
    loss = global_kernel_loss(logits, labels, torch.full((1, 1, 1), 0.8)).sum()
    loss.backward()
    assert loss.item() == pytest.approx(0.8 * math.log(4))
    assert logits.grad.flatten().tolist() == pytest.approx([0.4, -0.6, 0.2])


def test_both_combinations_by_hand():
    # Two pixels with a label and one without, equal logits: log 3 is each pixel's eq. (4), and K log 3 its eq. (7).
    labels = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]).T.reshape(1, 3, 1, 3)
    kernel = torch.tensor([0.9, 1.0, 5.0]).view(1, 1, 3)
    logits = torch.zeros(1, 3, 1, 3)
    assert boundary_sensitive_loss(logits, labels).item() == pytest.approx(math.log(3))
    product = boundary_sensitive_loss(logits, labels, kernel, combination="product")
    assert product.item() == pytest.approx((0.9 + 1.0) / 2 * math.log(3))
    both = boundary_sensitive_loss(logits, labels, kernel, combination="sum")
    assert both.item() == pytest.approx((1.9 + 2.0) / 2 * math.log(3))


def test_a_pixel_that_is_as_likely_boundary_as_another_class_is_boundary_on_either_side():
    # Logits (log 2, 0, 0): y = (1/2, 1/4, 1/4), and the boundary costs log 4 on the foreground's side and the other.
    logits = torch.tensor([math.log(2), 0, 0]).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    labels = torch.tensor([[0.5, 0.5, 0], [0, 0.5, 0.5]]).T.reshape(1, 3, 1, 2)
    loss = global_kernel_loss(logits, labels, torch.ones(1, 1, 2))
    assert loss.flatten().tolist() == pytest.approx([math.log(4)] * 2)


def test_hard_targets_are_the_nearer_of_foreground_and_background_and_leave_ignored_pixels_out():
    labels = torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.5, 0.4], [0.0, 0.0, 0.0]]).T.reshape(1, 3, 1, 3)
    assert targets(labels, 2)[0, :, 0].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert torch.equal(targets(labels, 3), labels)


def test_the_segmentation_loss_is_summed_over_the_fused_map_and_every_branch():
    # Equal logits cost log 2 in each of the four maps.
    flat = torch.zeros(1, 2, 2, 2)
    labels = torch.zeros(1, 3, 4, 4)
    labels[:, 0] = 1
    batch = {"labels": labels, "kernel": torch.ones(1, 4, 4), "attributes": torch.tensor([[1]])}
    attributes = torch.tensor([[[0.0, math.log(3.0)]]])
    segmentation, attribute = batch_losses(Output(flat, (flat,) * 3, attributes), batch, combination="product")
    assert segmentation.item() == pytest.approx(4 * math.log(2))
    # softmax(0, log 3) gives the true class 3/4.
    assert attribute.item() == pytest.approx(math.log(4 / 3))


def test_only_known_values_of_several_attributes_are_learned():
    flat, labels = torch.zeros(2, 2, 2, 2), torch.ones(2, 3, 4, 4) / 3
    # Two photos, two attributes; of the second photo only the second attribute is known.
    batch = {"labels": labels, "kernel": torch.ones(2, 4, 4), "attributes": torch.tensor([[0, 1], [-1, 1]])}
    logits = torch.tensor([[[[0.0, 0.0], [0.0, math.log(3.0)]], [[5.0, 0.0], [0.0, 0.0]]]], requires_grad=True)
    _, loss = batch_losses(Output(flat, (), logits), batch, combination="product")
    # The true classes have 1/2, 3/4 and 1/2.
    assert loss.item() == pytest.approx((math.log(2) + math.log(4 / 3) + math.log(2)) / 3)
    loss.backward()
    assert (logits.grad[0, 1, 0] == 0).all()
    assert (logits.grad[0, 1, 1] != 0).all()


def test_an_unknown_attribute_has_zero_loss():
    flat, labels = torch.zeros(1, 2, 2, 2), torch.ones(1, 3, 4, 4) / 3
    batch = {"labels": labels, "kernel": torch.ones(1, 4, 4), "attributes": torch.tensor([[-1]])}
    assert batch_losses(Output(flat, (), torch.ones(1, 1, 1, 2)), batch, combination="product")[1].item() == 0
