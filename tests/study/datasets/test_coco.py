import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as rle

from bsn.errors import InputError
from study.datasets import coco

REAL = os.environ.get("BSN_REAL_DATA")


def square(x: int, y: int, side: int) -> list[list[float]]:
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]


def person(image: int, segmentation, *, crowd: int = 0, category: int = 1) -> dict:
    return {"image_id": image, "category_id": category, "iscrowd": crowd, "segmentation": segmentation}


def image(number: int, name: str, **more) -> dict:
    return {"id": number, "file_name": name, "height": 10, "width": 20} | more


CATEGORIES = [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}]


def write(
    root: Path,
    part: str,
    images: dict[int, str] | list[dict],
    annotations: list[dict],
    categories: list[dict] = CATEGORIES,
) -> None:
    content = {
        "images": images if isinstance(images, list) else [image(*pair) for pair in images.items()],
        "annotations": annotations,
        "categories": categories,
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


def test_train_and_val_are_read_together_in_the_order_of_the_ids(tree):
    found = list(coco.candidates(tree))
    assert [int(c.id) for c in found] == [7, 8, 9, 11]
    assert found[0].id == "000000000007"
    assert found[0].photo == tree / "train2017" / "000000000007.jpg"
    assert found[1].photo == tree / "val2017" / "000000000008.jpg"
    assert {c.split for c in found} == {"test"}


def test_persons_are_counted_and_a_photo_with_a_crowd_is_rejected(tree):
    found = {int(c.id): c for c in coco.candidates(tree)}
    assert {number: c.count_persons() for number, c in found.items()} == {7: 1, 8: 2, 9: 3, 11: 0}
    assert {number: c.rejection for number, c in found.items()} == {7: None, 8: None, 9: "crowd", 11: None}
    assert coco.person_counts(tree) == {7: 1, 8: 2, 9: 3, 11: 0}


def test_polygon_mask_covers_persons_only(tree):
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


def test_an_id_in_both_parts_counts_once_and_is_rejected(tree):
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


def only(root: Path, images: list[dict], annotations: list[dict], *, year: int = 2017, **more):
    """Write a tree of only these photos and annotations, and return its one candidate."""
    write(root, f"val{year}", images, annotations, **more)
    (found,) = coco.candidates(root, year=year)
    return found


@pytest.mark.parametrize(
    ("categories", "own", "other"),
    [
        ([{"id": 0, "name": "person"}, {"id": 1, "name": "bicycle"}], 0, 1),
        ([{"id": "p", "name": "person"}, {"id": "d", "name": "dog"}], "p", "d"),
        ([{"id": "7", "name": "person"}, {"id": "8", "name": "dog"}], 7, 8),
        ([{"id": 7, "name": " Person\n"}, {"id": 1, "name": "personal computer"}], "7", "1"),
    ],
)
def test_person_category_is_found_by_name_whatever_its_id(tmp_path, categories, own, other):
    beside = person(7, square(2, 1, 4), category=own), person(7, square(0, 0, 3), category=other)
    found = only(tmp_path, [image(7, "7.jpg")], list(beside), categories=categories)
    assert found.count_persons() == 1
    assert found.load_mask().sum() == 16


def test_each_annotation_file_has_its_own_category_ids(tmp_path):
    exported = [{"id": 0, "name": "person"}, {"id": 1, "name": "dog"}]
    write(tmp_path, "train2017", {7: "7.jpg"}, [person(7, square(0, 0, 3)), person(7, square(5, 5, 3), category=18)])
    write(tmp_path, "val2017", {8: "8.jpg"}, [person(8, square(0, 0, 3), category=i) for i in (0, 0, 1)], exported)
    assert coco.person_counts(tmp_path) == {7: 1, 8: 2}


def test_duplicate_person_categories_are_merged(tmp_path):
    # Some exporters add the supercategory as a category of its own.
    categories = [{"id": 0, "name": "person"}, {"id": 1, "name": "Person"}, {"id": 1, "name": "person"}]
    persons = [person(7, square(2, 1, 4), category=0), person(7, square(8, 1, 4), category=1)]
    assert only(tmp_path, [image(7, "7.jpg")], persons, categories=categories).count_persons() == 2


@pytest.mark.parametrize(
    ("categories", "line"),
    [
        ([], 'instances_val2017.json has no category "person" among its 0 categories'),
        ([{"id": 1, "name": "dog"}], 'instances_val2017.json has no category "person" among its 1 categories'),
        (
            [{"id": 1, "name": "person"}, {"id": 1, "name": "dog"}],
            "instances_val2017.json gives the id 1 to both person and dog",
        ),
    ],
)
def test_file_without_an_unambiguous_person_category_is_refused(tree, categories, line):
    write(tree, "val2017", {8: "000000000008.jpg"}, [person(8, square(0, 0, 2))], categories)
    for read in (lambda: list(coco.candidates(tree)), lambda: coco.person_counts(tree)):
        with pytest.raises(InputError) as refused:
            read()
        assert str(refused.value) == line


@pytest.mark.parametrize("categories", ["", '"categories": null, ', '"categories": [{"name": "person"}], '])
def test_file_without_categories_is_refused(tree, categories):
    file = tree / "annotations" / "instances_val2017.json"
    file.write_text(f'{{{categories}"images": [], "annotations": []}}')
    with pytest.raises(InputError, match=r"instances_val2017\.json is not a COCO annotation file"):
        list(coco.candidates(tree))


def test_year_2014_has_its_own_files_and_file_names_and_the_same_ids(tmp_path):
    url = "http://images.cocodataset.org/val2014/COCO_val2014_000000000007.jpg"
    listed = [image(7, "COCO_val2014_000000000007.jpg", coco_url=url)]
    found = only(tmp_path, listed, [person(7, square(2, 1, 4))], year=2014)
    assert (found.id, found.url) == ("000000000007", url)
    assert found.photo == tmp_path / "val2014" / "COCO_val2014_000000000007.jpg"
    assert coco.person_counts(tmp_path, year=2014) == {7: 1}
    with pytest.raises(InputError, match="no COCO tree of 2017"):
        coco.person_counts(tmp_path)


def test_photo_without_coco_url_has_no_url(tmp_path):
    assert only(tmp_path, [image(7, "7.jpg")], []).url is None


@pytest.mark.parametrize("name", ["../../x.jpg", "/etc/passwd", "a/x.jpg", "..", "", "a\\x.jpg", "x" * 300])
def test_unsafe_file_name_is_rejected_and_the_path_is_built_from_the_id(tmp_path, name):
    found = only(tmp_path, [image(7, name)], [person(7, square(2, 1, 4))])
    assert found.rejection == f"file_name {name!r} is not a file's name without a folder"
    assert found.photo == tmp_path / "val2017" / "000000000007.jpg"


def test_duplicate_photo_entries_are_merged_if_equal_and_rejected_if_different(tmp_path):
    assert only(tmp_path, [image(7, "7.jpg"), image(7, "7.jpg")], []).rejection is None
    assert only(tmp_path, [image(7, "7.jpg"), image(7, "8.jpg")], []).rejection == "id is also that of val2017/8.jpg"
    other = only(tmp_path, [image(7, "7.jpg"), image(7, "7.jpg", height=11)], [])
    assert other.rejection == "id is also that of a photo of 11x20 pixels"


def test_duplicate_annotations_count_once_if_equal_and_are_rejected_if_different(tmp_path):
    first, other = person(7, square(2, 1, 4)) | {"id": 5}, person(7, square(0, 0, 4)) | {"id": 5}
    found = only(tmp_path, [image(7, "7.jpg")], [first, first])
    assert (found.count_persons(), found.rejection) == (1, None)
    found = only(tmp_path, [image(7, "7.jpg")], [first, other])
    assert found.rejection == "two annotations of instances_val2017.json have the id 5"


def test_annotation_of_an_unknown_photo_is_ignored(tmp_path):
    assert only(tmp_path, [image(7, "7.jpg")], [person(99, square(2, 1, 4))]).count_persons() == 0


@pytest.mark.parametrize("size", [(0, 20), (-10, -20), (10**6, 10**6)])
def test_implausible_photo_size_is_rejected(tmp_path, size):
    found = only(tmp_path, [image(7, "7.jpg", height=size[0], width=size[1])], [])
    assert found.rejection == f"its annotation gives it {size[0]}x{size[1]} pixels"


@pytest.mark.parametrize("polygon", [[3, 3, 3, 3, 3, 3], [0, 0, 9, 9]])
def test_polygon_without_area_gives_an_empty_mask(tmp_path, polygon):
    assert not only(tmp_path, [image(7, "7.jpg")], [person(7, [polygon])]).load_mask().any()
    assert not only(tmp_path, [image(7, "7.jpg")], [person(7, [])]).load_mask().any()
    beside = only(tmp_path, [image(7, "7.jpg")], [person(7, [polygon, *square(2, 1, 4)])]).load_mask()
    assert beside.sum() == 16


@pytest.mark.parametrize(
    "segmentation",
    [
        [[1, 2, 3, 4, 5]],
        [[0, 0, 1e9, 0, 1e9, 9]],
        [["a", "b", "c", "d", "e", "f"]],
        "polygon",
        None,
        {"size": [20, 10], "counts": [50, 30, 120]},
        {"size": [10, 20], "counts": [50, 30]},
        {"size": [10, 20], "counts": [50, -30, 180]},
        {"size": [10, 20]},
        {"size": [10, 20], "counts": [50, 30.5, 119.5]},
        {"size": [10, 20], "counts": "PPPPPPPP"},
        {"size": [10, 20], "counts": "X"},  # 200 is X6, here truncated within the number
        {"size": [10, 20], "counts": "b1n0"},  # 50, 30: the rest of the mask would be uninitialised memory
        {"size": [10, 20], "counts": ""},
        {"size": [10, 20], "counts": "b1 n0h3"},
        {"size": [10, 20], "counts": "é"},
    ],
)
def test_invalid_segmentation_is_refused_with_the_photo_s_id(tmp_path, segmentation):
    found = only(tmp_path, [image(7, "7.jpg")], [person(7, segmentation)])
    with pytest.raises(InputError, match="annotation of 000000000007 is no polygon or run length"):
        found.load_mask()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_compressed_run_lengths_are_decoded_as_by_pycocotools(tmp_path, share):
    expected = (np.random.default_rng(0).random((300, 200)) < share).astype(np.uint8)
    counts = rle.encode(np.asfortranarray(expected))["counts"].decode()
    listed = [image(7, "7.jpg", height=300, width=200)]
    found = only(tmp_path, listed, [person(7, {"size": [300, 200], "counts": counts})])
    np.testing.assert_array_equal(found.load_mask(), expected)


def test_infinite_or_nan_coordinate_is_refused(tmp_path):
    write(tmp_path, "val2017", {7: "7.jpg"}, [person(7, [[1.5, 2, 3, 4, 5, 6]])])
    file = tmp_path / "annotations" / "instances_val2017.json"
    file.write_text(file.read_text().replace("1.5", "1e999"))
    with pytest.raises(InputError, match=r"000000000007|instances_val2017"):
        next(coco.candidates(tmp_path)).load_mask()
    file.write_text(file.read_text().replace("1e999", "NaN"))
    with pytest.raises(InputError, match=r"instances_val2017\.json is not a COCO annotation file"):
        list(coco.candidates(tmp_path))


@pytest.mark.parametrize("content", ["{", '{"images": []}', "[]", '{"images": [{"id": 1}], "annotations": []}'])
def test_broken_annotation_file_is_refused_with_its_name(tree, content):
    (tree / "annotations" / "instances_val2017.json").write_text(content)
    with pytest.raises(InputError, match="instances_val2017"):
        list(coco.candidates(tree))


def test_a_folder_without_a_coco_tree_is_refused(tmp_path):
    with pytest.raises(InputError, match="no COCO tree of 2017"):
        list(coco.candidates(tmp_path))


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_real_sample_has_the_known_person_counts():
    counts = Counter(coco.person_counts(Path(REAL) / "coco").values())
    assert sum(counts.values()) == 159
    assert (counts[0], counts[1]) == (84, 30)
