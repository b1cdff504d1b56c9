import cv2
import numpy as np
import pytest
from PIL import Image

from bsn.methods.prediction import PhotoFile
from stages.evaluate import _examples
from study.evaluation import Sample
from study.figures.sheet import BOUNDARY


@pytest.mark.parametrize("orientation", [1, 6])
def test_mlflows_examples_show_the_stored_photo_under_the_contour_that_was_found(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = Image.new("RGB", (120, 80), (40, 60, 80))
    photo.save(tmp_path / "a.jpg", exif=exif)
    mask = np.zeros((80, 120), np.uint8)
    mask[20:60, 30:90] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    file = PhotoFile(photo=tmp_path / "a.jpg", affine=None, mask=tmp_path / "mask.png")
    (drawn,) = _examples([Sample(set="pfcn", id="a", file=file, target=tmp_path / "mask.png")], tmp_path)
    picture = np.asarray(Image.open(drawn)).astype(int)
    assert picture.shape == (80, 120, 3)
    # The middle of the left side of the contour, and a place far from it.
    assert abs(picture[40, 30] - BOUNDARY).max() < 60
    assert abs(picture[40, 60] - (40, 60, 80)).max() < 12
