import numpy as np
import pandas as pd
import pytest

from bsn.faces import Face
from study.datasets.index import PhotoRow, write_index
from study.datasets.margins import MARGINS, portraits_by_margin

RULE = {"min_face": 0.1, "min_on_mask": 0.5}


def row(box: list[float], **more) -> PhotoRow:
    known = {"height": 100, "width": 200, "persons": 1, "faces": 1, "on_mask": 0.8}
    return PhotoRow(id="a", split="test", box=np.array(box, np.float32), **(known | more))


def counts(tmp_path, rows: list[PhotoRow]) -> list[int]:
    write_index(tmp_path / "index.csv", rows)
    return list(portraits_by_margin(pd.read_csv(tmp_path / "index.csv"), **RULE).values())


def test_box_grows_on_each_side_until_it_is_large_enough(tmp_path):
    # 10 % are 2000 pixels: 40 x 40 grow to 44 x 44 = 1936 at .05 and 48 x 48 = 2304 at .10.
    assert counts(tmp_path, [row([10, 10, 50, 50])]) == [0, 0, 1, 1, 1, 1, 1]


def test_grown_box_is_clipped(tmp_path):
    # 20 x 80 at the left edge: growing by 30 % adds 6 columns at its right only, and rows up to the photo's 100.
    assert counts(tmp_path, [row([0, 10, 20, 90])]) == [0, 0, 1, 1, 1, 1, 1]  # 22 x 96 = 2112 at .10
    assert counts(tmp_path, [row([0, 0, 15, 100])]) == [0] * 7  # 19.5 x 100 at .30


@pytest.mark.parametrize("other", [{"persons": 2}, {"faces": 2}, {"on_mask": 0.4}, {"persons": None}])
def test_only_one_person_with_one_face_on_it_counts(tmp_path, other):
    large = [10, 10, 90, 90]
    assert counts(tmp_path, [row(large), row(large, **other), PhotoRow(id="b", split="test")]) == [1] * 7


def test_counts_are_those_of_the_face_s_own_measure(tmp_path):
    boxes = np.random.default_rng(0).uniform([-20, -20, 20, 20], [40, 30, 200, 110], (300, 4)).astype(np.float32)
    faces = [Face(box, 1.0, np.zeros((5, 2))) for box in boxes if (box[2:] > box[:2]).all()]
    expected = [sum(face.fraction(100, 200, margin=margin) >= 0.1 for face in faces) for margin in MARGINS]
    assert counts(tmp_path, [row(face.box.tolist()) for face in faces]) == expected
    assert expected[0] < expected[-1] < len(faces)
