import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from bsn.errors import InputError
from study.datasets import cocostuff
from tests.bsn.mat_files import ODD_VALUES, save_v5, save_v73


@pytest.fixture
def tree(tmp_path) -> Path:
    for folder in ("images", "annotations", "imageLists"):
        (tmp_path / folder).mkdir()
    (tmp_path / "imageLists" / "train.txt").write_text("COCO_train2014_000000000030\n")
    (tmp_path / "imageLists" / "test.txt").write_text("COCO_train2014_000000000005\n")
    (tmp_path / "imageLists" / "all.txt").write_text("COCO_train2014_000000000005\nCOCO_train2014_000000000030\n")
    labels = np.full((20, 20), 120)
    labels[:, :8] = labels[5:, 12:] = 1  # two components
    labels[0, 19] = 1  # 1 of 400 pixels: too small to count as a person
    labels[0, 10] = 0
    for number in (5, 30):
        savemat(tmp_path / "annotations" / f"COCO_train2014_{number:012d}.mat", {"S": labels})
    return tmp_path


def test_lists_are_merged_without_duplicates(tree):
    found = list(cocostuff.candidates(tree, person_counts={}))
    assert [c.id for c in found] == ["000000000005", "000000000030"]
    assert found[0].photo == tree / "images" / "COCO_train2014_000000000005.jpg"
    assert found[0].split == "test"


def test_person_count_is_from_coco_by_integer_id_else_from_connected_components(tree):
    found = list(cocostuff.candidates(tree, person_counts={30: 1}))
    assert [c.count_persons() for c in found] == [2, 1]


def test_a_person_mask_of_only_small_components_counts_as_one_person():
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


def test_label_map_without_the_variable_s_is_refused(tree):
    savemat(tree / "annotations" / "COCO_train2014_000000000005.mat", {"captions": np.eye(2)})
    broken = next(cocostuff.candidates(tree, person_counts={}))
    with pytest.raises(InputError, match="holds no variable 'S'"):
        broken.count_persons()


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (np.array([["a"], ["b"]]), "is text, text, not one matrix of numbers"),
        (np.zeros((0, 0)), r"is float64 \(0, 0\), not a label for each pixel"),
        (np.zeros((0, 9), np.uint8), r"is uint8 \(0, 9\), not a label for each pixel"),
        (np.array([[1.0, np.nan]]), r"is float64 \(1, 2\), not a label for each pixel"),
        (np.zeros((2, 2, 3)), r"is float64 \(2, 2, 3\), not one matrix of numbers"),
    ],
)
def test_label_map_that_is_not_one_number_per_pixel_is_refused(tree, labels, what):
    # A map without pixels once ended the process (SIGSEGV in OpenCV's connectedComponentsWithStats).
    savemat(tree / "annotations" / "COCO_train2014_000000000005.mat", {"S": labels})
    found = next(cocostuff.candidates(tree, person_counts={}))
    for read in (found.count_persons, found.load_mask):
        with pytest.raises(InputError, match=rf"^S of COCO_train2014_000000000005\.mat {what}"):
            read()


@pytest.mark.parametrize("shape", [(0, 0), (0, 9), (9, 0)])
def test_empty_map_has_no_components(shape):
    assert cocostuff.pieces(np.zeros(shape, bool)) == 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=ODD_VALUES, save=st.sampled_from([save_v5, save_v73]))
def test_arbitrary_label_maps_are_read_or_refused_with_an_input_error(tree, labels, save):
    save(tree / "annotations" / "COCO_train2014_000000000005.mat", {"S": labels})
    found = next(cocostuff.candidates(tree, person_counts={}))
    with contextlib.suppress(InputError):
        assert set(np.unique(found.load_mask())) <= {0, 1, 255}
        assert found.count_persons() in (0, 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", ["\n", "\r\n", ";", ", "])
def test_list_is_read_in_any_encoding_and_with_any_separator(tree, encoding, separator):
    names = separator.join([*(f"COCO_train2014_{number:012d}" for number in (5, 30, 31)), "", ""])
    (tree / "imageLists" / "all.txt").write_bytes(names.encode(encoding))
    assert [int(c.id) for c in cocostuff.candidates(tree, person_counts={})] == [5, 30, 31]


def test_binary_list_is_refused_with_its_name(tree):
    (tree / "imageLists" / "all.txt").write_bytes(b"PK\x03\x04\0\0")
    with pytest.raises(InputError, match=r"imageLists/all\.txt is not a text file in UTF-8, UTF-16 or CP1252"):
        list(cocostuff.candidates(tree, person_counts={}))


def test_two_photo_names_with_the_same_number_are_rejected(tree):
    (tree / "imageLists" / "all.txt").write_text("COCO_val2014_000000000005\n")
    found = {c.id: c.rejection for c in cocostuff.candidates(tree, person_counts={})}
    assert found == {"000000000005": "id is also that of COCO_val2014_000000000005", "000000000030": None}


@pytest.mark.parametrize("name", ["portrait", "../COCO_train2014_000000000009", "a\\b_9", "x" * 300 + "9"])
def test_listed_name_without_a_number_or_with_a_folder_is_refused(tree, name):
    (tree / "imageLists" / "all.txt").write_text(f"{name}\n")
    with pytest.raises(InputError, match="imageLists name"):
        list(cocostuff.candidates(tree, person_counts={}))


def test_a_folder_without_a_cocostuff_tree_is_refused(tmp_path):
    with pytest.raises(InputError, match="no COCO-Stuff tree"):
        list(cocostuff.candidates(tmp_path, person_counts={}))
