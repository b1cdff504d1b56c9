import itertools

from benchmarks import loader
from bsn.training.recipe import NO_AUGMENTATION


def test_the_measured_take_turns():
    turns = itertools.count()
    said = loader.interleaved({"one": lambda: next(turns), "other": lambda: next(turns)}, rounds=3)
    assert said == {"one": [0, 2, 4], "other": [1, 3, 5]}


def test_the_made_up_photos_give_the_patches_of_the_profile():
    profile = loader.network("sketch")
    photos = loader.made_up_photos(tuple(profile.size))
    batch = loader.sampler(profile, photos, NO_AUGMENTATION).load(0)
    assert batch["image"].shape == (profile.batch, 3, *profile.crop)
    # Every pixel of a crop has its label, and the face's channels are there.
    assert abs(batch["labels"].sum(axis=1) - 1).max() < 1e-3
    assert batch["prior"].std() > 0
