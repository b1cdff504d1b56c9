import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

import bsn
from bsn.alignment import FRAME, REFERENCE_POINTS
from bsn.cutout.cutout import Portrait
from bsn.errors import InputError
from bsn.methods.prediction import MeanMask, Segmenter
from bsn.models import build
from tests.bsn.cutout.stand_ins import RedPart, Told, face

LOWER_HALF = np.zeros(FRAME, np.float32)
LOWER_HALF[400:] = 1
OPTIONS = {"classes": 2, "base_width": 4, "batch_norm": True}


@pytest.fixture
def trained(tmp_path):
    """A tiny network's folder and a mean mask beside it."""
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    save_file(build("fcn8s", **OPTIONS).eval().state_dict(), folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps({"network": "fcn8s", "options": OPTIONS, "size": [64, 48]}))
    np.save(tmp_path / "aligned.npy", LOWER_HALF)
    return folder


def loaded(folder):
    return bsn.Portrait.load(folder, mean_mask=folder.parents[1] / "aligned.npy")


def test_three_lines_give_the_mask_that_the_trained_network_gives(trained, disc):
    portrait = bsn.Portrait.load(str(trained), mean_mask=str(trained.parents[1] / "aligned.npy"))
    mask = portrait.segment(disc.photo)
    assert mask.shape == disc.mask.shape
    assert mask.dtype == np.uint8
    # No face is found in a disc.
    expected = Segmenter(portrait.method.model, size=(64, 48), aligned_mean_mask=LOWER_HALF)(disc.photo, None)
    assert (mask == expected).all()


def test_the_package_loads_numpy_only_for_the_portrait_and_torch_not_even_then():
    code = (
        "import sys, bsn; assert not {'torch', 'numpy'} & set(sys.modules)\n"
        "bsn.Portrait; assert 'numpy' in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'Portrai'"):
        bsn.Portrai  # noqa: B018


def test_a_file_is_segmented_as_it_is_meant_to_be_seen(tmp_path, disc):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(disc.photo, 1)).save(tmp_path / "lying.png", exif=exif)
    portrait = Portrait(RedPart(), detector=Told())
    assert (portrait.segment(tmp_path / "lying.png") == portrait.segment(disc.photo)).all()
    assert portrait.cut_out(str(tmp_path / "lying.png")).photo.shape == (200, 150, 3)


@pytest.mark.parametrize(
    "photo", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)]
)
def test_another_array_than_rgb_bytes_is_refused(photo):
    with pytest.raises(ValueError, match=r"give uint8 \(height, width, 3\) RGB"):
        Portrait(RedPart(), detector=Told()).segment(photo)


def test_without_a_face_the_network_gets_no_affine(disc):
    method = RedPart()
    cutout = Portrait(method, detector=Told()).cut_out(disc.photo)
    assert method.affines == [None]
    assert cutout.faces == 0
    assert (cutout.mask == disc.mask).mean() > 0.99


def test_of_several_faces_the_first_which_is_the_largest_is_aligned(disc):
    method = RedPart()
    large, small = face(REFERENCE_POINTS / 4), face(REFERENCE_POINTS / 20)
    cutout = Portrait(method, detector=Told(large, small)).cut_out(disc.photo)
    assert cutout.faces == 2
    assert method.affines[0] == pytest.approx(np.array([[4.0, 0, 0], [0, 4, 0]]), abs=1e-3)


def test_faces_are_looked_for_in_a_small_copy_and_aligned_in_the_photo():
    method, detector = RedPart(), Told(face(REFERENCE_POINTS))
    Portrait(method, detector=detector).segment(np.zeros((1600, 1200, 3), np.uint8))
    assert detector.shapes == [(800, 600, 3)]
    # Half the size; the middle of the photo's first 2x2 pixels is the copy's first.
    assert method.affines[0] == pytest.approx(np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]]), abs=1e-3)


def test_a_photo_of_one_pixel_passes(trained):
    assert loaded(trained).segment(np.zeros((1, 1, 3), np.uint8)).shape == (1, 1)


def test_trimap_matte_and_layers_are_made_at_the_photos_size(disc):
    cutout = Portrait(RedPart(), detector=Told()).cut_out(disc.photo, band=40)
    shapes = [part.shape for part in (cutout.trimap, cutout.alpha, cutout.foreground, cutout.background)]
    assert shapes == [(200, 150), (200, 150), (200, 150, 3), (200, 150, 3)]
    # A quarter of an 800x600 photo's side: 40 of its pixels are 10 here.
    assert (np.diff(np.flatnonzero(cutout.trimap[100] == 128)) > 1).sum() == 1
    assert 20 <= (cutout.trimap[100] == 128).sum() <= 26


def test_a_baseline_is_a_portrait_as_well(trained, disc):
    (trained / "model.json").write_text('{"network": "mean_mask", "options": {}}')
    portrait = loaded(trained)
    assert isinstance(portrait.method, MeanMask)
    assert portrait.segment(disc.photo)[:99].sum() == 0


ADVICE = "name the folder of a trained network: `dvc repro train@bsn` makes models/bsn"


def test_a_folder_without_a_network_is_an_error_with_a_command_that_trains_one(tmp_path):
    # Training makes the mean mask as well.
    with pytest.raises(InputError) as told:
        Portrait.load(tmp_path / "photos", mean_mask=tmp_path / "aligned.npy")
    assert str(told.value) == f"{tmp_path / 'photos/model.json'} is not there; {ADVICE}"


def test_missing_weights_are_an_error_with_a_command_that_trains_some(trained):
    (trained / "weights.safetensors").unlink()
    with pytest.raises(InputError) as told:
        loaded(trained)
    assert str(told.value) == f"{trained / 'weights.safetensors'} is not there; {ADVICE}"


def test_a_missing_mean_mask_is_an_error_with_the_stage_that_makes_the_training_set_s(trained):
    file = trained.parents[1] / "aligned.npy"
    file.unlink()
    with pytest.raises(InputError) as told:
        loaded(trained)
    advice = "name the training set's aligned mean mask: `dvc repro mean_mask` makes data/mean_mask/aligned.npy"
    assert str(told.value) == f"{file} is not there; {advice}"


def _no_json(folder):
    (folder / "model.json").write_text("{")


def _another_network(folder):
    (folder / "model.json").write_text('{"network": "unet", "options": {}, "size": [64, 48]}')


def _broken_weights(folder):
    (folder / "weights.safetensors").write_bytes(b"12")


def _weights_of_another(folder):
    save_file(build("fcn8s", **OPTIONS | {"base_width": 8}).state_dict(), folder / "weights.safetensors")


@pytest.mark.parametrize("damage", [_no_json, _another_network, _broken_weights, _weights_of_another])
def test_a_damaged_folder_is_an_error_of_one_line(trained, damage):
    damage(trained)
    with pytest.raises(InputError) as told:
        loaded(trained)
    assert str(told.value).startswith(f"{trained} is not a network of this code (")
    assert "\n" not in str(told.value)


def test_another_mean_mask_is_an_error_of_one_line(trained):
    file = trained.parents[1] / "aligned.npy"
    np.save(file, np.zeros((4, 3)))
    with pytest.raises(InputError, match=r"holds float64 \(4, 3\); the aligned mean mask is float32 \(800, 600\)$"):
        loaded(trained)
    np.save(file, np.full(FRAME, 255, np.float32))
    with pytest.raises(InputError, match=r"holds values outside of 0..1"):
        loaded(trained)
    with file.open("wb") as stream:
        np.savez(stream, LOWER_HALF)
    with pytest.raises(InputError, match=r"is an .npz file; the aligned mean mask is an .npy file$"):
        loaded(trained)
    for content in (b"no array", b"PK\x03\x04", b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'(((("):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"is not a readable .npy file"):
            loaded(trained)
