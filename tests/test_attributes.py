import csv
import os
from pathlib import Path

import numpy as np
import pytest

from bsn.alignment import FRAME, alignment, five_points
from bsn.attributes import hair, label, read_overrides, write_labels
from bsn.data import pfcn
from bsn.errors import InputError

REAL = os.environ.get("BSN_REAL_DATA")
HAIR = hair(min_width=2.6, below_mouth=0.3)  # 338 px in the rows 441 to 479 of the frame
STILL = np.eye(2, 3)


def body(width_at_jaw: int) -> np.ndarray:
    """A head 300 wide, shoulders over the whole width, and so many pixels between them."""
    mask = np.zeros(FRAME, np.uint8)
    mask[150:430, 150:450] = 1
    mask[430:560, 300 - width_at_jaw // 2 : 300 + width_at_jaw // 2] = 1
    mask[560:] = 1
    return mask


@pytest.mark.parametrize(("width", "value"), [(200, "short"), (336, "short"), (338, "long"), (500, "long")])
def test_hair_is_long_when_it_fills_the_notch_beside_the_jaw(width, value):
    assert HAIR.rule(body(width)) == value


def test_one_narrow_row_is_a_notch_and_rows_further_down_are_not_asked():
    mask = body(400)
    mask[480:500, :200] = 0
    assert HAIR.rule(mask) == "long"
    mask[470, :200] = 0
    assert HAIR.rule(mask) == "short"


def test_rule_is_asked_in_the_frame():
    half = np.ascontiguousarray(body(500)[::2, ::2])
    photos = [("a", lambda: half, np.array([[2.0, 0, 0.5], [0, 2, 0.5]]))]
    (row,) = label(HAIR, photos, overrides={})
    assert (row.id, row.value, row.source) == ("a", "long", "rule")


def test_user_goes_before_the_rule_and_a_photo_without_a_face_is_unknown():
    photos = [
        (name, lambda: body(500), affine) for name, affine in (("a", STILL), ("b", STILL), ("c", None), ("d", None))
    ]
    rows = list(label(HAIR, photos, overrides={"b": "short", "d": "long"}))
    assert [(row.id, row.value, row.source) for row in rows] == [
        ("a", "long", "rule"),
        ("b", "short", "user"),
        ("d", "long", "user"),
    ]


def test_users_csv_is_read_by_row(tmp_path):
    (tmp_path / "hair.csv").write_text("hair,id\nlong,00007\nshort,00001\n")
    overrides = read_overrides(tmp_path / "hair.csv", HAIR, known={"00001", "00007"})
    assert overrides == {"00007": "long", "00001": "short"}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("id,hair\n1,long\n2,curly\n", "hair.csv, line 3: hair = 'curly'; allowed: long, short"),
        ("id,hair\n1\n", "hair.csv, line 2: hair = None; allowed: long, short"),
        ("id,hair\n7,long\n", "hair.csv, line 2: id = '7' is no photo"),
        ("id,hair\n1,long\n1,short\n", "hair.csv, line 3: id = '1' has two values"),
        ("id,beard\n1,long\n", "hair.csv: the first line must name the columns id,hair"),
        ("", "hair.csv: the first line must name the columns id,hair"),
    ],
)
def test_bad_line_of_the_users_csv_is_named(tmp_path, content, line):
    (tmp_path / "hair.csv").write_text(content)
    with pytest.raises(InputError) as refused:
        read_overrides(tmp_path / "hair.csv", HAIR, known={"1", "2"})
    assert line in str(refused.value)


def test_labels_are_written_with_their_source(tmp_path):
    write_labels(tmp_path / "hair.csv", HAIR, label(HAIR, [("a", lambda: body(500), STILL)], overrides={}))
    assert (tmp_path / "hair.csv").read_text() == "id,hair,source\na,long,rule\n"


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_rule_agrees_with_eyes_on_real_photos():
    """`hair_labels.csv` holds 100 training photos labelled by looking: long is what reaches below the jaw."""
    root = Path(REAL) / "pfcn"
    found = {c.id: c for c in pfcn.candidates(root)}
    right = []
    with (Path(__file__).parent / "hair_labels.csv").open(newline="") as stream:
        for name, value in list(csv.reader(stream))[1:]:
            points = pfcn.tracker(root, name)
            if points is not None:
                photos = [(name, found[name].load_mask, alignment(five_points(points)))]
                right += [row.value == value for row in label(HAIR, photos, overrides={})]
    assert len(right) == 93
    assert np.mean(right) >= 0.85
