import sys
import time

import numpy as np
import pytest

from bsn import kernels
from bsn.cutout import matting
from bsn.cutout.matting import frame_scale, layers, matte, trimap
from bsn.errors import InputError
from tests.bsn.cutout.stand_ins import GREEN, SKIN, Disc


@pytest.mark.parametrize("band", [10, 7, 30])
def test_the_trimap_is_unknown_just_where_the_individual_kernel_has_its_band(disc, band):
    codes = kernels.label_codes(disc.mask, width=band)
    expected = np.where(codes == kernels.FOREGROUND, 255, np.where(codes == kernels.BACKGROUND, 0, 128))
    assert (trimap(disc.mask, band=band) == expected).all()


def test_a_straight_edge_is_unknown_in_as_many_columns_as_the_band_is_wide():
    mask = np.zeros((20, 40), np.uint8)
    mask[:, 20:] = 1
    assert (trimap(mask, band=10)[7] == [0] * 15 + [128] * 10 + [255] * 15).all()


@pytest.mark.parametrize("value", [0, 1])
def test_a_mask_of_one_class_has_nothing_unknown(value):
    mask = np.full((30, 20), value, np.uint8)
    known = trimap(mask, band=10)
    assert (known == 255 * value).all()
    assert (matte(np.zeros((30, 20, 3), np.uint8), known) == value).all()


def test_the_scale_is_one_for_800x600_and_five_for_25_times_as_many_pixels():
    assert frame_scale(800, 600) == 1
    assert frame_scale(3000, 4000) == 5


def test_the_matte_comes_nearer_to_the_true_alpha_than_the_mask(disc):
    known = trimap(disc.mask, band=10)
    unknown = known == 128
    alpha = matte(disc.photo, known)
    assert alpha.dtype == np.float32
    assert (alpha[known == 255] == 1).all()
    assert (alpha[known == 0] == 0).all()
    assert abs(alpha - disc.alpha)[unknown].mean() < 0.2 * abs(disc.mask - disc.alpha)[unknown].mean()


def test_a_large_photos_matte_keeps_the_sharpness_that_its_small_copy_lost(disc, monkeypatch):
    # Solved on an eighth of each side; the edge is less than two pixels soft.
    large = Disc(400, 300)
    monkeypatch.setattr(matting, "MATTE_PIXELS", 50 * 38)
    known = trimap(large.mask, band=24)
    unknown = known == 128
    alpha = matte(large.photo, known)
    monkeypatch.setattr(matting, "_enlarged", lambda alpha, small, image: matting.cv2.resize(alpha, image.shape[1::-1]))
    plain = matte(large.photo, known)
    error = abs(alpha - large.alpha)[unknown].mean()
    assert error < 0.4 * abs(plain - large.alpha)[unknown].mean()


def test_where_all_is_unknown_the_matte_is_half():
    photo = np.zeros((6, 6, 3), np.uint8)
    mask = np.zeros((6, 6), np.uint8)
    mask[2:4, 2:4] = 1
    assert (matte(photo, trimap(mask, band=40)) == 0.5).all()


def test_a_matte_that_does_not_converge_is_an_error_of_one_line(disc, monkeypatch):
    def fail(*_, **__):
        raise ValueError("Conjugate gradient descent did not converge within 10000 iterations")

    monkeypatch.setattr("pymatting.estimate_alpha_cf", fail)
    with pytest.raises(InputError, match=r"^the matte can't be solved \(Conjugate.*; take another band$"):
        matte(disc.photo, trimap(disc.mask, band=10))


@pytest.mark.parametrize(("seconds", "warned"), [(0.3, True), (0, False)], ids=["slow", "quick"])
def test_a_slow_import_of_pymatting_is_explained(seconds, warned, tmp_path, monkeypatch, caplog):
    (tmp_path / "pymatting.py").write_text(f"import time; time.sleep({seconds})")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pymatting", raising=False)
    monkeypatch.setattr(matting, "_IMPORT_SECONDS", 0.1)
    matting._pymatting()
    time.sleep(0.2)
    assert ["compiles itself" in message for message in caplog.messages] == [True] * warned


def test_the_layers_are_the_two_colours_that_the_edge_mixes(disc):
    front, back = layers(disc.photo, disc.alpha)
    edge = (disc.alpha > 0.2) & (disc.alpha < 0.8)
    assert edge.sum() > 100
    # The photo's own colours are off by a fifth of the difference and more: 32 in red, 16 in green.
    assert abs(front[edge] - SKIN).mean() < 8
    assert abs(back[edge] - GREEN).mean() < 8


def test_a_large_photos_layers_are_the_same_colours_and_mix_to_the_photo(disc, monkeypatch):
    monkeypatch.setattr(matting, "MATTE_PIXELS", 100 * 75)
    front, back = layers(disc.photo, disc.alpha)
    edge = (disc.alpha > 0.2) & (disc.alpha < 0.8)
    assert abs(front[edge] - SKIN).mean() < 8
    assert abs(back[edge] - GREEN).mean() < 8
    share = disc.alpha[..., None]
    assert abs(share * front + (1 - share) * back - disc.photo).max() < 1.5
