"""`bsn score` on masks whose numbers are known by hand."""

import csv
import os
import threading

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from bsn.__main__ import main
from bsn.errors import InputError
from bsn.score import hold_labels, read_mask
from tests.waiting import HUNG


def square(left, right, *, size=(40, 60)):
    """A mask whose columns from `left` to `right` are portrait, {0, 1}."""
    mask = np.zeros(size, np.uint8)
    mask[10:30, left:right] = 1
    return mask


@pytest.fixture
def folders(tmp_path):
    """Truths a and b; ours has both (IoU 1 and .5), theirs too (.5 and .5), each in a form of its own."""
    for name in ("truth", "ours", "theirs"):
        (tmp_path / name).mkdir()
    savemat(tmp_path / "truth/a_mask.mat", {"mask": square(10, 30)})
    Image.fromarray(square(10, 30)).save(tmp_path / "truth/b.png")
    cutout = np.dstack([np.full((40, 60, 3), 90, np.uint8), square(10, 30) * 255])
    Image.fromarray(cutout, "RGBA").save(tmp_path / "ours/a.png")
    Image.fromarray(square(10, 20) * 255).save(tmp_path / "ours/b.png")
    Image.fromarray(np.dstack([square(10, 20) * 200] * 3)).save(tmp_path / "theirs/a.jpg", quality=100)
    Image.fromarray(square(10, 20) * 255).save(tmp_path / "theirs/b.png")
    return tmp_path


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 255, 255], [0, 1, 1]),
        ([0, 127, 128], [0, 0, 1]),
        ([0, 0, 0], [0, 0, 0]),
        ([255, 255, 255], [1, 1, 1]),
        ([*range(0, 250, 25)], [0] * 6 + [1] * 4),
    ],
)
def test_portrait_is_everything_from_128_on(tmp_path, values, expected):
    Image.fromarray(np.array([values], np.uint8)).save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png").tolist() == [expected]


@pytest.mark.parametrize(("values", "expected"), [([0, 1, 255], [0, 1, 255]), ([0, 255, 255], [0, 255, 255])])
def test_in_a_folder_with_labels_1_is_portrait_and_255_ignored(tmp_path, values, expected):
    for name, content in (("a.png", values), ("b.png", [0, 0, 1]), ("c.png", [0, 0, 0])):
        Image.fromarray(np.array([content], np.uint8)).save(tmp_path / name)
    assert hold_labels(tmp_path.iterdir())
    assert not hold_labels([tmp_path / "c.png"])
    assert read_mask(tmp_path / "a.png", labels=True).tolist() == [expected]


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        ([[0, 15, 255]], "holds 0, 15, 255: which of them are portrait is unclear"),
        ([[0, 128, 255]], "holds 0, 128, 255: which of them are portrait is unclear"),
        ([[0, 1, 2]], "holds 0, 1, 2, which are all background"),
        ([[128, 255]], "holds 128, 255, which are all portrait"),
        ([[[128, 0, 0], [0, 128, 0]]], "holds 128, which are all portrait"),
    ],
)
def test_a_picture_of_few_values_that_is_no_mask_is_refused(tmp_path, pixels, reason):
    Image.fromarray(np.array(pixels, np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(InputError) as told:
        read_mask(tmp_path / "mask.png", labels=True)
    assert str(told.value) == f"{tmp_path / 'mask.png'} {reason}; save it as 0 and 255"


def test_masks_of_any_form_are_matched_by_name_and_two_folders_compared_in_pairs(folders, capsys):
    arguments = [str(folders / name) for name in ("ours", "theirs", "truth")]
    assert main(["score", *arguments, "--csv", str(folders / "photos.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-1] == "difference"
    assert lines[1].split() == ["Photos", "2", "2"]
    # 75 and 50 on average; the differences 50 and 0 have an interval from one to the other.
    assert " ".join(lines[2].split()) == "Mean IoU 75.0 (50.0 to 100.0) 50.0 (50.0 to 50.0) +25.0 (+0.0 to +50.0)"
    with (folders / "photos.csv").open(newline="") as stream:
        rows = [(row["id"], row["iou"]) for row in csv.DictReader(stream)]
    assert rows == [("a", "1"), ("b", "0.5"), ("a", "0.5"), ("b", "0.5")]


def test_missing_masks_are_named_and_the_others_measured(folders, capsys):
    (folders / "ours/b.png").unlink()
    assert main(["score", str(folders / "ours"), str(folders / "truth")]) == 1
    told = capsys.readouterr()
    assert "Mean IoU        100.0" in told.out
    assert "ours has no mask of 1 of 2 photos: b\n" in told.err


def test_masks_without_a_true_one_are_named_and_left_out(folders, capsys):
    Image.fromarray(square(0, 60) * 255).save(folders / "ours/c.png")
    assert main(["score", str(folders / "ours"), str(folders / "truth")]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[1].split() == ["Photos", "2"]
    assert "truth has no mask of 1 photos of " in told.err
    assert "ours, which were left out: c\n" in told.err


def test_a_mask_is_turned_as_its_exif_says_in_grey_and_in_colour(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    stored = np.rot90(square(10, 30) * 255, 2).copy()
    for name, pixels in (("grey.png", stored), ("colour.png", np.dstack([stored] * 3))):
        Image.fromarray(pixels).save(tmp_path / name, exif=exif)
        np.testing.assert_array_equal(read_mask(tmp_path / name), square(10, 30))


def test_a_palette_mask_counts_by_its_colours(tmp_path):
    white_first = Image.fromarray(1 - square(10, 30), "P")
    white_first.putpalette([255, 255, 255, 0, 0, 0])
    white_first.save(tmp_path / "palette.png")
    green = np.zeros((40, 60, 3), np.uint8)
    green[..., 1] = square(10, 30) * 255
    Image.fromarray(green).save(tmp_path / "green.gif")
    for name in ("palette.png", "green.gif"):
        np.testing.assert_array_equal(read_mask(tmp_path / name), square(10, 30))


def test_the_table_of_photos_can_go_to_a_pipe(folders):
    pipe, read = folders / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    main(["score", str(folders / "ours"), str(folders / "truth"), "--csv", str(pipe)])
    reader.join(HUNG)
    assert pipe.is_fifo()
    assert read[0].startswith("id,")


def test_a_csv_link_is_followed_and_a_folder_refused_before_measuring(folders, capsys):
    (folders / "link.csv").symlink_to(folders / "target.csv")
    main(["score", str(folders / "ours"), str(folders / "truth"), "--csv", str(folders / "link.csv")])
    assert (folders / "link.csv").is_symlink()
    assert (folders / "target.csv").read_text().startswith("id,")
    with pytest.raises(InputError, match="is a folder; name a file"):
        main(["score", str(folders / "ours"), str(folders / "truth"), "--csv", ""])


def test_no_file_of_the_measured_folders_is_overwritten(folders):
    before = (folders / "truth/b.png").read_bytes()
    with pytest.raises(InputError, match="is in a folder that is measured; name a file elsewhere"):
        main(["score", str(folders / "ours"), str(folders / "truth"), "--csv", str(folders / "truth/b.png")])
    assert (folders / "truth/b.png").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda root: savemat(root / "truth/a_mask.mat", {"mask": square(10, 30) * 255}), "other values than 0 and 1"),
        (
            lambda root: savemat(root / "truth/a_mask.mat", {"mask": np.full((4, 4), np.nan)}),
            "other values than 0 and 1",
        ),
        (
            lambda root: savemat(root / "truth/a_mask.mat", {"other": square(10, 30)}),
            "truth/a_mask.mat: a_mask.mat holds",
        ),
        (
            lambda root: Image.fromarray(square(1, 9) * 2).save(root / "ours/b.png"),
            "holds 0, 2, which are all background",
        ),
        (
            lambda root: Image.fromarray(square(1, 2, size=(20, 60))).save(root / "ours/b.png"),
            "are 60x20 and 60x40 pixels",
        ),
        (lambda root: (root / "ours/b.png").write_text("no picture"), "b.png is not a picture"),
        (lambda root: (root / "ours/a.jpg").write_bytes(b""), "has two masks of a, a.jpg and a.png; keep one"),
        (lambda root: [file.unlink() for file in (root / "ours").iterdir()], "ours holds no masks"),
        (lambda root: (root / "ours").rename(root / "gone"), "ours cannot be read: No such file or directory"),
        (
            lambda root: [f.rename(root / "ours" / f"x{f.name}") for f in (root / "ours").iterdir()],
            "has the name of one",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(folders, change, line):
    change(folders)
    with pytest.raises(InputError) as caught:
        main(["score", str(folders / "ours"), str(folders / "truth")])
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
