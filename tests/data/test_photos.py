import cv2
import numpy as np
import pytest
from PIL import Image

from bsn.data.photos import read_palette, read_photo
from bsn.errors import InputError


def smooth(height: int = 60, width: int = 80) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([2 * x, 3 * y, x + y], axis=2).astype(np.uint8)


def test_a_photo_comes_as_rgb(tmp_path):
    Image.fromarray(np.full((4, 6, 3), (250, 10, 20), np.uint8)).save(tmp_path / "red.png")
    photo = read_photo(tmp_path / "red.png")
    assert photo.shape == (4, 6, 3)
    assert photo.dtype == np.uint8
    assert photo[0, 0].tolist() == [250, 10, 20]


def test_grey_and_palette_photos_become_rgb(tmp_path):
    Image.fromarray(np.full((4, 6), 77, np.uint8)).save(tmp_path / "grey.png")
    palette = Image.new("P", (6, 4), 1)
    palette.putpalette([0, 0, 0, 9, 8, 7])
    palette.save(tmp_path / "palette.png")
    assert read_photo(tmp_path / "grey.png")[3, 5].tolist() == [77, 77, 77]
    assert read_photo(tmp_path / "palette.png")[3, 5].tolist() == [9, 8, 7]


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16)).save(tmp_path / "deep.png")
    assert read_photo(tmp_path / "deep.png")[0, :, 0].tolist() == [0, 100, 255]


def test_16_bit_colour_is_scaled(tmp_path):
    deep = np.array([[[0, 257 * 100, 65535], [65535, 0, 257 * 7]]], np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), deep[..., ::-1])
    assert read_photo(tmp_path / "deep.png").tolist() == [[[0, 100, 255], [255, 0, 7]]]


def test_cmyk_photo_becomes_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "red.jpg")
    red, green, blue = read_photo(tmp_path / "red.jpg")[4, 4].tolist()
    assert red > 200
    assert max(green, blue) < 60


def test_exif_rotation_is_not_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth(60, 80)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_photo(tmp_path / "turned.jpg").shape == (60, 80, 3)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [(b"", "0 bytes"), (b"<html>404</html>", "not a picture"), (None, "missing")],
)
def test_what_is_no_photo_is_named(tmp_path, content, wrong):
    if content is not None:
        (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(InputError, match=rf"x\.jpg .*{wrong}"):
        read_photo(tmp_path / "x.jpg")


def test_folder_in_a_photos_place_is_named(tmp_path):
    (tmp_path / "x.jpg").mkdir()
    with pytest.raises(InputError, match=r"x\.jpg is missing"):
        read_photo(tmp_path / "x.jpg")


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_truncated_photo_is_refused(tmp_path, suffix):
    file = tmp_path / f"x.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=rf"x\.{suffix} is truncated or broken"):
        read_photo(file)


def test_photo_larger_than_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.fromarray(smooth(11, 10)).save(tmp_path / "huge.png")
    with pytest.raises(InputError, match="more than 100 pixels"):
        read_photo(tmp_path / "huge.png")


def test_palette_mask_gives_its_indices_not_its_colours(tmp_path):
    mask = Image.fromarray(np.array([[0, 15, 255]], np.uint8))
    mask.putpalette([5] * 768)
    mask.save(tmp_path / "mask.png")
    assert read_palette(tmp_path / "mask.png").tolist() == [[0, 15, 255]]


def test_colour_picture_is_no_palette_mask(tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match="not a palette mask"):
        read_palette(tmp_path / "mask.png")
