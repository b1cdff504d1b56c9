import csv
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bsn.alignment import FRAME
from bsn.attributes import Attribute, Rule, hair_rule, label_photos
from bsn.faces import MIN_FACE, FaceDetector
from drawn.pfcn import hair_truth, write_pfcn
from study.datasets import pfcn
from study.datasets.index import PhotoRow
from study.datasets.portraits import pfcn_faces

REAL = os.environ.get("BSN_REAL_DATA")
RULE = hair_rule(min_width=2.6, above_mouth=0.5, below_mouth=0.3)  # 338 px in the rows 376 to 480 of the frame
HAIR = Attribute(name="hair", rule=RULE)
STILL = np.eye(2, 3)


def body(width_at_jaw: int) -> np.ndarray:
    """A head 400 wide, shoulders over the whole width, and so many pixels between them."""
    mask = np.zeros(FRAME, np.uint8)
    mask[150:430, 100:500] = 1
    mask[430:560, 300 - width_at_jaw // 2 : 300 + width_at_jaw // 2] = 1
    mask[560:] = 1
    return mask


@pytest.mark.parametrize(("width", "value"), [(200, "short"), (336, "short"), (338, "long"), (500, "long")])
def test_hair_is_long_when_it_fills_the_notch_beside_the_jaw(width, value):
    assert RULE.classify(body(width)) == value


@pytest.mark.parametrize(("row", "value"), [(375, "long"), (376, "short"), (480, "short"), (481, "long")])
def test_one_narrow_row_between_the_two_heights_makes_hair_short(row, value):
    mask = body(400)
    mask[row, :200] = 0
    assert RULE.classify(mask) == value


def test_rule_gets_the_mask_in_the_frame():
    half = np.ascontiguousarray(body(500)[::2, ::2])
    (photo,) = label_photos([HAIR], [("a", lambda: half, np.array([[2.0, 0, 0.5], [0, 2, 0.5]]))])
    assert (photo.id, photo.values["hair"].value, photo.values["hair"].source) == ("a", "long", "rule")


def found(photos):
    return [(p.id, {name: (v.value, v.source) for name, v in p.values.items()}) for p in photos]


def test_user_overrides_the_rule_and_a_photo_without_a_face_is_unknown():
    hair = Attribute(name="hair", by_user={"b": "short", "d": "long"}, rule=RULE)
    photos = [
        (name, lambda: body(500), affine) for name, affine in (("a", STILL), ("b", STILL), ("c", None), ("d", None))
    ]
    assert found(label_photos([hair], photos)) == [
        ("a", {"hair": ("long", "rule")}),
        ("b", {"hair": ("short", "user")}),
        ("c", {}),
        ("d", {"hair": ("long", "user")}),
    ]


def test_hair_rows_above_the_frame_are_left_out():
    # Narrow only in the frame's first row, which 6 eye distances above the mouth lie beyond.
    mask = np.ones(FRAME, np.uint8)
    mask[0] = 0
    assert hair_rule(min_width=2.6, above_mouth=6, below_mouth=0.3).classify(mask) == "short"
    assert RULE.classify(mask) == "long"


def confusion(root: Path, true: dict[str, str], rule: Rule = RULE) -> Counter:
    """How often (true, found) occurs among the photos of a release, with the faces that the pipeline finds."""
    found = {c.id: c for c in pfcn.candidates(root)}
    rows = [PhotoRow(id=name, split="train", kept=True, image=str(found[name].photo)) for name in true]
    detector = FaceDetector(min_face_fraction=MIN_FACE, min_probability=0.9)
    faces = pfcn_faces(rows, root=root, portraits=Path("/"), detector=detector)
    hair = Attribute(name="hair", rule=rule)
    photos = label_photos([hair], ((face.id, found[face.id].load_mask, face.affine) for face in faces))
    return Counter((true[p.id], p.values["hair"].value if p.values else None) for p in photos)


def share_right(counts: Counter) -> float:
    return sum(count for (true, said), count in counts.items() if true == said) / counts.total()


def test_rule_knows_the_hair_of_drawn_portraits(tmp_path):
    # 50 of these 60 are right, 384 of the 420 of the sketch profile; the ten missed are braids and ponytails.
    write_pfcn(tmp_path, train=50, test=10, seed=1)
    true = {c.id: hair_truth(int(c.id), seed=1) for c in pfcn.candidates(tmp_path)}
    counts = confusion(tmp_path, true)
    assert counts.total() == 60
    assert share_right(counts) >= 0.82
    assert counts["short", "long"] == 0


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
@pytest.mark.parametrize(("purpose", "floor"), [("choosing", 0.91), ("checking", 0.89)])
def test_rule_agrees_with_eyes_on_real_photos(purpose, floor):
    """The file holds 2 x 100 training photos labelled by looking: long is what reaches below the jaw."""
    with Path("attributes/by_eye/hair.csv").open(newline="") as stream:
        true = {cells["id"]: cells["hair"] for cells in csv.DictReader(stream) if cells["for"] == purpose}
    counts = confusion(Path(REAL) / "pfcn", true)
    assert counts.total() == 100
    assert share_right(counts) >= floor
    assert counts["short", "long"] <= 3
