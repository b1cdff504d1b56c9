import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from bsn.errors import InputError
from bsn.photos import read_palette, read_photo


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


@pytest.mark.parametrize("form", ["png", "tif"])
def test_16_bit_colour_is_scaled(tmp_path, form):
    deep = np.array([[[0, 257 * 100, 65535], [65535, 0, 257 * 7]]], np.uint16)
    cv2.imwrite(str(tmp_path / f"deep.{form}"), deep[..., ::-1])
    assert read_photo(tmp_path / f"deep.{form}").tolist() == [[[0, 100, 255], [255, 0, 7]]]


DEEP = {
    "little-endian": (Image.fromarray(np.array([[0, 25700, 65535]], np.uint16)), [0, 100, 255]),
    "big-endian": (Image.frombytes("I;16B", (3, 1), np.array([0, 25700, 65535], ">u2").tobytes()), [0, 100, 255]),
    "32-bit integers": (Image.fromarray(np.array([[0, 25700, 65535]], np.int32)), [0, 100, 255]),
    "floats": (Image.fromarray(np.array([[0, 0.4, 1]], np.float32)), [0, 102, 255]),
}


@pytest.mark.parametrize("kind", DEEP)
def test_more_than_8_bits_are_scaled_by_one_rule_in_tiff(tmp_path, kind):
    picture, expected = DEEP[kind]
    picture.save(tmp_path / "deep.tif")
    assert read_photo(tmp_path / "deep.tif")[0, :, 0].tolist() == expected


def test_12_bits_are_scaled_by_their_own_white(tmp_path):
    # 0, 1600 and 4095, of twelve bits each, big end first; then the directory of a plain TIFF.
    pixels = bytes.fromhex("000 640 fff 000".replace(" ", ""))
    fields = {256: (4, 4), 257: (4, 1), 258: (3, 12), 259: (3, 1), 262: (3, 1), 273: (4, 8), 277: (3, 1), 279: (4, 6)}
    entries = [struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in fields.items()]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    (tmp_path / "deep.tif").write_bytes(b"II*\0" + struct.pack("<I", 14) + pixels + directory)
    assert read_photo(tmp_path / "deep.tif")[0, :, 0].tolist() == [0, 100, 255, 0]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.float32([[0, 1.5]]), "holds values from 0 to 1.5, and is read from 0 .black. to 1 .white."),
        (np.float32([[-0.1, 1]]), "holds values from -0.1 to 1, "),
        (np.float32([[0, np.nan]]), "holds values from nan to nan, "),
        (np.int32([[0, 70000]]), "holds values from 0 to 70000, and is read from 0 .black. to 65535 .white."),
        (np.uint16([[0, 255]]), "is all black in 8 bits"),
        (np.float32([[0, 0.001]]), "is all black in 8 bits"),
    ],
)
def test_what_would_be_read_as_black_or_white_alone_is_refused(tmp_path, values, reason):
    Image.fromarray(values).save(tmp_path / "deep.tif")
    with pytest.raises(InputError, match=rf"^deep\.tif {reason}"):
        read_photo(tmp_path / "deep.tif")


@pytest.mark.parametrize("form", ["png", "tif"])
def test_16_bit_colour_of_8_bits_is_refused(tmp_path, form):
    cv2.imwrite(str(tmp_path / f"deep.{form}"), np.full((2, 2, 3), 200, np.uint16))
    with pytest.raises(InputError, match="is all black in 8 bits"):
        read_photo(tmp_path / f"deep.{form}")


@pytest.mark.parametrize(("form", "options"), [("gif", {}), ("webp", {"lossless": True}), ("png", {}), ("tif", {})])
def test_of_several_frames_the_first_is_taken(tmp_path, form, options):
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    first.save(tmp_path / f"a.{form}", save_all=True, append_images=[second], **options)
    assert read_photo(tmp_path / f"a.{form}")[4, 4].tolist() == [255, 0, 0]


def test_a_picture_of_one_bit_is_black_and_white(tmp_path):
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png").tolist() == [[[0] * 3, [255] * 3]]


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
def test_a_file_that_is_not_a_photo_is_named(tmp_path, content, wrong):
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
