import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bsn.data import coco, voc
from bsn.data.candidates import Candidate
from bsn.data.portraits import PortraitRule, judge_lists, judge_portraits, write_portraits
from bsn.data.tables import read_index
from bsn.errors import InputError
from bsn.faces import Face, FaceDetector, share_on_mask

REAL = os.environ.get("BSN_REAL_DATA")
RULE = PortraitRule(min_face=0.1, min_on_mask=0.5, box_margin=0.0)
HEIGHT, WIDTH = 100, 200
POINTS = np.arange(10, dtype=np.float32).reshape(5, 2)


def face(x0: float, y0: float, x1: float, y1: float) -> Face:
    return Face(np.array([x0, y0, x1, y1], np.float32), 0.95, POINTS)


class FakeDetector:
    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)
        self.asked = 0

    def detect(self, photo: np.ndarray) -> list[Face]:
        self.asked += 1
        return self.faces


def person_mask(share: float = 0.5) -> np.ndarray:
    """The left `share` of the photo is the person."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, : round(share * WIDTH)] = 1
    return mask


def candidate(folder: Path, *, name: str = "a", persons: int | None = 1, mask=None, photo=None, **more) -> Candidate:
    file = folder / f"{name}.jpg"
    if photo is None:
        photo = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    if isinstance(photo, bytes):
        file.write_bytes(photo)
    elif photo is not False:
        Image.fromarray(photo).save(file)
    mask = person_mask() if mask is None else mask
    return Candidate(
        id=name, split=more.pop("split", "test"), photo=file,
        count_persons=lambda: persons, load_mask=lambda: mask, **more,
    )  # fmt: skip


def reason(found: Candidate, *faces: Face, rule: PortraitRule = RULE) -> str:
    ((_, row, mask),) = judge_portraits([found], detector=FakeDetector(*faces), rule=rule)
    assert row.kept == (row.reason == "") == (mask is not None)
    return row.reason


def test_one_person_with_one_large_face_is_a_portrait(tmp_path):
    found = candidate(tmp_path)
    ((_, row, mask),) = judge_portraits([found], detector=FakeDetector(face(10, 10, 60, 60)), rule=RULE)
    assert row.kept
    assert (row.persons, row.faces, row.height, row.width) == (1, 1, HEIGHT, WIDTH)
    assert row.face_fraction == pytest.approx(2500 / 20000)
    assert row.probability == 0.95
    np.testing.assert_array_equal(mask, person_mask())


@pytest.mark.parametrize(("persons", "why"), [(0, "no person"), (2, "2 persons"), (7, "7 persons")])
def test_other_numbers_of_persons_are_turned_down_before_any_detection(tmp_path, persons, why):
    detector = FakeDetector(face(10, 10, 60, 60))
    found = candidate(tmp_path, persons=persons, photo=False)
    ((_, row, _),) = judge_portraits([found], detector=detector, rule=RULE)
    assert (row.kept, row.reason, row.persons) == (False, why, persons)
    assert detector.asked == 0


def test_person_smaller_than_half_of_the_smallest_face_is_turned_down_before_any_detection(tmp_path):
    detector = FakeDetector(face(10, 10, 60, 60))
    ((_, row, _),) = judge_portraits([candidate(tmp_path, mask=person_mask(0.045))], detector=detector, rule=RULE)
    assert row.reason == "person too small: 4.5% of the photo"
    assert detector.asked == 0


def test_what_the_annotations_turn_down_keeps_their_reason(tmp_path):
    assert reason(candidate(tmp_path, rejection="crowd"), face(10, 10, 60, 60)) == "crowd"


def test_number_and_size_of_the_faces_decide(tmp_path):
    found = candidate(tmp_path)
    assert reason(found) == "no face"
    assert reason(found, face(10, 10, 60, 60), face(90, 10, 99, 20)) == "2 faces"
    assert reason(found, face(10, 10, 54, 54)) == "face too small: 9.7% of the photo"


def test_box_is_clipped_to_the_photo(tmp_path):
    # 60 x 50 pixels are 15 %, the 36 x 50 inside of the photo only 9 %.
    assert reason(candidate(tmp_path), face(-24, 10, 36, 60)) == "face too small: 9.0% of the photo"


def test_margin_grows_the_box_on_each_side_before_it_is_clipped(tmp_path):
    found, small = candidate(tmp_path), face(10, 10, 50, 50)
    grown = PortraitRule(min_face=0.1, min_on_mask=0.5, box_margin=0.1)
    assert reason(found, small) == "face too small: 8.0% of the photo"
    assert reason(found, small, rule=grown) == ""  # 48 x 48 are 11.5 %
    assert grown.min_detected == pytest.approx(0.1 / 1.44)


def test_face_beside_the_person_is_turned_down(tmp_path):
    found = candidate(tmp_path)
    assert reason(found, face(120, 10, 170, 60)) == "face is not on the person's mask"
    assert reason(found, face(76, 10, 126, 60)) == "face is not on the person's mask"  # 24 of 50 columns
    assert reason(found, face(74, 10, 124, 60)) == ""  # 26 of 50 columns


def test_ignored_pixels_do_not_count_on_the_mask():
    mask = person_mask()
    mask[:, 50:100] = 255
    assert share_on_mask(np.array([0, 0, 150, 100]), mask) == 0.5
    assert share_on_mask(np.array([60, 0, 90, 100]), mask) == 0.0


@pytest.mark.parametrize(
    ("photo", "why"),
    [
        (False, "photo missing"),
        (b"", "a.jpg is empty (0 bytes)"),
        (b"\xff\xd8 no photo", "a.jpg is not a picture"),
        (np.zeros((WIDTH, HEIGHT, 3), np.uint8), "mask is 100x200, photo is 200x100"),
    ],
)
def test_bad_photo_is_a_row_with_its_reason(tmp_path, photo, why):
    found = candidate(tmp_path, photo=photo)
    assert reason(found, face(10, 10, 60, 60)) == why
    ((_, row, _),) = judge_lists([found])
    assert (row.kept, row.reason) == (False, why)


@pytest.mark.parametrize(("value", "why"), [(0, "mask is empty"), (1, "mask is full")])
def test_mask_without_an_edge_is_turned_down(tmp_path, value, why):
    found = candidate(tmp_path, mask=np.full((HEIGHT, WIDTH), value, np.uint8))
    assert reason(found, face(10, 10, 60, 60)) == why
    ((_, row, _),) = judge_lists([found])
    assert row.reason == why


def test_broken_annotation_is_a_row_with_its_reason(tmp_path):
    def broken() -> np.ndarray:
        raise InputError("a.mat holds no variable 'S'")

    found = Candidate(id="a", split="test", photo=tmp_path / "a.jpg", count_persons=lambda: 1, load_mask=broken)
    assert reason(found) == "a.mat holds no variable 'S'"


def test_training_photo_that_is_a_test_photo_is_dropped_from_training(tmp_path):
    scene = np.random.default_rng(0).integers(0, 255, (4, 8, 3), np.uint8).repeat(25, axis=0).repeat(25, axis=1)
    found = [
        candidate(tmp_path, name="2", photo=scene),
        candidate(tmp_path, name="1", photo=scene, split="train"),
        candidate(tmp_path, name="3", photo=scene[::-1].copy(), split="train"),
    ]
    rows = [row for _, row, _ in judge_lists(found)]
    assert [(row.id, row.kept, row.reason) for row in rows] == [
        ("2", True, ""),
        ("1", False, "also in the test list: 2"),
        ("3", True, ""),
    ]


def test_output_holds_the_original_bytes_the_masks_and_a_row_a_photo(tmp_path):
    kept, turned_down = candidate(tmp_path, name="a"), candidate(tmp_path, name="b", persons=3)
    out = tmp_path / "out"
    (out / "images").mkdir(parents=True)
    (out / "images" / "old.jpg").write_bytes(b"of another run")
    judged = judge_portraits([kept, turned_down], detector=FakeDetector(face(10, 10, 60, 60)), rule=RULE)
    write_portraits(judged, out, total=2)
    assert sorted(str(f.relative_to(out)) for f in out.rglob("*.*")) == ["images/a.jpg", "index.csv", "masks/a.png"]
    assert (out / "images" / "a.jpg").read_bytes() == kept.photo.read_bytes()
    np.testing.assert_array_equal(np.asarray(Image.open(out / "masks" / "a.png")), person_mask())
    with (out / "index.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["kept"], first["image"], first["mask"]) == ("True", "images/a.jpg", "masks/a.png")
    assert (first["x0"], first["y1"], first["p4y"]) == ("10.00", "60.00", "9.00")
    assert (second["kept"], second["reason"], second["image"], second["x0"]) == ("False", "3 persons", "", "")
    assert [(row.id, row.kept, row.persons) for row in read_index(out / "index.csv")] == [
        ("a", True, 1),
        ("b", False, 3),
    ]


def test_absent_set_is_a_header(tmp_path):
    write_portraits([], tmp_path / "out", total=0)
    assert read_index(tmp_path / "out" / "index.csv") == []
    assert (tmp_path / "out" / "index.csv").read_text().startswith("id,split,kept,reason,image,mask,height,width,")


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
@pytest.mark.parametrize(("module", "name", "kept"), [(coco, "coco", 1), (voc, "voc", 9)])
def test_real_samples_keep_their_portraits(module, name, kept):
    detector = FaceDetector(min_face_fraction=RULE.min_detected, min_probability=0.9)
    judged = judge_portraits(module.candidates(Path(REAL) / name), detector=detector, rule=RULE)
    assert sum(row.kept for _, row, _ in judged) == kept
