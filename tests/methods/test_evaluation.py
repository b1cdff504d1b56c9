import cv2
import numpy as np
import pandas as pd
import pytest

from bsn.methods.evaluation import Sample, evaluate_samples
from bsn.methods.prediction import PhotoFile
from bsn.metrics import evaluate_photo


class Bright:
    """A method that takes what is bright for portrait."""

    parameters = 0
    spreads = False

    def __call__(self, photo, affine):
        return (photo[:, :, 0] > 127).astype(np.uint8)


@pytest.fixture
def samples(tmp_path):
    """Three photos of steps to the right edge; the true masks begin two columns further right and ignore a row."""
    found = []
    for number in range(3):
        photo = np.zeros((120, 160, 3), np.uint8)
        photo[:, 60 + number :] = 255
        target = np.zeros((120, 160), np.uint8)
        target[:, 62 + number :] = 1
        target[5] = 255
        photo_file, mask_file = tmp_path / f"{number}.png", tmp_path / f"{number}_target.png"
        cv2.imwrite(str(photo_file), photo)
        cv2.imwrite(str(mask_file), target)
        file = PhotoFile(photo=photo_file, affine=None, mask=tmp_path / f"{number}_mask.png")
        found.append(Sample(set="pfcn", id=str(number), file=file, target=mask_file))
    return found


@pytest.mark.parametrize("frame", [False, True])
def test_a_row_a_photo_holds_its_metrics_under_the_convention_asked_for(samples, frame):
    rows = evaluate_samples(samples, method=Bright(), title="bright", frame_is_boundary=frame)
    assert list(rows["id"]) == ["0", "1", "2"]
    for sample, row in zip(samples, rows.to_dict("records"), strict=True):
        photo, target = (cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in (sample.file.photo, sample.target))
        expected = evaluate_photo(photo, target, frame_is_boundary=frame)
        assert row == {"set": "pfcn", "id": sample.id, **expected}


def test_the_rows_are_the_same_whenever_they_are_made(samples):
    first, second = (evaluate_samples(samples, method=Bright(), title="bright") for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
