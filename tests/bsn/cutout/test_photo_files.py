import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bsn.cutout.photo_files import find_photos, write_picture
from bsn.errors import InputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    left = ("p/.DS_Store", "p/._a.PNG", "p/Thumbs.db", "p/desktop.ini")
    for name in ("p/b.jfif", "p/a.PNG", "p/notes.txt", "p/deep/c.webp", "p/noend", "odd[1].jpg", "raw.dat", *left):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["p"], ["p/a.PNG", "p/b.jfif", "p/noend", "p/notes.txt"]),
        (["p/*.jfif"], ["p/b.jfif"]),
        (["p/*"], ["p/a.PNG", "p/b.jfif", "p/noend", "p/notes.txt"]),
        (["**/*.*"], ["odd[1].jpg", "p/a.PNG", "p/b.jfif", "p/deep/c.webp", "p/notes.txt", "raw.dat"]),
        (["p/b.jfif", "p", "p/b.jfif"], ["p/b.jfif", "p/a.PNG", "p/noend", "p/notes.txt"]),
        (["p/b.jfif", "p/../p/b.jfif"], ["p/b.jfif"]),
        (["odd[1].jpg"], ["odd[1].jpg"]),
        (["p/.DS_Store"], ["p/.DS_Store"]),
    ],
)
def test_files_folders_and_patterns_name_each_file_once(folder, arguments, names):
    found = find_photos(arguments)
    assert [str(file) for file in found.files] == names
    assert found.empty == []


def test_links_of_different_names_to_one_photo_are_different_photos(folder):
    Path("p/z.jfif").symlink_to("b.jfif")
    assert [str(file) for file in find_photos(["p/b.jfif", "p/z.jfif"]).files] == ["p/b.jfif", "p/z.jfif"]


def test_an_argument_that_names_no_photo_gets_a_line_and_the_others_count(folder):
    Path("none").mkdir()
    found = find_photos(["gone.jpg", "p/b.jfif", "none", "*.gif"])
    assert found.files == [Path("p/b.jfif")]
    assert [line.split(";")[0] for line in found.empty] == [
        "gone.jpg is not there",
        "none is a folder without photos",
        "*.gif matches no photo",
    ]


@pytest.mark.parametrize(
    "argument", ["a" * 300, "a" * 5000, "x/" * 3000, "a\0b", "\ud800", "", "a\0/*.jpg", "[" + "a" * 300, "**\0"]
)
def test_an_argument_that_cannot_be_a_path_is_reported_as_missing(folder, argument):
    found = find_photos([argument])
    assert found.files == []
    (line,) = found.empty
    assert line.startswith(f"{argument} is not there; ") or line == f"{argument} matches no photo"


def test_a_folder_that_cannot_be_listed_gets_a_line(folder, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", denied)
    assert find_photos(["p"]).empty == ["p cannot be read: Permission denied"]


def test_broken_links_are_listed_as_files_of_the_folder(folder):
    Path("links").mkdir()
    os.symlink("gone.jpg", "links/dead.jpg")
    os.symlink("loop.jpg", "links/loop.jpg")
    assert find_photos(["links"]).files == [Path("links/dead.jpg"), Path("links/loop.jpg")]


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_a_written_picture_is_read_back_as_it_was(tmp_path, shape):
    picture = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    write_picture(tmp_path / "a.png", picture)
    assert (np.asarray(Image.open(tmp_path / "a.png")) == picture).all()


def test_a_folder_in_the_pictures_place_is_an_error_of_one_line(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(InputError, match=r"^.*a\.png.* cannot be read or written: .*$"):
        write_picture(tmp_path / "a.png", np.zeros((2, 2), np.uint8))


@pytest.mark.parametrize("name", ["a" * 251 + ".png", "é" * 125 + "a.png"])
def test_a_name_as_long_as_the_file_system_allows_is_written(tmp_path, name):
    assert len(name.encode()) == 255
    write_picture(tmp_path / name, np.zeros((2, 2), np.uint8))
    assert [file.name for file in tmp_path.iterdir()] == [name]
    with pytest.raises(InputError, match=rf"a{name} cannot be read or written: File name too long$"):
        write_picture(tmp_path / f"a{name}", np.zeros((2, 2), np.uint8))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_written_picture_has_the_mode_that_the_umask_gives(tmp_path):
    before = os.umask(0o027)
    try:
        write_picture(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640
