from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from bsn.errors import InputError
from bsn.sets import cocostuff


@pytest.fixture
def tree(tmp_path) -> Path:
    for folder in ("images", "annotations", "imageLists"):
        (tmp_path / folder).mkdir()
    (tmp_path / "imageLists" / "train.txt").write_text("COCO_train2014_000000000030\n")
    (tmp_path / "imageLists" / "test.txt").write_text("COCO_train2014_000000000005\n")
    (tmp_path / "imageLists" / "all.txt").write_text("COCO_train2014_000000000005\nCOCO_train2014_000000000030\n")
    labels = np.full((20, 20), 120)
    labels[:, :8] = labels[5:, 12:] = 1  # two pieces
    labels[0, 19] = 1  # 1 of 400 pixels: cut off, not somebody
    labels[0, 10] = 0
    for number in (5, 30):
        savemat(tmp_path / "annotations" / f"COCO_train2014_{number:012d}.mat", {"S": labels})
    return tmp_path


def test_lists_are_joined_and_each_photo_comes_once(tree):
    found = list(cocostuff.candidates(tree, person_counts={}))
    assert [c.id for c in found] == ["000000000005", "000000000030"]
    assert found[0].photo == tree / "images" / "COCO_train2014_000000000005.jpg"
    assert found[0].split == "test"


def test_persons_come_from_coco_by_integer_id_and_else_from_the_pieces(tree):
    found = list(cocostuff.candidates(tree, person_counts={30: 1}))
    assert [c.count_persons() for c in found] == [2, 1]


def test_person_that_is_only_small_pieces_is_one_person():
    person = np.zeros((100, 100), bool)
    assert cocostuff.pieces(person) == 0
    person[0, 0] = person[50, 50] = True
    assert cocostuff.pieces(person) == 1


def test_unlabelled_pixels_are_ignored(tree):
    mask = next(cocostuff.candidates(tree, person_counts={})).load_mask()
    assert mask.dtype == np.uint8
    assert (mask == 1).sum() == 160 + 120 + 1
    assert np.argwhere(mask == 255).tolist() == [[0, 10]]
    assert mask[0, 11] == 0


def test_label_map_without_s_is_refused(tree):
    savemat(tree / "annotations" / "COCO_train2014_000000000005.mat", {"captions": np.eye(2)})
    broken = next(cocostuff.candidates(tree, person_counts={}))
    with pytest.raises(InputError, match="holds no variable 'S'"):
        broken.count_persons()


def test_label_map_of_text_is_refused(tree):
    savemat(tree / "annotations" / "COCO_train2014_000000000005.mat", {"S": np.array([["a"], ["b"]])})
    with pytest.raises(InputError, match="not numbers"):
        next(cocostuff.candidates(tree, person_counts={})).load_mask()


def test_two_names_with_one_number_are_rejected(tree):
    (tree / "imageLists" / "all.txt").write_text("COCO_val2014_000000000005\n")
    found = {c.id: c.rejection for c in cocostuff.candidates(tree, person_counts={})}
    assert found == {"000000000005": "id is also that of COCO_val2014_000000000005", "000000000030": None}


@pytest.mark.parametrize("name", ["portrait", "../COCO_train2014_000000000009", "a\\b_9"])
def test_name_without_a_number_or_with_a_folder_is_refused(tree, name):
    (tree / "imageLists" / "all.txt").write_text(f"{name}\n")
    with pytest.raises(InputError, match="imageLists name"):
        list(cocostuff.candidates(tree, person_counts={}))


def test_other_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no COCO-Stuff tree"):
        list(cocostuff.candidates(tmp_path, person_counts={}))
