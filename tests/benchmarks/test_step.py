import copy

import pytest
import torch

from benchmarks.step import Step, made_up_batch
from bsn.inputs import network_input
from bsn.losses import batch_losses
from bsn.models import build
from bsn.models.layers import freeze_batch_norm


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = build("deeplab", classes=3, backbone="resnet18", base_width=4, attributes=1).train()
    freeze_batch_norm(model)
    for module in model.modules():
        # Two runs are compared, so none may draw.
        if "Dropout" in type(module).__name__:
            module.eval()
    return model


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_steps_update_the_weights_as_plain_torch_does(model, name):
    plain, host = copy.deepcopy(model), made_up_batch(2, (32, 32), attributes=1)
    step = Step(model, host, optimizer=name, head_lr_multiplier=10.0, weight_decay=0.01, mixed=False)
    groups = plain.parameter_groups(head_lr_multiplier=10.0)
    if name == "sgd":
        optimizer = torch.optim.SGD(groups, lr=0.0, momentum=0.9, weight_decay=0.01)
    else:
        optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.999), weight_decay=0.01)
    for rate in (0.01, 0.001):
        step(rate)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["multiplier"]
        optimizer.zero_grad()
        output = plain(network_input(host["image"], host["prior"]))
        sum(batch_losses(output, host, combination="product")).backward()
        optimizer.step()
    for mine, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_mixed_precision_keeps_the_weights_and_the_loss_in_float32(model):
    before = copy.deepcopy(model)
    step = Step(
        model,
        made_up_batch(2, (32, 32), attributes=1),
        optimizer="sgd",
        head_lr_multiplier=1.0,
        weight_decay=0.0,
        mixed=True,
    )
    exact = Step(before, step.host, optimizer="sgd", head_lr_multiplier=1.0, weight_decay=0.0, mixed=False).forward()
    loss = step.forward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.02)
    step(0.01)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not torch.equal(model.aspp.convs[0].weight, before.aspp.convs[0].weight)


def test_a_made_up_batch_is_what_the_loader_gives():
    batch = made_up_batch(3, (40, 32), attributes=2)
    assert {key: (tuple(value.shape), value.dtype) for key, value in batch.items()} == {
        "image": ((3, 3, 40, 32), torch.uint8),
        "prior": ((3, 3, 40, 32), torch.float32),
        "labels": ((3, 3, 40, 32), torch.float32),
        "kernel": ((3, 40, 32), torch.float32),
        "attributes": ((3, 2), torch.int64),
    }
    assert batch["labels"].sum(dim=1) == pytest.approx(torch.ones(3, 40, 32), abs=1e-6)
