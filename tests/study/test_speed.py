"""Seconds per photo: the median over some of them, after one to warm up."""

import time

import cv2
import numpy as np
import pytest

from bsn.methods.prediction import PhotoFile
from study.speed import PHOTOS, seconds_per_photo


class Waiting:
    """A method that takes as long as it is told, call by call."""

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
    """So many photos, each with its number in its affine."""
    cv2.imwrite(str(folder / "photo.png"), np.zeros((20, 20, 3), np.uint8))
    return [
        PhotoFile(photo=folder / "photo.png", affine=np.full((2, 3), place), mask=folder / "mask.png")
        for place in range(number)
    ]


def test_the_first_photo_warms_up_and_the_median_counts(tmp_path, clock):
    method = Waiting(clock, [100.0, 1.0, 7.0, 2.0])
    assert seconds_per_photo(method, photos(tmp_path, 3)) == pytest.approx(2.0)
    assert [affine[0, 0] for affine in method.affines] == [0, 0, 1, 2]


def test_of_many_photos_some_evenly_spread_ones_are_timed(tmp_path, clock):
    method = Waiting(clock, [1.0] * (1 + PHOTOS))
    seconds_per_photo(method, photos(tmp_path, 15))
    assert [affine[0, 0] for affine in method.affines] == [0, 0, 2, 4, 6, 8, 10, 12, 14]
