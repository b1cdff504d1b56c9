import csv
import io
import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bsn.errors import InputError
from bsn.faces import Face, FaceDetector, share_on_mask
from drawn.catalog import picture_of
from study.datasets import coco, portraits, voc
from study.datasets.index import Candidate, PhotoRow, read_index, write_index
from study.datasets.portraits import (
    MARGINS,
    PortraitRule,
    annotated_rejection,
    filter_pfcn,
    filter_portraits,
    portraits_by_margin,
    write_portraits,
)

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

    def detect_many(self, photos: list[np.ndarray]) -> list[list[Face]]:
        self.asked += len(photos)
        return [self.faces for _ in photos]


def person_mask(share: float = 0.5) -> np.ndarray:
    """Mask with the person in the left `share` of the photo."""
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
    ((_, row, mask),) = filter_portraits([found], detector=FakeDetector(*faces), rule=rule)
    assert row.kept == (row.reason == "") == (mask is not None)
    return row.reason


def test_one_person_with_one_large_face_is_a_portrait(tmp_path):
    found = candidate(tmp_path)
    ((_, row, mask),) = filter_portraits([found], detector=FakeDetector(face(10, 10, 60, 60)), rule=RULE)
    assert row.kept
    assert (row.persons, row.faces, row.height, row.width) == (1, 1, HEIGHT, WIDTH)
    assert row.face_fraction == pytest.approx(2500 / 20000)
    assert row.probability == 0.95
    np.testing.assert_array_equal(mask, person_mask())


@pytest.mark.parametrize(("persons", "why"), [(0, "no person"), (2, "2 persons"), (7, "7 persons")])
def test_other_person_counts_are_rejected_before_face_detection(tmp_path, persons, why):
    detector = FakeDetector(face(10, 10, 60, 60))
    found = candidate(tmp_path, persons=persons, photo=False)
    ((_, row, _),) = filter_portraits([found], detector=detector, rule=RULE)
    assert (row.kept, row.reason, row.persons) == (False, why, persons)
    assert detector.asked == 0


def test_person_smaller_than_half_of_the_smallest_face_is_rejected_before_face_detection(tmp_path):
    # A face that covers 10 % after growing by 30 % on each side covered 3.9 % before.
    assert RULE.min_mask == pytest.approx(0.5 * 0.1 / 1.6**2)
    detector = FakeDetector(face(10, 10, 60, 60))
    ((_, row, _),) = filter_portraits([candidate(tmp_path, mask=person_mask(0.015))], detector=detector, rule=RULE)
    assert row.reason == "person too small: 1.5% of the photo"
    assert detector.asked == 0


def test_rejection_by_the_annotations_keeps_its_reason(tmp_path):
    assert reason(candidate(tmp_path, rejection="crowd"), face(10, 10, 60, 60)) == "crowd"


def test_photos_with_no_several_or_small_faces_are_rejected(tmp_path):
    found = candidate(tmp_path)
    assert reason(found) == "no face"
    assert reason(found, face(10, 10, 60, 60), face(90, 10, 99, 20)) == "2 faces"
    assert reason(found, face(10, 10, 54, 54)) == "face too small: 9.7% of the photo"


def test_face_box_is_clipped_to_the_photo(tmp_path):
    # 60 x 50 pixels are 15 %, the 36 x 50 inside of the photo only 9 %.
    assert reason(candidate(tmp_path), face(-24, 10, 36, 60)) == "face too small: 9.0% of the photo"


def test_margin_enlarges_the_face_box_on_each_side(tmp_path):
    found, small = candidate(tmp_path), face(10, 10, 50, 50)
    grown = PortraitRule(min_face=0.1, min_on_mask=0.5, box_margin=0.1)
    assert reason(found, small) == "face too small: 8.0% of the photo"
    assert reason(found, small, rule=grown) == ""  # 48 x 48 are 11.5 %
    assert PortraitRule(min_face=0.1, min_on_mask=0.5, box_margin=0.5).widest_margin == 0.5


def test_face_less_than_half_on_the_person_s_mask_is_rejected(tmp_path):
    found = candidate(tmp_path)
    assert reason(found, face(120, 10, 170, 60)) == "face is not on the person's mask"
    assert reason(found, face(76, 10, 126, 60)) == "face is not on the person's mask"  # 24 of 50 columns
    assert reason(found, face(74, 10, 124, 60)) == ""  # 26 of 50 columns


def test_share_on_mask_does_not_count_ignored_pixels():
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
def test_missing_invalid_or_mismatched_photo_is_rejected_with_the_reason(tmp_path, photo, why):
    found = candidate(tmp_path, photo=photo)
    assert reason(found, face(10, 10, 60, 60)) == why
    ((_, row, _),) = filter_pfcn([found])
    assert (row.kept, row.reason) == (False, why)


@pytest.mark.parametrize(("value", "why"), [(0, "mask is empty"), (1, "mask is full")])
def test_empty_or_full_mask_is_rejected(tmp_path, value, why):
    found = candidate(tmp_path, mask=np.full((HEIGHT, WIDTH), value, np.uint8))
    assert reason(found, face(10, 10, 60, 60)) == why
    ((_, row, _),) = filter_pfcn([found])
    assert row.reason == why


def test_broken_annotation_is_rejected_with_the_reason(tmp_path):
    def broken() -> np.ndarray:
        raise InputError("a.mat holds no variable 'S'")

    found = Candidate(id="a", split="test", photo=tmp_path / "a.jpg", count_persons=lambda: 1, load_mask=broken)
    assert reason(found) == "a.mat holds no variable 'S'"


def test_training_photo_with_the_scene_of_a_test_photo_is_rejected(tmp_path):
    scene = np.random.default_rng(0).integers(0, 255, (4, 8, 3), np.uint8).repeat(25, axis=0).repeat(25, axis=1)
    found = [
        candidate(tmp_path, name="2", photo=scene),
        candidate(tmp_path, name="1", photo=scene, split="train"),
        candidate(tmp_path, name="3", photo=scene[::-1].copy(), split="train"),
    ]
    rows = [row for _, row, _ in filter_pfcn(found)]
    assert [(row.id, row.kept, row.reason) for row in rows] == [
        ("2", True, ""),
        ("1", False, "one scene with test photo 2"),
        ("3", True, ""),
    ]


def test_duplicate_scenes_are_rejected_across_splits_and_noted_within_a_split(tmp_path):
    random = np.random.default_rng(0)
    scenes = [random.integers(0, 255, (4, 8, 3), np.uint8).repeat(25, axis=0).repeat(25, axis=1) for _ in range(2)]
    found = [
        candidate(tmp_path, name="1", photo=scenes[0]),
        candidate(tmp_path, name="2", photo=scenes[0]),
        candidate(tmp_path, name="3", photo=scenes[0], split="validation"),
        candidate(tmp_path, name="4", photo=scenes[1], split="validation"),
        candidate(tmp_path, name="5", photo=scenes[1], split="train"),
    ]
    rows = [row for _, row, _ in filter_pfcn(found)]
    assert [(row.id, row.kept, row.reason) for row in rows] == [
        ("1", True, ""),
        ("2", True, "one scene with test photo 1"),
        ("3", False, "one scene with test photo 1, 2"),
        ("4", True, ""),
        ("5", False, "one scene with validation photo 4"),
    ]


def test_output_has_the_original_photo_bytes_the_masks_and_one_row_per_photo(tmp_path):
    kept, turned_down = candidate(tmp_path, name="a"), candidate(tmp_path, name="b", persons=3)
    out = tmp_path / "out"
    (out / "images").mkdir(parents=True)
    (out / "images" / "old.jpg").write_bytes(b"of another run")
    verdicts = filter_portraits([kept, turned_down], detector=FakeDetector(face(10, 10, 60, 60)), rule=RULE)
    write_portraits(verdicts, out, total=2)
    assert sorted(str(f.relative_to(out)) for f in out.rglob("*.*")) == ["images/a.jpg", "index.csv", "masks/a.png"]
    assert (out / "images" / "a.jpg").read_bytes() == kept.photo.read_bytes()
    np.testing.assert_array_equal(np.asarray(Image.open(out / "masks" / "a.png")), person_mask())
    with (out / "index.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["kept"], first["image"], first["mask"]) == ("True", "images/a.jpg", "masks/a.png")
    assert (first["x0"], first["y1"], first["p4y"], first["on_mask"]) == ("10.0000", "60.0000", "9.00", "1.000000")
    assert (second["kept"], second["reason"], second["image"], second["x0"]) == ("False", "3 persons", "", "")
    assert [(row.id, row.kept, row.persons) for row in read_index(out / "index.csv")] == [
        ("a", True, 1),
        ("b", False, 3),
    ]


def test_absent_set_gives_an_index_of_only_the_header(tmp_path):
    write_portraits([], tmp_path / "out", total=0)
    assert read_index(tmp_path / "out" / "index.csv") == []
    assert (tmp_path / "out" / "index.csv").read_text().startswith("id,split,kept,reason,image,mask,height,width,")


def test_annotated_rejection_gives_the_same_reasons_as_the_filter(tmp_path):
    crowd = candidate(tmp_path, name="b", persons=2, rejection="crowd")
    small = candidate(tmp_path, name="c", mask=person_mask(0.015))
    assert [annotated_rejection(found, RULE) for found in (candidate(tmp_path, photo=False), crowd, small)] == [
        None,
        "crowd",
        "person too small: 1.5% of the photo",
    ]
    for found in (crowd, small):
        assert reason(found, face(10, 10, 60, 60)) == annotated_rejection(found, RULE)


def coco_tree(root: Path, photos: dict[int, bytes]) -> Path:
    """A COCO tree in which each photo has one person, a box of 30 x 30 in its 40 x 40 pixels."""
    box = [5, 5, 35, 5, 35, 35, 5, 35]
    images = [{"id": n, "file_name": f"{n:012d}.jpg", "height": 40, "width": 40} for n in photos]
    persons = [{"image_id": n, "category_id": 1, "iscrowd": 0, "segmentation": [box]} for n in photos]
    (root / "annotations").mkdir(parents=True)
    (root / "val2017").mkdir()
    content = json.dumps({"images": images, "annotations": persons, "categories": [{"id": 1, "name": "person"}]})
    (root / "annotations" / "instances_val2017.json").write_text(content)
    for number, content in photos.items():
        if content is not None:
            (root / "val2017" / f"{number:012d}.jpg").write_bytes(content)
    return root


def encoded(image: Image.Image, form: str = "JPEG", **more) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **more)
    return buffer.getvalue()


def test_unusual_photos_are_kept_and_bad_ones_rejected_with_a_reason_in_the_index(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = cv2.imencode(".png", np.full((40, 40, 3), 9 * 257, np.uint16))[1].tobytes()
    photos = {
        1: (encoded(noise), ""),
        2: (encoded(noise.convert("L")), ""),
        3: (encoded(noise.convert("CMYK")), ""),
        4: (encoded(noise, exif=turned), ""),
        5: (deep, ""),
        6: (encoded(Image.fromarray(np.full((40, 40), 999, np.uint16)), "PNG"), ""),
        11: (encoded(noise)[:900], "000000000011.jpg is truncated or broken"),
        12: (b"", "000000000012.jpg is empty (0 bytes)"),
        13: (b"<html>404</html>", "000000000013.jpg is not a picture"),
        14: (None, "photo missing"),
        15: (encoded(noise.resize((60, 60))), "000000000015.jpg has more than 2000 pixels"),
        16: (encoded(noise.resize((40, 30))), "mask is 40x40, photo is 30x40"),
        17: (None, "photo missing"),
    }
    root = coco_tree(tmp_path / "coco", {number: content for number, (content, _) in photos.items()})
    (root / "val2017" / "000000000017.jpg").mkdir()
    found = list(coco.candidates(root))
    verdicts = filter_portraits(found, detector=FakeDetector(face(5, 5, 30, 30)), rule=RULE)
    write_portraits(verdicts, tmp_path / "out", total=len(found))
    rows = {int(row.id): row for row in read_index(tmp_path / "out" / "index.csv")}
    assert rows.keys() == photos.keys()
    for number, (content, why) in photos.items():
        assert rows[number].reason.startswith(why)
        assert rows[number].kept == (why == "")
        if rows[number].kept:
            assert (tmp_path / "out" / rows[number].image).read_bytes() == content
            mask = np.asarray(Image.open(tmp_path / "out" / rows[number].mask))
            assert mask.shape == (40, 40)
            assert mask.sum() == 900


def test_detector_failure_rejects_only_that_photo_with_the_reason(tmp_path):
    class Fragile(FakeDetector):
        def detect_many(self, photos):
            if any((photo > 200).all() for photo in photos):
                raise RuntimeError("tensor of size 0\nand more")
            return super().detect_many(photos)

    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    found = [candidate(tmp_path, name=name, photo=white if name == "b" else None) for name in "abc"]
    verdicts = filter_portraits(found, detector=Fragile(face(10, 10, 60, 60)), rule=RULE)
    assert [(row.kept, row.reason) for _, row, _ in verdicts] == [
        (True, ""),
        (False, "face detection failed (RuntimeError: tensor of size 0)"),
        (True, ""),
    ]


def test_workers_give_the_same_verdicts_in_the_same_order(tmp_path, monkeypatch):
    photos = {number: encoded(Image.fromarray(picture_of("coco", number, 1).rgb)) for number in range(1, 12)}
    # Those that have the annotation's size reach the detector.
    photos = {n: encoded(Image.open(io.BytesIO(p)).resize((40, 40))) if n % 2 else p for n, p in photos.items()}
    found = list(coco.candidates(coco_tree(tmp_path, photos)))
    detector = FaceDetector(min_face_fraction=RULE.min_face, margin=RULE.widest_margin, min_probability=0.9)
    monkeypatch.setattr(portraits, "CHUNK", 3)
    one, two = (
        [
            (c.id, row.reason, row.faces)
            for c, row, _ in filter_portraits(found, detector=detector, rule=RULE, workers=n)
        ]
        for n in (1, 2)
    )
    assert one == two
    assert [int(name) for name, _, _ in one] == list(photos)


def test_index_does_not_exist_while_portraits_are_written_or_after_a_failure(tmp_path):
    out = tmp_path / "out"
    write_portraits([], out, total=0)
    gone = candidate(tmp_path)

    def verdicts():
        assert not (out / "index.csv").exists()
        gone.photo.unlink()
        yield gone, PhotoRow(id="a", split="test", kept=True), person_mask()

    with pytest.raises(InputError, match=r"a\.jpg cannot be read or written: No such file or directory"):
        write_portraits(verdicts(), out, total=1)
    assert not (out / "index.csv").exists()


def counted(box: list[float], **more) -> PhotoRow:
    known = {"height": 100, "width": 200, "persons": 1, "faces": 1, "on_mask": 0.8}
    return PhotoRow(id="a", split="test", box=np.array(box, np.float32), **(known | more))


def counts(tmp_path, rows: list[PhotoRow]) -> list[int]:
    write_index(tmp_path / "index.csv", rows)
    found = portraits_by_margin(read_index(tmp_path / "index.csv"), min_face=0.1, min_on_mask=0.5)
    return list(found.values())


def test_margin_counts_a_face_once_its_enlarged_box_is_large_enough(tmp_path):
    # 10 % are 2000 pixels: 40 x 40 grow to 44 x 44 = 1936 at .05 and 48 x 48 = 2304 at .10.
    assert counts(tmp_path, [counted([10, 10, 50, 50])]) == [0, 0, 1, 1, 1, 1, 1]


def test_enlarged_box_is_clipped_to_the_photo(tmp_path):
    # 20 x 80 at the left edge: growing by 30 % adds 6 columns at its right only, and rows up to the photo's 100.
    assert counts(tmp_path, [counted([0, 10, 20, 90])]) == [0, 0, 1, 1, 1, 1, 1]  # 22 x 96 = 2112 at .10
    assert counts(tmp_path, [counted([0, 0, 15, 100])]) == [0] * 7  # 19.5 x 100 at .30


@pytest.mark.parametrize("other", [{"persons": 2}, {"faces": 2}, {"on_mask": 0.4}, {"persons": None}])
def test_margin_counts_only_one_person_with_one_face_on_the_mask(tmp_path, other):
    large = [10, 10, 90, 90]
    assert counts(tmp_path, [counted(large), counted(large, **other), PhotoRow(id="b", split="test")]) == [1] * 7


def test_margin_counts_agree_with_face_fraction(tmp_path):
    boxes = np.random.default_rng(0).uniform([-20, -20, 20, 20], [40, 30, 200, 110], (300, 4)).astype(np.float32)
    faces = [Face(box, 1.0, np.zeros((5, 2))) for box in boxes if (box[2:] > box[:2]).all()]
    expected = [sum(face.fraction(100, 200, margin=margin) >= 0.1 for face in faces) for margin in MARGINS]
    assert counts(tmp_path, [counted(face.box.tolist()) for face in faces]) == expected
    assert expected[0] < expected[-1] < len(faces)


@pytest.fixture
def tiny_disk(tmp_path):
    """A tmpfs of 64 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_full_disk_gives_one_line_and_no_index(tmp_path, tiny_disk):
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    found = [candidate(tmp_path, name=str(n), photo=noise) for n in range(9)]
    verdicts = filter_portraits(found, detector=FakeDetector(face(10, 10, 60, 60)), rule=RULE)
    with pytest.raises(InputError, match=r"the disk of .*out.* has no room left for it; free some space") as error:
        write_portraits(verdicts, tiny_disk / "out", total=9)
    assert "\n" not in str(error.value)
    assert not list(tiny_disk.rglob("index.csv*"))


def test_full_disk_while_writing_the_index_leaves_no_file(tiny_disk):
    rows = (PhotoRow(id=str(n), split="test", reason="x" * 1000) for n in range(100))
    with pytest.raises(InputError, match=r"the disk of .*index\.csv has no room left for it"):
        write_index(tiny_disk / "index.csv", rows)
    assert list(tiny_disk.iterdir()) == []


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
@pytest.mark.parametrize(("module", "name", "kept"), [(coco, "coco", 1), (voc, "voc", 9)])
def test_real_samples_have_the_known_numbers_of_portraits(module, name, kept):
    detector = FaceDetector(min_face_fraction=RULE.min_face, margin=RULE.widest_margin, min_probability=0.9)
    verdicts = filter_portraits(list(module.candidates(Path(REAL) / name)), detector=detector, rule=RULE)
    assert sum(row.kept for _, row, _ in verdicts) == kept
