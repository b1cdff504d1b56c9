"""Where a training run keeps its checkpoint: a folder of its own for everything that its weights depend on."""

from contextlib import nullcontext

import numpy as np
import pytest
from safetensors.torch import save_file

from bsn.alignment import FRAME
from bsn.models import build
from bsn.training import loop
from stages import train, train_base
from study import params
from study import training as stage
from tests.bsn.training.test_loop import toy_sampler


class Stopped(Exception):
    """Training was asked for; there is nothing more to see."""


@pytest.fixture
def folder_of(monkeypatch, tmp_path):
    """The checkpoint's folder of a method trained with changed parameters (by dotted key) on given photos."""
    raw, profile = params.read_yaml(params.PARAMS_FILE), params.read_yaml(params.PROFILES_FOLDER / "sketch.yaml")
    monkeypatch.chdir(tmp_path)
    for name in ("attributes", "mean_mask", "loss_weights", "pretrained"):
        (tmp_path / "data" / name).mkdir(parents=True)
    (tmp_path / "data/attributes/none.csv").write_text("id\n")
    (tmp_path / "data/attributes/hair.csv").write_text("id,hair,hair.source\ndisc0,long,rule\ndisc1,short,rule\n")
    save_file({}, "data/pretrained/fcn8s.safetensors")
    monkeypatch.setattr(train, "start_run", lambda *_: nullcontext())

    def folder(method="bsn", *, photos=None, mean_mask=0.5, weight=1.0, start=None, **changes):
        tree = {"params": raw, "profile": profile}
        for key, value in changes.items():
            tree = changed(tree, key.split("__"), value)
        np.save("data/mean_mask/aligned.npy", np.full(FRAME, mean_mask, np.float32))
        for name in ("uniform", "global"):
            np.save(f"data/loss_weights/{name}.npy", np.full(FRAME, weight, np.float32))
        save_file(start or {}, "data/pretrained/deeplab.safetensors")
        monkeypatch.setattr(train, "load", lambda: params.check(tree["params"], tree["profile"]))
        monkeypatch.setattr(stage, "training_photos", lambda *_, **__: photos or toy_sampler().photos)
        # Phase one by nobody: what is left for the method is all of the training.
        base = train.PHASE_ONE / params.check(tree["params"], tree["profile"]).methods[method].base
        base.mkdir(parents=True, exist_ok=True)
        save_file({}, base / "state.safetensors")
        (base / "state.json").write_text('{"iteration": 0, "curves": []}')
        found = []

        def stop(model, sampler, recipe, fabric, checkpoint, **_):
            found.append(checkpoint.folder)
            raise Stopped

        monkeypatch.setattr(loop, "train", stop)
        with pytest.raises(Stopped):
            train.train(method)
        return found[0]

    return folder


def changed(tree, path, value):
    """A copy of nested dicts and lists with one value changed."""
    if not path:
        return value
    if isinstance(tree, list):
        return [changed(item, path[1:], value) if str(i) == path[0] else item for i, item in enumerate(tree)]
    return {**tree, path[0]: changed(tree[path[0]], path[1:], value)}


def photos_with(change):
    photos = toy_sampler().photos
    change(photos[2])
    return photos


NETWORK = "profile__networks__deeplab__"
CHANGES = {
    "params__seed": 2,
    "params__methods__bsn__labels": "hard",
    "params__global_kernel__combination": "sum",
    "params__methods__bsn__attribute": "none",
    "params__methods__bsn__network": "fcn8s",
    f"{NETWORK}backbone": "resnet50",
    f"{NETWORK}base_width": 16,
    f"{NETWORK}scales": [0.5, 1.0],
    f"{NETWORK}size": [96, 72],
    f"{NETWORK}crop": [96, 96],
    f"{NETWORK}batch": 5,
    f"{NETWORK}phases__0__iterations": 761,
    f"{NETWORK}phases__0__learning_rate": 0.003,
    f"{NETWORK}phases__1__iterations": 101,
    f"{NETWORK}phases__1__learning_rate": 0.0003,
    f"{NETWORK}optimizer": "sgd",
    f"{NETWORK}momentum": 0.8,
    f"{NETWORK}weight_decay": 0.02,
    f"{NETWORK}head_lr_multiplier": 10.0,
    f"{NETWORK}freeze_batch_norm": True,
    f"{NETWORK}augmentation__flip": 0.4,
    f"{NETWORK}augmentation__scale": [0.9, 1.0],
    f"{NETWORK}augmentation__rotation": [0, 1],
    f"{NETWORK}augmentation__draw": "one",
    f"{NETWORK}augmentation__gamma": [1.0, 1.1],
}


def test_every_change_of_what_the_weights_depend_on_has_a_checkpoint_of_its_own(folder_of):
    folders = {"as it is": folder_of()}
    for key, value in CHANGES.items():
        # fcn8s has no branch for an attribute, and random weights no statistics to freeze.
        options = {"params__methods__bsn__attribute": "none"} if value == "fcn8s" else {}
        if key == f"{NETWORK}freeze_batch_norm":
            options = {f"{NETWORK}weights": "mine.safetensors"}
        folders[key] = folder_of(**{**options, key: value})
    folders["mean mask"] = folder_of(mean_mask=0.4)
    folders["global kernel"] = folder_of(weight=0.9)
    start = build(
        "deeplab", classes=3, backbone="resnet18", base_width=8, attributes=1, attribute_neurons=128
    ).state_dict()
    folders["starting weights"] = folder_of(start=start)
    one_pixel = photos_with(lambda photo: photo.photo.image.__setitem__((3, 4, 0), 7))
    folders["a pixel"] = folder_of(photos=one_pixel)
    folders["a label"] = folder_of(photos=photos_with(lambda photo: photo.labels.__setitem__((3, 4), [0, 1, 0])))
    folders["an attribute"] = folder_of(photos=photos_with(lambda photo: photo.attributes.__setitem__(0, -1)))
    folders["a photo less"] = folder_of(photos=toy_sampler().photos[:-1])
    folders["the photos' order"] = folder_of(photos=toy_sampler().photos[::-1])
    names = {}
    for change, folder in folders.items():
        assert folder not in names, f"{change} and {names[folder]} would go on from one checkpoint"
        names[folder] = change


def test_the_same_run_started_again_finds_its_checkpoint(folder_of):
    assert folder_of() == folder_of()


def test_what_the_weights_do_not_depend_on_keeps_the_checkpoint(folder_of):
    # The other network's recipe, and how the test sets are measured.
    assert folder_of(profile__networks__fcn8s__batch=7, params__graph_cut__height=100) == folder_of()


def test_a_job_in_a_temporary_copy_keeps_its_checkpoints_in_the_users_own_checkout(folder_of, monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "own"))
    assert folder_of().parent == tmp_path / "own/checkpoints"


@pytest.mark.parametrize(("stage", "name"), [(train, "portrait_fcn"), (train_base, "fcn8s-hard-uniform")])
def test_a_training_takes_at_most_as_many_gpus_as_a_batch_has_patches(monkeypatch, stage, name):
    def launch(**options):
        raise Stopped(options["devices"])

    monkeypatch.setattr(stage, "launch", launch)
    with pytest.raises(Stopped) as asked:
        getattr(stage, stage.__name__.rpartition(".")[2])(name)
    assert asked.value.args == (params.load().networks.fcn8s.batch,)
