import json

import cv2
import numpy as np
import pytest

from bsn.errors import InputError
from bsn.kernels import label_codes
from study.datasets.index import FaceRow, PhotoRow, write_faces, write_index
from study.training import attribute_classes, training_photos

MASK = np.zeros((80, 60), np.uint8)
MASK[40:] = 1


@pytest.fixture
def folders(tmp_path):
    """Two kept training photos, one rejected, one of the test list."""
    portraits, labels = tmp_path / "portraits", tmp_path / "labels"
    for folder in (portraits / "images", labels):
        folder.mkdir(parents=True)
    rows = []
    for number, (split, kept) in enumerate([("train", True), ("train", True), ("train", False), ("test", True)]):
        name, image = str(number), f"images/{number}.png"
        cv2.imwrite(str(portraits / image), np.full((80, 60, 3), 50 * number, np.uint8))
        cv2.imwrite(str(labels / f"{name}.png"), label_codes(MASK, width=0))
        rows.append(PhotoRow(id=name, split=split, kept=kept, image=image, mask="", height=80, width=60))
    write_index(portraits / "index.csv", rows)
    points, affine = np.zeros((5, 2)), np.array([[2.0, 0, 0], [0, 2, 0]])
    faces = [FaceRow(id="0", source="tracker", points=points, affine=affine)]
    write_faces(tmp_path / "faces.csv", [*faces, *(FaceRow(id=name, source="none") for name in "13")])
    (labels / "kernel.json").write_text(json.dumps({"width": 0}))
    return portraits, tmp_path / "faces.csv", labels


def test_only_kept_training_photos_are_read(folders):
    assert [photo.id for photo in training_photos(*folders, size=(40, 30), reading="distance")] == ["0", "1"]


def test_photo_labels_and_face_are_scaled_to_the_working_size(folders):
    first, second = training_photos(*folders, size=(40, 30), reading="distance")
    assert first.photo.image.shape == (40, 30, 3)
    assert (second.photo.image == 50).all()
    assert first.labels[:20, :, 2].min() == 1
    assert first.labels[20:, :, 0].min() == 1
    # Working pixel (0, 0) is photo point (.5, .5), frame point (1, 1).
    assert (first.photo.to_frame @ [0, 0, 1])[:2] == pytest.approx([1, 1])
    assert second.photo.to_frame is None


def test_attribute_values_become_class_numbers_and_unknown_photos_get_minus_1(folders, tmp_path):
    file = tmp_path / "hair.csv"
    file.write_text("id,hair,hair.source\n0,short,rule\n3,long,user\n")
    classes = attribute_classes(file)
    assert classes == {"hair": {"0": 1, "3": 0}}
    photos = training_photos(*folders, size=(40, 30), reading="distance", attributes=classes)
    assert [photo.attributes.tolist() for photo in photos] == [[1], [-1]]


def test_photos_may_have_values_of_only_some_attributes(folders, tmp_path):
    file = tmp_path / "both.csv"
    file.write_text("id,hat,hat.source,hair,hair.source\n0,yes,user,,\n1,no,user,short,rule\n3,,,long,rule\n")
    classes = attribute_classes(file)
    assert classes == {"hat": {"0": 1, "1": 0}, "hair": {"1": 1, "3": 0}}
    photos = training_photos(*folders, size=(40, 30), reading="distance", attributes=classes)
    assert [photo.attributes.tolist() for photo in photos] == [[1, -1], [0, 1]]


def test_the_values_none_and_na_are_not_read_as_missing(tmp_path):
    (tmp_path / "hat.csv").write_text("id,hat,hat.source\n0,None,user\n1,NA,user\n2,,\n")
    assert attribute_classes(tmp_path / "hat.csv") == {"hat": {"0": 1, "1": 0}}


def test_an_attribute_without_values_for_training_photos_is_refused(folders):
    with pytest.raises(InputError, match="no training photo has a value of the attribute hat"):
        training_photos(*folders, size=(40, 30), reading="distance", attributes={"hair": {"0": 1}, "hat": {"3": 0}})


def test_a_table_without_attribute_columns_gives_no_attributes(folders, tmp_path):
    (tmp_path / "none.csv").write_text("id\n")
    assert attribute_classes(tmp_path / "none.csv") == {}
    assert training_photos(*folders, size=(40, 30), reading="distance")[0].attributes.shape == (0,)


def test_an_index_without_training_photos_is_refused(folders):
    write_index(folders[0] / "index.csv", [])
    with pytest.raises(InputError, match="has no training photos"):
        training_photos(*folders, size=(40, 30), reading="distance")
