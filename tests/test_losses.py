import math

import pytest
import torch

from bsn.losses import boundary_sensitive_loss, global_kernel_loss, individual_kernel_loss


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


def test_an_ignored_pixel_has_no_loss_and_no_gradient():
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


def test_a_batch_of_only_ignored_pixels_costs_nothing():
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


def test_an_unknown_combination_is_refused():
    logits, labels, kernel = random_case()
    with pytest.raises(ValueError, match="average"):
        boundary_sensitive_loss(logits, labels, kernel, combination="average")
