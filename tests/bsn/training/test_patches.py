import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from bsn.alignment import FRAME
from bsn.inputs import WorkingPhoto
from bsn.kernels import label_codes
from bsn.training.patches import PatchSampler, TrainingPhoto, batches, working_labels
from bsn.training.recipe import NO_AUGMENTATION
from tests.processes import start
from tests.waiting import HUNG, alive, wait_until

SIZE = (40, 30)


def training_photo(number, to_frame=None):
    draw = np.random.default_rng(number)
    labels = np.zeros((*SIZE, 3), np.float16)
    labels[:20, :, 2] = 1
    labels[20:, :, 0] = 1
    image = draw.integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    return TrainingPhoto(
        id=str(number),
        photo=WorkingPhoto(image=image, to_frame=to_frame),
        labels=labels,
        attributes=np.array([number % 2]),
    )


def sampler(*, photos=5, crop=(16, 12), augmentation=None, kernel=None, seed=3, to_frame=None):
    return PatchSampler(
        [training_photo(number, to_frame) for number in range(photos)],
        crop=crop,
        batch=4,
        seed=seed,
        augmentation=augmentation or replace(NO_AUGMENTATION, flip=0.5),
        aligned_mean_mask=np.zeros(FRAME, np.float32),
        kernel=np.ones(FRAME, np.float32) if kernel is None else kernel,
    )


def test_a_patch_depends_on_seed_iteration_and_slot_alone():
    rich = replace(NO_AUGMENTATION, flip=0.5, scale=(0.8, 1.3), rotation=(-20, 20), gamma=(0.7, 1.4))
    one, other = sampler(augmentation=rich), sampler(augmentation=rich)
    other.load(0)
    other.load(9)
    for key, array in one.load(7).items():
        assert (other.load(7)[key] == array).all()
    assert (sampler(augmentation=rich, seed=4).load(7)["image"] != one.load(7)["image"]).any()


def test_slots_give_a_share_of_the_same_batch():
    whole, share = sampler().load(5), sampler().load(5, slots=[1, 3])
    assert (share["image"] == whole["image"][[1, 3]]).all()


def test_an_epoch_shows_every_photo_once():
    patches = sampler(photos=8)
    first = [patches.photo_index(iteration, slot) for iteration in range(2) for slot in range(4)]
    second = [patches.photo_index(iteration, slot) for iteration in range(2, 4) for slot in range(4)]
    assert sorted(first) == sorted(second) == list(range(8))
    assert first != second


def test_without_scale_and_rotation_a_patch_is_a_plain_crop_or_its_mirror_image():
    patches = sampler(augmentation=replace(NO_AUGMENTATION, flip=0.5))
    kinds = set()
    for slot in range(4):
        for iteration in range(6):
            image = patches.photos[patches.photo_index(iteration, slot)].photo.image
            patch = patches.patch(iteration, slot)["image"].transpose(1, 2, 0)
            windows = np.lib.stride_tricks.sliding_window_view(image, (16, 12), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
            plain = (windows == patch).all(axis=(2, 3, 4)).any()
            mirrored = (windows == patch[:, ::-1]).all(axis=(2, 3, 4)).any()
            assert plain or mirrored
            kinds.add(bool(mirrored))
    assert kinds == {True, False}


def test_labels_go_with_the_pixels():
    patch = sampler(crop=SIZE, augmentation=replace(NO_AUGMENTATION, flip=1)).patch(0, 0)
    assert patch["labels"][2, :20].min() == 1
    assert patch["labels"][0, 20:].min() == 1


def test_pixels_outside_of_the_photo_have_no_label():
    labels = sampler(crop=(60, 30), augmentation=NO_AUGMENTATION).patch(0, 0)["labels"]
    assert labels.sum(axis=0).sum() == pytest.approx(40 * 30)
    assert set(np.unique(labels.sum(axis=0))) == {0, 1}


def test_resampled_labels_sum_to_one_again_or_are_ignored():
    rich = sampler(
        augmentation=replace(NO_AUGMENTATION, flip=0.5, scale=(0.6, 0.6), rotation=(-25, 25)), crop=(40, 30)
    ).patch(2, 1)["labels"]
    assert rich.dtype == np.float32
    total = rich.sum(axis=0)
    assert total[total > 0] == pytest.approx(1, abs=1e-6)
    assert (total == 0).any()
    assert rich.min() == 0


def test_the_global_kernel_is_cropped_and_mirrored_with_the_patch():
    # K grows with the photo's column, so a mirrored whole-photo patch falls with it.
    columns = np.tile(np.arange(FRAME[1], dtype=np.float32), (FRAME[0], 1))
    plain = sampler(crop=SIZE, kernel=columns, augmentation=NO_AUGMENTATION).patch(0, 0)["kernel"]
    mirrored = sampler(crop=SIZE, kernel=columns, augmentation=replace(NO_AUGMENTATION, flip=1)).patch(0, 0)["kernel"]
    # A working pixel is 20 frame pixels wide; its centre lies at 20 x + 9.5.
    assert plain[0] == pytest.approx(20 * np.arange(30) + 9.5, abs=0.05)
    assert mirrored == pytest.approx(plain[:, ::-1])


def test_position_channels_of_a_mirrored_patch_are_those_of_a_mirrored_face():
    to_frame = np.array([[20.0, 0, 9.5], [0, 20, 9.5], [0, 0, 1]])
    plain = sampler(crop=SIZE, to_frame=to_frame, augmentation=NO_AUGMENTATION).patch(0, 0)["prior"]
    mirrored = sampler(crop=SIZE, to_frame=to_frame, augmentation=replace(NO_AUGMENTATION, flip=1)).patch(0, 0)["prior"]
    assert mirrored[0] == pytest.approx(-plain[0][:, ::-1], abs=1e-5)
    assert mirrored[1] == pytest.approx(plain[1], abs=1e-5)


def test_working_labels_average_the_soft_labels_under_each_working_pixel():
    # A step at column 3 of 6, halved: the middle working pixels see one contour pixel and one plain one.
    mask = np.tile(np.array([0, 0, 0, 1, 1, 1], np.uint8), (4, 1))
    codes = label_codes(mask, width=3)  # band: d = 1, 0 | 0, 1, with d_max 1.5
    labels = working_labels(codes, (2, 3), width=3, reading="closeness").astype(float)
    # l_bdry at full size: 0, 1/3, 1, 1, 1/3, 0; averaged in pairs.
    assert labels[0, :, 1] == pytest.approx([1 / 6, 1, 1 / 6], abs=1e-3)
    assert labels.sum(axis=2) == pytest.approx(np.ones((2, 3)), abs=1e-3)


def test_gamma_brightens_or_darkens_the_photo_and_nothing_else():
    patches = sampler(crop=SIZE, augmentation=replace(NO_AUGMENTATION, gamma=(2, 2)))
    patch = patches.patch(0, 0)
    image = patches.photos[patches.photo_index(0, 0)].photo.image
    assert patch["image"].transpose(1, 2, 0) == pytest.approx(np.floor(255 * (image / 255.0) ** 2), abs=1)
    assert patch["labels"][2, :20].min() == 1


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"draw": "two"}, "draw is 'two'; it is range or one"),
        ({"flip": 1.5}, "flip is 1.5; it is a probability"),
        ({"scale": (0.5, 0.8, 1.2)}, "scale is .* give two numbers"),
        ({"rotation": (20, -20)}, "rotation is .* the lower one first"),
        ({"draw": "one", "scale": (0.5, 0.0)}, "scale is .* give numbers above 0"),
    ],
)
def test_an_invalid_augmentation_is_refused(options, line):
    with pytest.raises(ValueError, match=line):
        sampler(augmentation=replace(NO_AUGMENTATION, **options))


def take_one_batch(ready):
    """Take one batch, while the workers wait to hand over the next ones: each is more than a pipe holds."""
    made = batches(sampler(crop=(160, 120)), range(100), slots=range(4), workers=2)
    next(made)
    ready.touch()
    time.sleep(HUNG)


def test_loader_workers_end_when_the_training_is_killed(tmp_path):
    process = start(take_one_batch, tmp_path / "ready")
    wait_until((tmp_path / "ready").exists)
    workers = psutil.Process(process.pid).children()
    assert len(workers) == 2
    process.kill()
    process.join()
    wait_until(lambda: not any(alive(worker.pid) for worker in workers))
