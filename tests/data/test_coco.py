import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bsn.data import coco
from bsn.errors import InputError

REAL = os.environ.get("BSN_REAL_DATA")


def square(x: int, y: int, side: int) -> list[list[float]]:
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]


def person(image: int, segmentation, *, crowd: int = 0, category: int = 1) -> dict:
    return {"image_id": image, "category_id": category, "iscrowd": crowd, "segmentation": segmentation}


def write(root: Path, part: str, images: dict[int, str], annotations: list[dict]) -> None:
    content = {
        "images": [{"id": i, "file_name": name, "height": 10, "width": 20} for i, name in images.items()],
        "annotations": annotations,
    }
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"instances_{part}.json").write_text(json.dumps(content))


@pytest.fixture
def tree(tmp_path) -> Path:
    dog = person(7, square(0, 0, 3), category=18)
    # 20 x 10 pixels column by column: 50 background, 30 crowd, the rest background.
    crowd = person(9, {"size": [10, 20], "counts": [50, 30, 120]}, crowd=1)
    write(
        tmp_path,
        "train2017",
        {9: "000000000009.jpg", 7: "000000000007.jpg", 11: "000000000011.jpg"},
        [person(7, square(2, 1, 4)), dog, person(9, square(0, 0, 2)), crowd],
    )
    write(tmp_path, "val2017", {8: "000000000008.jpg"}, [person(8, square(0, 0, 2)), person(8, square(5, 5, 3))])
    return tmp_path


def test_both_parts_are_read_in_the_order_of_the_ids(tree):
    found = list(coco.candidates(tree))
    assert [int(c.id) for c in found] == [7, 8, 9, 11]
    assert found[0].id == "000000000007"
    assert found[0].photo == tree / "train2017" / "000000000007.jpg"
    assert found[1].photo == tree / "val2017" / "000000000008.jpg"
    assert {c.split for c in found} == {"test"}


def test_persons_are_counted_and_a_crowd_turns_the_photo_down(tree):
    found = {int(c.id): c for c in coco.candidates(tree)}
    assert {number: c.count_persons() for number, c in found.items()} == {7: 1, 8: 2, 9: 3, 11: 0}
    assert {number: c.rejection for number, c in found.items()} == {7: None, 8: None, 9: "crowd", 11: None}
    assert coco.person_counts(tree) == {7: 1, 8: 2, 9: 3, 11: 0}


def test_polygon_mask_is_the_person_and_not_the_dog(tree):
    mask = next(coco.candidates(tree)).load_mask()
    expected = np.zeros((10, 20), np.uint8)
    expected[1:5, 2:6] = 1
    np.testing.assert_array_equal(mask, expected)


def test_run_length_mask_is_read_column_by_column(tree):
    mask = {int(c.id): c for c in coco.candidates(tree)}[9].load_mask()
    expected = np.zeros((10, 20), np.uint8)
    expected[:, 5:8] = 1
    expected[:2, :2] = 1
    np.testing.assert_array_equal(mask, expected)


def test_photo_listed_twice_counts_once_and_a_clash_of_ids_is_rejected(tree):
    write(tree, "val2017", {7: "000000000007.jpg", 8: "000000000008.jpg"}, [])
    found = {int(c.id): c for c in coco.candidates(tree)}
    assert len(found) == 4
    assert found[7].rejection == "id is also that of val2017/000000000007.jpg"
    assert found[8].rejection is None


def test_broken_polygon_is_refused(tree):
    write(tree, "val2017", {8: "000000000008.jpg"}, [person(8, [[1.0, 2.0, 3.0]])])
    broken = next(c for c in coco.candidates(tree) if int(c.id) == 8)
    with pytest.raises(InputError, match="000000000008"):
        broken.load_mask()


@pytest.mark.parametrize("content", ["{", '{"images": []}', "[]", '{"images": [{"id": 1}], "annotations": []}'])
def test_broken_annotations_are_named(tree, content):
    (tree / "annotations" / "instances_val2017.json").write_text(content)
    with pytest.raises(InputError, match="instances_val2017"):
        list(coco.candidates(tree))


def test_other_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no COCO tree"):
        list(coco.candidates(tmp_path))


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_real_sample_has_its_known_numbers_of_persons():
    counts = Counter(coco.person_counts(Path(REAL) / "coco").values())
    assert sum(counts.values()) == 159
    assert (counts[0], counts[1]) == (84, 30)
