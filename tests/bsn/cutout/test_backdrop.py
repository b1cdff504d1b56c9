import numpy as np
import pytest
from PIL import Image

from bsn.cutout.backdrop import backdrop
from bsn.errors import InputError


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


@pytest.mark.parametrize("text", ["blurple", "beach.jpg", "#12345", "#11223344", "."])
def test_what_is_neither_picture_nor_colour_is_told_in_one_line(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^background = '{text}' is neither a picture .* nor a colour; .*$"):
        backdrop(text)


def test_a_broken_picture_is_told_by_its_path(tmp_path):
    (tmp_path / "sea.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=rf"^{tmp_path}/sea.jpg is not a picture$"):
        backdrop(str(tmp_path / "sea.jpg"))
