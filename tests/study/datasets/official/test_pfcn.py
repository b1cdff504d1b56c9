import io

import numpy as np
import pytest
from PIL import Image

from bsn.errors import InputError
from study.datasets.official.pfcn import crop_photo, read_crops, read_urls


def test_crop_takes_rows_then_columns_and_comes_at_the_frames_size():
    photo = np.zeros((1000, 900, 3), np.uint8)
    photo[100:900, 200:800] = (200, 100, 50)
    picture = np.asarray(Image.open(io.BytesIO(crop_photo(photo, (100, 900, 200, 800)))))
    assert picture.shape == (800, 600, 3)
    assert np.abs(picture.astype(int) - (200, 100, 50)).max() <= 2


def test_crop_of_another_size_is_scaled_to_the_frame():
    photo = np.zeros((1024, 768, 3), np.uint8)
    photo[:512] = 255
    picture = np.asarray(Image.open(io.BytesIO(crop_photo(photo, (0, 1024, 0, 768)))))
    assert picture.shape == (800, 600, 3)
    assert picture[395].min() > 240
    assert picture[405].max() < 15


def test_picture_smaller_than_its_crop_is_another_photo():
    with pytest.raises(InputError, match="is 375x500, its crop goes to row 1023 and column 767: another photo"):
        crop_photo(np.zeros((375, 500, 3), np.uint8), (0, 1023, 0, 767))


def test_addresses_are_read_by_id_and_none_is_none(tmp_path):
    (tmp_path / "u.txt").write_text("00001.jpg https://example.org/a_b.jpg\n00002.jpg None\n\n")
    assert read_urls(tmp_path / "u.txt") == {"00001": "https://example.org/a_b.jpg", "00002": None}


def test_crops_are_read_by_id(tmp_path):
    (tmp_path / "c.txt").write_text("00602.jpg 0 998 9 758\n")
    assert read_crops(tmp_path / "c.txt") == {"00602": (0, 998, 9, 758)}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("separator", ["\t", ",", ";", ", "])
def test_both_lists_may_be_saved_anew_by_a_spreadsheet(tmp_path, encoding, separator):
    address = "https://example.org/à,b;c.jpg"
    urls = f"00001.jpg{separator}{address}\r\n00002.jpg{separator}None\r\n{separator}\r\n\r\n"
    (tmp_path / "u.txt").write_bytes(urls.encode(encoding))
    (tmp_path / "c.txt").write_bytes((separator.join(["00602.jpg", "0", "998", "9", "758"]) + "\r\n").encode(encoding))
    assert read_urls(tmp_path / "u.txt") == {"00001": address, "00002": None}
    assert read_crops(tmp_path / "c.txt") == {"00602": (0, 998, 9, 758)}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("00602.jpg 0 998 9", "crop.txt, line 1: '00602.jpg 0 998 9' has 4 fields, not 5"),
        ("00602.jpg 0 998 9 x", "crop.txt: the crop of 00602 is 0 998 9 x, not four whole numbers"),
        ("00602.jpg 5 5 9 10", "crop.txt: the crop of 00602 is empty: rows 5 to 5, columns 9 to 10"),
    ],
)
def test_broken_crop_is_named(tmp_path, line, why):
    (tmp_path / "crop.txt").write_text(line + "\n")
    with pytest.raises(InputError) as caught:
        read_crops(tmp_path / "crop.txt")
    assert why in str(caught.value)
