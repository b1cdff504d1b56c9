"""Seconds a photo: the median, after one photo to warm up."""

import time

import cv2
import numpy as np
import pytest

from bsn.methods.prediction import PhotoFile
from bsn.speed import seconds_a_photo


class Waiting:
    """A method that takes as long as it is told, call by call."""

    parameters, spreads = 0, False

    def __init__(self, clock: list[float], takes: list[float]) -> None:
        self.clock, self.takes, self.affines = clock, takes, []

    def __call__(self, photo, affine):
        self.affines.append(affine)
        self.clock[0] += self.takes.pop(0)
        return photo[..., 0]


def test_the_first_photo_warms_up_and_the_median_counts(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    files = []
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((20, 20, 3), np.uint8))
        files.append(PhotoFile(photo=tmp_path / f"{number}.png", affine=np.full((2, 3), number), mask=tmp_path / "m"))
    method = Waiting(clock, [100.0, 1.0, 7.0, 2.0])
    assert seconds_a_photo(method, files) == pytest.approx(2.0)
    assert [affine[0, 0] for affine in method.affines] == [0, 0, 1, 2]
