import time

import cv2
import numpy as np
import pandas as pd
import pytest

from bsn.errors import InputError
from bsn.methods.prediction import PhotoFile
from bsn.metrics import evaluate_photo
from study.evaluation import TIMED_PHOTOS, Sample, evaluate_samples, seconds_per_photo


class Bright:
    """Method that labels bright pixels as portrait."""

    parameters = 0
    parallel = False

    def __call__(self, photo, affine):
        return (photo[:, :, 0] > 127).astype(np.uint8)


@pytest.fixture
def samples(tmp_path):
    """Three photos, bright right of a step; the true masks start two columns further right and ignore one row."""
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
def test_each_photo_has_one_row_of_metrics_under_the_chosen_frame_convention(samples, frame):
    rows = evaluate_samples(samples, method=Bright(), title="bright", frame_is_boundary=frame)
    assert list(rows["id"]) == ["0", "1", "2"]
    for sample, row in zip(samples, rows.to_dict("records"), strict=True):
        photo, target = (cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in (sample.file.photo, sample.target))
        expected = evaluate_photo(photo, target, frame_is_boundary=frame)
        assert row == {"set": "pfcn", "id": sample.id, **expected}


def test_rows_are_the_same_when_evaluated_twice(samples):
    first, second = (evaluate_samples(samples, method=Bright(), title="bright") for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_failure_of_the_method_names_the_photo_in_one_line(samples):
    class Fragile(Bright):
        def __call__(self, photo, affine):
            if photo[0, 61].any():
                return super().__call__(photo, affine)
            raise RuntimeError("out of memory\nand more")

    with pytest.raises(
        InputError, match=rf"^{samples[2].file.photo} could not be segmented \(RuntimeError: out of memory\)$"
    ):
        evaluate_samples(samples, method=Fragile(), title="fragile")


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda sample: sample.file.photo.unlink(), "^1.png is missing$"),
        (lambda sample: sample.target.write_bytes(b""), "^1_target.png is empty"),
        (
            lambda sample: cv2.imwrite(str(sample.target), np.zeros((9, 9), np.uint8)),
            "1_target.png: masks differ in size",
        ),
    ],
    ids=["photo", "mask", "size"],
)
def test_a_missing_empty_or_mismatched_file_is_named_in_the_error(samples, damage, line):
    damage(samples[1])
    with pytest.raises(InputError, match=line):
        evaluate_samples(samples, method=Bright(), title="bright")


def test_without_test_photos_the_error_names_the_index():
    with pytest.raises(InputError, match=r"^there is no test photo in data/portraits; its index.csv files have"):
        evaluate_samples([], method=Bright(), title="bright")


class Waiting:
    """Method that advances a fake clock by a given time per call."""

    parameters, parallel = 0, False

    def __init__(self, clock: list[float], takes: list[float]) -> None:
        self.clock, self.takes, self.affines = clock, takes, []

    def __call__(self, photo, affine):
        self.affines.append(affine)
        self.clock[0] += self.takes.pop(0)
        return photo[..., 0]


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def photos(folder, number):
    """`number` photos, each with its position in its affine."""
    cv2.imwrite(str(folder / "photo.png"), np.zeros((20, 20, 3), np.uint8))
    return [
        PhotoFile(photo=folder / "photo.png", affine=np.full((2, 3), place), mask=folder / "mask.png")
        for place in range(number)
    ]


def test_timing_is_the_median_after_a_warm_up_on_the_first_photo(tmp_path, clock):
    method = Waiting(clock, [100.0, 1.0, 7.0, 2.0])
    assert seconds_per_photo(method, photos(tmp_path, 3)) == pytest.approx(2.0)
    assert [affine[0, 0] for affine in method.affines] == [0, 0, 1, 2]


def test_timing_of_many_photos_uses_an_evenly_spaced_subset(tmp_path, clock):
    method = Waiting(clock, [1.0] * (1 + TIMED_PHOTOS))
    seconds_per_photo(method, photos(tmp_path, 15))
    assert [affine[0, 0] for affine in method.affines] == [0, 0, 2, 4, 6, 8, 10, 12, 14]
