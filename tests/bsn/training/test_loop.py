import re
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from bsn.alignment import FRAME
from bsn.errors import InputError
from bsn.inputs import WorkingPhoto, network_input
from bsn.losses import batch_losses
from bsn.models import build
from bsn.models.layers import draw_dropout
from bsn.training import loop
from bsn.training.checkpoints import Checkpoint, load_phase_one, save_phase_one
from bsn.training.patches import PatchSampler, TrainingPhoto
from bsn.training.recipe import NO_AUGMENTATION, Phase, Recipe

SIZE = (32, 24)


def toy_sampler(seed=0):
    """Bright discs on dark ground, each with its exact mask."""
    photos = []
    for number in range(6):
        rows, columns = np.indices(SIZE)
        disc = (rows - 16) ** 2 + (columns - 8 - number) ** 2 < 60
        labels = np.stack([disc, np.zeros(SIZE), ~disc], axis=2).astype(np.float16)
        image = np.where(disc[..., None], 200, 40).astype(np.uint8).repeat(3, axis=2)
        photo = WorkingPhoto(image=image, to_frame=None)
        photos.append(TrainingPhoto(id=f"disc{number}", photo=photo, labels=labels, attributes=np.array([number % 2])))
    return PatchSampler(
        photos,
        crop=(24, 24),
        batch=3,
        seed=seed,
        augmentation=replace(NO_AUGMENTATION, flip=0.5, scale=(0.9, 1.1)),
        aligned_mean_mask=np.zeros(FRAME, np.float32),
        kernel=np.ones(FRAME, np.float32),
    )


def toy_model(classes=2):
    torch.manual_seed(0)
    return build("deeplab", classes=classes, backbone="resnet18", base_width=4, attributes=1, attribute_neurons=64)


def recipe(first=20, second=10, **changes):
    settings = {
        "phases": [
            Phase(iterations=first, learning_rate=0.01),
            Phase(iterations=second, learning_rate=0.001),
        ],
        "optimizer": "sgd",
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "freeze_batch_norm": False,
    }
    return Recipe(**{**settings, **changes})


def run(folder, model=None, workers=0, **changes):
    model = model or toy_model()
    state = train_toy(folder, model, plan=recipe(**changes), workers=workers)
    Checkpoint(folder).clear()
    return model, state.curves


def train_toy(folder, model, *, plan=None, **options):
    return loop.train(
        model,
        toy_sampler(),
        plan or recipe(),
        Fabric(accelerator="cpu"),
        checkpoint=Checkpoint(folder),
        **options,
    )


def assert_same(one, other):
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_a_network_learns_two_attributes_at_once(tmp_path):
    # How large the disc is, is told of every photo; which shade it has, of six of the eight.
    photos = []
    for number in range(8):
        large, bright = number % 2, number // 2 % 2
        rows, columns = np.indices(SIZE)
        disc = (rows - 16) ** 2 + (columns - 12) ** 2 < 30 + 80 * large
        labels = np.stack([disc, np.zeros(SIZE), ~disc], axis=2).astype(np.float16)
        image = np.where(disc[..., None], 120 + 120 * bright, 20).astype(np.uint8).repeat(3, axis=2)
        photo = WorkingPhoto(image=image, to_frame=None)
        told = np.array([large, bright if number < 6 else -1])
        photos.append(TrainingPhoto(id=str(number), photo=photo, labels=labels, attributes=told))
    sampler = PatchSampler(
        photos,
        crop=SIZE,
        batch=8,
        seed=0,
        augmentation=NO_AUGMENTATION,
        aligned_mean_mask=np.zeros(FRAME, np.float32),
        kernel=np.ones(FRAME, np.float32),
    )
    none = Phase(iterations=0, learning_rate=0.01)
    torch.manual_seed(0)
    model = build("deeplab", classes=2, backbone="resnet18", base_width=4, attributes=2, attribute_neurons=64)
    curves = loop.train(
        model,
        sampler,
        recipe(phases=[none, Phase(iterations=80, learning_rate=0.01)], optimizer="adamw"),
        Fabric(accelerator="cpu"),
        checkpoint=Checkpoint(tmp_path),
    ).curves
    assert curves[0].loss_attribute == pytest.approx(np.log(2), abs=0.1)
    assert curves[-1].loss_attribute < 0.5 * curves[0].loss_attribute
    images = torch.from_numpy(np.stack([photo.photo.image.transpose(2, 0, 1) for photo in photos]))
    # Without dropout, and with the batch's own statistics: 80 steps are too few for the running ones.
    model.train().attribute_branch.eval()
    with torch.no_grad():
        said = model(network_input(images, torch.zeros(8, 3, *SIZE))).attributes[0].argmax(dim=2).numpy()
    wanted = np.stack([photo.attributes for photo in photos])
    assert (said == wanted)[wanted >= 0].mean() > 0.9


def test_training_learns_and_records_its_curves(tmp_path):
    _, curves = run(tmp_path, first=60, second=15, optimizer="adamw")
    assert [point.iteration for point in curves] == [10, 20, 30, 40, 50, 60, 70, 75]
    assert [point.phase for point in curves] == [1] * 6 + [2] * 2
    assert curves[-1].loss_segmentation < 0.6 * curves[0].loss_segmentation


def test_the_step_schedule_is_constant_within_a_phase(tmp_path):
    _, curves = run(tmp_path, first=20, second=10)
    assert [point.lr for point in curves] == [0.01, 0.01, 0.001]


def test_the_poly_schedule_falls_over_both_phases_and_never_rises():
    plan = recipe(20, 10, schedule="poly")
    assert plan.learning_rate(0) == 0.01
    assert plan.learning_rate(19) == pytest.approx(0.01 * (11 / 30) ** 0.9)
    assert plan.learning_rate(20) == pytest.approx(0.001 * (10 / 30) ** 0.9)
    assert plan.learning_rate(29) == pytest.approx(0.001 * (1 / 30) ** 0.9)


def test_the_warmup_rises_linearly_from_its_first_step():
    plan = recipe(20, 10, warmup=4)
    assert [plan.learning_rate(step) for step in range(6)] == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01, 0.01])


def test_momentum_is_kept_into_phase_two(tmp_path):
    # With a rate of 0 in phase two only a velocity from phase one could be there to be seen.
    phases = [Phase(iterations=3, learning_rate=0.01), Phase(iterations=1, learning_rate=1e-12)]
    states = {
        count: train_toy(tmp_path / str(count), toy_model(), plan=recipe(phases=phases), phases=count).optimizer[
            "aspp.convs.0.weight"
        ]["momentum_buffer"]
        for count in (1, 2)
    }
    gradient = states[2] - 0.9 * states[1]
    assert gradient.norm() < states[2].norm() < states[1].norm() + gradient.norm()
    assert not torch.equal(states[2], gradient)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_phase_two_from_another_run_s_phase_one_gives_the_same_bytes(tmp_path, layout, optimizer):
    plan = recipe(12, 6, optimizer=optimizer)

    def made(**attributes):
        torch.manual_seed(0)
        model = build("deeplab", classes=2, backbone="resnet18", base_width=8, **attributes)
        return model.to(memory_format=layout)

    branch = {"attributes": 1, "attribute_neurons": 64}
    whole = made(**branch)
    curves = train_toy(tmp_path / "whole", whole, plan=plan).curves
    save_phase_one(tmp_path / "base", train_toy(tmp_path / "checkpoint", made(), plan=plan, phases=1))
    base = load_phase_one(tmp_path / "base")
    for folder in ("rest", "again"):
        model = made(**branch)
        state = train_toy(tmp_path / folder, model, plan=plan, start=base)
        assert_same(model, whole)
        assert (base.iteration, len(base.curves)) == (12, 2)
    # Phase one of the whole run has an attribute loss to report, which nobody trained on.
    assert [point.loss for point in state.curves] == [point.loss for point in curves]


def test_the_attribute_branch_is_trained_in_phase_two_only(tmp_path):
    model = toy_model()
    before = model.attribute_branch[0].classifiers[0][0].weight.clone()
    run(tmp_path, model, first=10, second=0)
    assert torch.equal(model.attribute_branch[0].classifiers[0][0].weight, before)
    run(tmp_path, model, first=0, second=10)
    assert not torch.equal(model.attribute_branch[0].classifiers[0][0].weight, before)


def test_frozen_batch_norm_keeps_its_statistics_and_its_scale_in_both_phases(tmp_path):
    model = toy_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    run(tmp_path, model, first=3, second=3, freeze_batch_norm=True)
    # The second entry of a shortcut is its batch norm.
    frozen = {name for name in before if re.search(r"\.bn\d\.|downsample\.1\.", name)}
    assert len(frozen) == 20 * 5
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) is (name in frozen), name


def test_a_step_moves_each_layer_by_its_multiplier_and_decays_no_bias_of_a_new_one(tmp_path):
    model, before = toy_model(), toy_model()
    phases = [Phase(iterations=1, learning_rate=0.01)]
    run(tmp_path, model, phases=phases, momentum=0, weight_decay=0.1, head_lr_multiplier=10)
    batch = {key: torch.from_numpy(array) for key, array in toy_sampler().load(0).items()}
    draw_dropout(before, range(3), torch.device("cpu"))  # of the branch, which is not trained
    batch_losses(before.train()(network_input(batch["image"], batch["prior"])), batch, combination="product")[
        0
    ].backward()
    for (name, after), parameter in zip(model.named_parameters(), before.parameters(), strict=True):
        if name.startswith("attribute_branch"):
            assert torch.equal(after, parameter)
            continue
        new, bias = name.startswith("aspp"), name.endswith("bias")
        multiplier = (20 if bias else 10) if new else 1
        gradient = parameter.grad + (0 if new and bias else 0.1 * parameter)
        assert torch.allclose(after, parameter - 0.01 * multiplier * gradient, atol=1e-6), name


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(tmp_path, optimizer):
    one, _ = run(tmp_path / "a", first=6, second=3, optimizer=optimizer)
    other, _ = run(tmp_path / "b", first=6, second=3, optimizer=optimizer, workers=2)
    assert_same(one, other)


@pytest.mark.parametrize("stop", [10, 20])
def test_an_interrupted_run_ends_with_the_same_bytes(tmp_path, monkeypatch, stop):
    whole, curves = run(tmp_path / "whole")
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)

    def break_off(point):
        if point.iteration > stop:
            raise KeyboardInterrupt

    model = toy_model()
    with pytest.raises(KeyboardInterrupt):
        loop.train(
            model,
            toy_sampler(),
            recipe(),
            Fabric(accelerator="cpu"),
            checkpoint=Checkpoint(tmp_path / "broken"),
            on_point=break_off,
        )
    assert Checkpoint(tmp_path / "broken").load()["iteration"] == stop
    resumed, again = run(tmp_path / "broken")
    assert_same(resumed, whole)
    assert [astuple(point)[:-1] for point in again] == [astuple(point)[:-1] for point in curves]
    assert Checkpoint(tmp_path / "broken").load() is None


def test_a_nan_loss_stops_with_iteration_learning_rate_and_photos(tmp_path):
    model = toy_model()
    with torch.no_grad():
        model.aspp.convs[0].bias.fill_(float("nan"))
    with pytest.raises(InputError, match=r"iteration 0, learning rate 0\.01, photos disc\d, disc\d, disc\d"):
        run(tmp_path, model)
