"""A user's photos as they are meant to be seen: turned once in every format, in sRGB, with their own transparency."""

import builtins
import io
import re
import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from bsn.errors import InputError
from bsn.photos import decode_upright, read_photo, read_upright

SIDE = 16
# Six plain squares, each of a colour of its own that any lossy format keeps apart; and what each orientation makes of
# their places.
COLOURS = np.array([[[230, 20, 20], [20, 230, 20], [20, 20, 230]], [[230, 230, 20], [20, 230, 230], [230, 230, 230]]])
STORED = np.kron(COLOURS.astype(np.uint8), np.ones((SIDE, SIDE, 1), np.uint8))
UPRIGHT = {
    1: COLOURS,
    2: COLOURS[:, ::-1],
    3: COLOURS[::-1, ::-1],
    4: COLOURS[::-1],
    5: COLOURS.transpose(1, 0, 2),
    6: np.rot90(COLOURS, -1),
    7: COLOURS[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(COLOURS, 1),
}
FORMATS = {
    "jpg": {"quality": 95},
    "png": {},
    "tif": {},
    "lzw.tif": {"compression": "tiff_lzw"},
    "pages.tif": {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]},
    "webp": {"lossless": True},
    "avif": {"quality": 95},
    "mpo": {"format": "MPO", "save_all": True, "append_images": [Image.new("RGB", (8, 8))], "quality": 95},
}


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def save(picture, file, **options):
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, **options)
    return file


def squares(pixels):
    """The colour in the middle of each square."""
    return pixels[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE].astype(int)


@pytest.mark.parametrize("value", UPRIGHT)
@pytest.mark.parametrize("form", FORMATS)
def test_a_users_photo_is_turned_once_and_a_data_sets_never(tmp_path, form, value):
    file = save(STORED, tmp_path / f"a.{form}", exif=orientation(value), **FORMATS[form])
    for upright in (read_upright(file), decode_upright(file.read_bytes(), "a")):
        assert upright.pixels.shape == (*(SIDE * length for length in UPRIGHT[value].shape[:2]), 3)
        assert abs(squares(upright.pixels) - UPRIGHT[value]).max() <= 12
        assert upright.opacity is None
    assert read_photo(file).shape == STORED.shape
    assert abs(squares(read_photo(file)) - COLOURS).max() <= 12


@pytest.mark.parametrize("value", [None, 0, 9])
def test_without_a_known_orientation_a_photo_stays_as_it_is(tmp_path, value):
    file = save(STORED, tmp_path / "a.png", exif=orientation(value) if value is not None else b"")
    assert (read_upright(file).pixels == STORED).all()


def test_heic_is_turned_once_where_its_plugin_is_installed(tmp_path):
    plugin = pytest.importorskip("pillow_heif", reason="pip install -r requirements-heic.txt")
    plugin.register_heif_opener()
    for value, expected in UPRIGHT.items():
        file = save(STORED, tmp_path / "a.heic", exif=orientation(value).tobytes(), quality=95)
        assert abs(squares(read_upright(file).pixels) - expected).max() <= 12
    file.write_bytes(file.read_bytes()[:600])
    with pytest.raises(InputError, match=r"a\.heic is truncated or broken"):
        read_upright(file)


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_heic_without_its_plugin_is_an_error_that_names_what_to_install(tmp_path, monkeypatch, brand):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(Image, "OPEN", {name: opener for name, opener in Image.OPEN.items() if name != "HEIF"})
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(100))
    with pytest.raises(InputError) as told:
        read_upright(tmp_path / "a.heic")
    assert str(told.value) == f"{tmp_path}/a.heic is a HEIC picture; to read it: pip install pillow-heif"


def test_unreadable_exif_is_an_error_for_a_users_photo_and_ignored_in_a_data_set(tmp_path):
    file = save(STORED, tmp_path / "a.png", exif=b"Exif\0\0no TIFF at all")
    with pytest.raises(InputError, match=r"^/\S+/a\.png has EXIF data that can't be read \(SyntaxError: "):
        read_upright(file)
    assert (read_photo(file) == STORED).all()


# EXIF blocks of which Pillow reads a part, with a warning, and what is known of the orientation.
DAMAGED = {
    # Three entries are announced, and the block ends after the first, which is the orientation.
    "ends early": (struct.pack("<IHHHIHH", 8, 3, 0x0112, 3, 1, 6, 0), 6),
    # The orientation comes first; the description's text lies far behind the end.
    "value out of reach": (
        struct.pack("<IHHHIHHHHIII", 8, 2, 0x0112, 3, 1, 8, 0, 0x010E, 2, 99, 10**6, 0),
        8,
    ),
    # The orientation's own six values lie far behind the end.
    "orientation out of reach": (struct.pack("<IHHHIII", 8, 1, 0x0112, 3, 6, 10**6, 0), 1),
}


@pytest.mark.parametrize("form", ["jpg", "png", "webp"])
def test_a_photo_with_damaged_exif_is_upright_as_far_as_known_and_nothing_is_printed(tmp_path, form):
    files = [
        save(STORED, tmp_path / f"{name}.{form}", exif=b"Exif\0\0II*\0" + block, **FORMATS[form])
        for name, (block, _) in DAMAGED.items()
    ]
    # In a process of its own, since pytest collects warnings, and in threads, as bsn score reads.
    code = """
import sys
from bsn.photos import read_upright
from bsn.workers import threaded_map
for upright in threaded_map(read_upright, sys.argv[1:] * 20, threads=8):
    print(*upright.pixels[8::16, 8::16].reshape(-1).tolist(), *upright.pixels.shape)
"""
    done = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[: len(files)] * 20 == lines
    for line, (_, known) in zip(lines, DAMAGED.values(), strict=False):
        *colours, height, width, _ = map(int, line.split())
        assert (height, width) == tuple(SIDE * length for length in UPRIGHT[known].shape[:2])
        assert abs(np.array(colours) - UPRIGHT[known].ravel()).max() <= 12


def test_bytes_that_are_not_exif_are_an_error_of_one_line(tmp_path):
    file = save(STORED, tmp_path / "a.png", exif=b"Exif\0\0b'Exif'")
    code = "import sys; from bsn.photos import read_upright; read_upright(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=False)
    assert "Warning" not in done.stderr
    assert re.fullmatch(
        r"bsn\.errors\.InputError: \S+/a\.png has EXIF data that can't be read \(SyntaxError: .*\), "
        r"and may have to be turned; save it again, upright and without them",
        done.stderr.splitlines()[-1],
    )


def test_colours_of_another_profile_are_converted_to_srgb_and_the_photo_still_turned(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = Image.new("RGB", (4, 2), (200, 100, 50))
    same = read_upright(save(plain, tmp_path / "srgb.png", icc_profile=srgb, exif=orientation(6))).pixels
    assert same.shape == (4, 2, 3)
    assert abs(same.astype(int) - [200, 100, 50]).max() <= 1
    # The red and blue primaries' tags swapped: the numbers mean the colours the other way round.
    swapped = srgb.replace(b"rXYZ", b"tmp_").replace(b"bXYZ", b"rXYZ").replace(b"tmp_", b"bXYZ")
    turned = read_upright(save(plain, tmp_path / "swapped.png", icc_profile=swapped, exif=orientation(6))).pixels
    assert turned.shape == (4, 2, 3)
    assert abs(turned.astype(int) - [50, 100, 200]).max() <= 2


@pytest.mark.parametrize(
    "profile", [b"not a profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
def test_a_profile_that_is_not_for_rgb_is_ignored(tmp_path, profile):
    assert (read_upright(save(STORED, tmp_path / "a.png", icc_profile=profile)).pixels == STORED).all()


def transparent(mode):
    """Two pixels: one opaque, of colour 200; one wholly transparent, of colour 10 (in LA and RGBA of opacity 40)."""
    if mode == "P":
        picture = Image.new("P", (2, 1))
        picture.putpalette([200, 200, 200, 10, 10, 10])
        picture.putpixel((1, 0), 1)
        return picture, {"transparency": 1}
    if mode in ("L", "RGB"):
        picture = Image.fromarray(np.array([[200, 10]], np.uint8)).convert(mode)
        return picture, {"transparency": 10 if mode == "L" else (10, 10, 10)}
    return Image.fromarray(np.array([[[200, 255], [10, 40]]], np.uint8), "LA").convert(mode), {}


@pytest.mark.parametrize(("form", "mode"), [("png", m) for m in ("P", "L", "RGB", "LA", "RGBA")] + [("gif", "P")])
def test_transparency_is_kept_and_turned_beside_the_colours(tmp_path, form, mode):
    picture, options = transparent(mode)
    exif = {"exif": orientation(6)} if form == "png" else {}
    pixels, opacity = read_upright(save(picture, tmp_path / f"a.{form}", **options, **exif))
    assert pixels.ravel().tolist() == [200] * 3 + [10] * 3
    assert opacity.ravel().tolist() == [255, 40 if mode in ("LA", "RGBA") else 0]
    assert opacity.shape == ((2, 1) if exif else (1, 2))


def test_an_opaque_alpha_channel_counts_as_none(tmp_path):
    file = save(np.dstack([STORED, np.full(STORED.shape[:2], 255, np.uint8)]), tmp_path / "a.png")
    assert read_upright(file).opacity is None


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "is empty (0 bytes)"), (b"hello", "is not a picture"), (None, "is missing")]
)
def test_an_unreadable_file_is_an_error_with_its_whole_path(tmp_path, content, reason):
    file = tmp_path / "a.jpg"
    if content is not None:
        file.write_bytes(content)
        with pytest.raises(InputError) as told:
            decode_upright(content, "photo 7")
        assert str(told.value) == f"photo 7 {reason}"
    with pytest.raises(InputError) as told:
        read_upright(file)
    assert str(told.value) == f"{file} {reason}"


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "\ud800", "x/" * 3000])
def test_a_name_that_cannot_be_a_path_is_missing(name):
    with pytest.raises(InputError, match=r"is missing$"):
        read_upright(name)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(13, "Permission denied"), "cannot be read: Permission denied"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
        (MemoryError(), "is too large for this machine's memory"),
        (KeyError("tag"), r"is truncated or broken \(KeyError: 'tag'\)"),
        (SystemError("tile cannot extend\noutside"), r"is truncated or broken \(SystemError: tile cannot extend\)"),
    ],
)
def test_any_exception_for_a_file_is_one_line_about_it(tmp_path, monkeypatch, error, reason):
    file = save(STORED, tmp_path / "a.png")

    def broken(*_, **__):
        raise error

    if isinstance(error, PermissionError):
        monkeypatch.setattr(builtins, "open", broken)
    else:
        monkeypatch.setattr(Image.Image, "convert", broken)
    with pytest.raises(InputError, match=rf"^{file} {reason}$"):
        read_upright(file)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (
            "a.eps",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
            "is not a picture but a program",
        ),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a picture"),
        ("a.mp4", b"\0\0\0\x18ftypmp42" + bytes(100), "is not a picture"),
        ("a.txt", b"IMG_0001.JPG", "is not a picture"),
    ],
)
def test_a_file_that_is_not_a_photo_is_recognised_by_its_content(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} {reason}"):
        read_upright(tmp_path / name)


def test_the_thumbnail_of_a_camera_s_raw_file_is_not_taken_for_the_photo(tmp_path):
    file = save(STORED, tmp_path / "a.nef", format="TIFF", tiffinfo={254: 1})
    with pytest.raises(InputError, match=r"a\.nef is a camera's raw file, of which only the thumbnail can be read"):
        read_upright(file)


def test_the_pixels_of_16_bits_are_turned_and_scaled(tmp_path):
    grey = np.array([[0, 257 * 100], [257 * 7, 65535]], np.uint16)
    upright = read_upright(save(grey, tmp_path / "a.tif", tiffinfo={274: 6})).pixels
    assert upright[..., 0].tolist() == [[7, 0], [255, 100]]


def test_a_photo_of_one_pixel_has_one_pixel():
    content = io.BytesIO()
    Image.new("RGB", (1, 1), (1, 2, 3)).save(content, "PNG")
    assert decode_upright(content.getvalue(), "a").pixels.tolist() == [[[1, 2, 3]]]


def test_opencv_would_have_turned_the_same_file(tmp_path):
    # Why no other module may read photos: colour cv2.imread applies EXIF, and so would turn a photo under its mask.
    file = save(STORED, tmp_path / "a.jpg", exif=orientation(6))
    assert cv2.imread(str(file)).shape == (3 * SIDE, 2 * SIDE, 3)
    assert read_photo(file).shape == (2 * SIDE, 3 * SIDE, 3)
