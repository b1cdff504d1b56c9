import re

import numpy as np
import pytest
from PIL import Image

from bsn.cutout import effects
from bsn.cutout.cutout import Cutout
from bsn.cutout.effects import backdrop, cropped_to_fill
from bsn.errors import InputError
from tests.bsn.cutout.stand_ins import GREEN, SKIN

# The mask's contour may be a few pixels off, as a network's is.
SHIFTS = [0, 2]


def green_left(picture):
    """How much more green than red there is in the worst pixel; skin, white and what lies between have none."""
    return (picture[..., 1].astype(int) - picture[..., 0]).max()


@pytest.fixture(params=SHIFTS)
def cutout(request, disc):
    return Cutout(photo=disc.photo, mask=np.roll(disc.mask, request.param, axis=1), faces=1, band=40)


def test_no_green_is_left_at_the_edge_in_front_of_white(disc, cutout):
    white = np.full_like(disc.photo, 255)
    naive = effects.composite(disc.photo, cutout.alpha, white)
    clean = effects.composite(cutout.foreground, cutout.alpha, white)
    # A third of the portrait: 1/3 (2/3 160 - 1/3 80) more green than red.
    assert green_left(naive) == pytest.approx(26.7, abs=4)
    assert green_left(clean) <= 4  # the photo's noise has a deviation of 2
    # What was replaced is white, and the portrait is as it was.
    assert (clean[disc.alpha == 0].min(axis=1) >= 250).mean() > 0.99
    assert abs(clean.astype(int) - disc.photo)[disc.alpha == 1].mean() < 1


def test_the_cut_out_has_the_portraits_colours_and_the_matte_as_its_alpha(cutout):
    rgba = effects.cut_out(cutout.foreground, cutout.alpha)
    assert rgba.shape == (*cutout.mask.shape, 4)
    assert rgba.dtype == np.uint8
    assert (rgba[..., 3] == np.rint(255 * cutout.alpha)).all()
    seen = rgba[..., 3] > 25
    assert green_left(rgba[seen]) <= 4
    assert green_left(cutout.photo[seen]) > 100


def test_a_composite_is_the_weighted_mean_of_both():
    front, back = np.full((1, 3, 3), 200, np.uint8), np.full((1, 3, 3), 100, np.uint8)
    alpha = np.float32([[0, 0.25, 1]])
    assert (effects.composite(front, alpha, back)[0, :, 0] == [100, 125, 200]).all()


def test_the_blurred_background_contains_no_colour_of_the_portrait(disc):
    # Where the portrait is, the layer behind it has been given its very colours: the worst case.
    hidden = np.where(disc.alpha[..., None] == 1, SKIN, GREEN).astype(np.uint8)
    blurred = effects.out_of_focus(hidden, disc.alpha)
    assert blurred.shape == disc.photo.shape
    assert abs(blurred - GREEN)[disc.alpha < 1].max() <= 2


def test_a_point_of_light_out_of_focus_is_a_disc_of_a_fiftieth_of_the_longer_side():
    background = np.zeros((200, 150, 3), np.uint8)
    background[100, 75] = 255
    blurred = effects.out_of_focus(background, np.zeros((200, 150), np.float32))[..., 0]
    rows, columns = np.nonzero(blurred)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (96, 104, 71, 79)
    assert len(set(blurred[blurred > 0])) == 1


def test_a_cartoon_has_few_tones_and_dark_lines():
    ramp = np.repeat(np.linspace(30, 225, 300, dtype=np.float32)[None], 200, axis=0)
    ramp[80:120] = 128
    picture = np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)
    drawn = effects.cartoon(picture)
    assert drawn.shape == picture.shape
    # Plain areas: most of a smooth ramp lies on its flat steps.
    steps = abs(np.diff(drawn[30, :, 0].astype(int)))
    assert (steps <= 1).mean() > 0.6
    assert (abs(np.diff(picture[30, :, 0].astype(int))) == 0).mean() < 0.5
    # At the bar's edge there is a line, darker than both sides.
    assert drawn[75:125, 280, 0].min() < 0.6 * min(drawn[60, 280, 0], drawn[100, 280, 0])


def test_a_large_cartoon_is_drawn_as_its_small_copy():
    small = np.full((200, 150, 3), 90, np.uint8)
    small[60:140, 40:110] = [220, 150, 120]
    large = np.kron(small, np.ones((6, 6, 1), np.uint8))
    drawn = effects.cartoon(large)
    assert drawn.shape == (1200, 900, 3)
    assert abs(drawn[600, 450].astype(int) - effects.cartoon(small)[100, 75]).max() <= 3


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("white", (255, 255, 255)),
        ("#00b140", (0, 177, 64)),
        ("rgb(1,2,3)", (1, 2, 3)),
        ("CornflowerBlue", (100, 149, 237)),
    ],
)
def test_a_colour_fills_the_photo(text, colour):
    filled = backdrop(text)(4, 6)
    assert filled.shape == (4, 6, 3)
    assert filled.dtype == np.uint8
    assert (filled == colour).all()


def test_a_picture_is_cut_to_the_photos_shape_and_not_stretched(tmp_path):
    wide = np.zeros((20, 80, 3), np.uint8)
    wide[:, 30:50] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (backdrop(str(tmp_path / "wide.png"))(20, 20) == 200).all()
    twice = backdrop(str(tmp_path / "wide.png"))(40, 60)
    assert (twice[20, [2, 30, 57], 0] == [0, 200, 0]).all()


def test_a_picture_with_transparent_pixels_is_refused_as_a_background(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "logo.png")
    with pytest.raises(InputError, match=r"logo.png' has transparent pixels; save it without transparency$"):
        backdrop(str(tmp_path / "logo.png"))


def test_scaling_crops_the_centre_and_keeps_the_aspect_ratio():
    photo = np.zeros((100, 300, 3), np.uint8)
    photo[:, 100:200] = 255
    assert (cropped_to_fill(photo, (50, 50)) == 255).all()


@pytest.mark.parametrize("text", ["blurple", "beach.jpg", "#12345", "#11223344", ".", "rgb(300,0,0)"])
def test_a_background_that_is_neither_picture_nor_colour_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^background = '{re.escape(text)}' is neither a file nor a colour; .*$"):
        backdrop(text)


def test_a_broken_picture_is_an_error_with_its_path(tmp_path):
    (tmp_path / "sea.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=rf"^{tmp_path}/sea.jpg is not a picture$"):
        backdrop(str(tmp_path / "sea.jpg"))
