from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from bsn.cutout.photos import find_photos, read_upright, write_picture
from bsn.errors import InputError

# 2x3, every pixel of its own; what each EXIF orientation has to make of it.
STORED = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 10
UPRIGHT = {
    1: STORED,
    2: STORED[:, ::-1],
    3: STORED[::-1, ::-1],
    4: STORED[::-1],
    5: STORED.transpose(1, 0, 2),
    6: np.rot90(STORED, -1),
    7: STORED[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(STORED, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_photo_is_turned_as_its_exif_says(tmp_path, orientation):
    picture = Image.fromarray(STORED)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "a.png", exif=exif)
    assert (read_upright(tmp_path / "a.png") == UPRIGHT[orientation]).all()


@pytest.mark.parametrize("orientation", [None, 0, 9])
def test_without_a_known_orientation_a_photo_stays_as_it_is(tmp_path, orientation):
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(STORED).save(tmp_path / "a.png", exif=exif)
    assert (read_upright(tmp_path / "a.png") == STORED).all()


def test_a_turned_jpeg_comes_out_tall(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(tmp_path / "a.jpg", exif=exif)
    assert read_upright(tmp_path / "a.jpg").shape == (40, 20, 3)


def test_colours_of_another_profile_are_brought_to_srgb_and_the_photo_still_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (4, 2), (200, 100, 50)).save(tmp_path / "srgb.png", icc_profile=srgb, exif=exif)
    same = read_upright(tmp_path / "srgb.png")
    assert same.shape == (4, 2, 3)
    assert abs(same.astype(int) - [200, 100, 50]).max() <= 1
    # The red and blue primaries' tags swapped: the numbers mean the colours the other way round.
    swapped = srgb.replace(b"rXYZ", b"tmp_").replace(b"bXYZ", b"rXYZ").replace(b"tmp_", b"bXYZ")
    Image.new("RGB", (4, 2), (200, 100, 50)).save(tmp_path / "swapped.png", icc_profile=swapped, exif=exif)
    turned = read_upright(tmp_path / "swapped.png")
    assert turned.shape == (4, 2, 3)
    assert abs(turned.astype(int) - [50, 100, 200]).max() <= 2


@pytest.mark.parametrize(
    "profile", [b"not a profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
def test_a_profile_that_says_nothing_of_rgb_is_left_aside(tmp_path, profile):
    Image.fromarray(STORED).save(tmp_path / "a.png", icc_profile=profile)
    assert (read_upright(tmp_path / "a.png") == STORED).all()


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "is empty (0 bytes)"), (b"hello", "is not a picture"), (None, "is missing")]
)
def test_an_unreadable_file_is_told_by_its_whole_path(tmp_path, content, reason):
    file = tmp_path / "a.jpg"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError) as told:
        read_upright(file)
    assert str(told.value) == f"{file} {reason}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("p/b.jpg", "p/a.PNG", "p/notes.txt", "p/deep/c.webp", "odd[1].jpg", "raw.dat"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["p"], ["p/a.PNG", "p/b.jpg"]),
        (["p/*.jpg"], ["p/b.jpg"]),
        (["p/*"], ["p/a.PNG", "p/b.jpg"]),
        (["**/*"], ["odd[1].jpg", "p/a.PNG", "p/b.jpg", "p/deep/c.webp"]),
        (["p/b.jpg", "p", "p/b.jpg"], ["p/b.jpg", "p/a.PNG"]),
        (["odd[1].jpg"], ["odd[1].jpg"]),
        (["raw.dat"], ["raw.dat"]),
    ],
)
def test_files_folders_and_patterns_name_each_photo_once(folder, arguments, names):
    found = find_photos(arguments)
    assert [str(file) for file in found.files] == names
    assert found.empty == []


def test_an_argument_that_names_no_photo_gets_a_line_and_the_others_count(folder):
    Path("none").mkdir()
    found = find_photos(["gone.jpg", "p/b.jpg", "none", "*.gif"])
    assert found.files == [Path("p/b.jpg")]
    assert [line.split(";")[0].split(" (")[0] for line in found.empty] == [
        "gone.jpg is not there",
        "none is a folder without photos",
        "*.gif matches no photo",
    ]


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_a_written_picture_is_read_back_as_it_was(tmp_path, shape):
    picture = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    write_picture(tmp_path / "a.png", picture)
    assert (np.asarray(Image.open(tmp_path / "a.png")) == picture).all()


def test_a_folder_in_the_pictures_place_is_told_in_one_line(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(InputError, match=r"^.*a\.png.* cannot be read or written: .*$"):
        write_picture(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
