import os
from pathlib import Path

import numpy as np
import pytest
from facenet_pytorch import MTCNN

from bsn.faces import Face, FaceDetector, clipped
from bsn.photos import read_photo
from drawn.catalog import picture_of

REAL = os.environ.get("BSN_REAL_DATA")


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(min_face_fraction=0.1, min_probability=0.9)


def test_box_grows_on_each_side_and_is_clipped():
    box = np.array([10.0, 20, 30, 60])
    assert clipped(box, 100, 100).tolist() == [10, 20, 30, 60]
    assert clipped(box, 100, 100, margin=0.25).tolist() == [5, 10, 35, 70]
    assert clipped(box, 65, 32, margin=0.5).tolist() == [0, 0, 32, 65]
    assert Face(box, 1.0, np.zeros((5, 2))).fraction(100, 100) == pytest.approx(0.08)


def test_photo_without_a_face_has_none(detector):
    assert detector.detect(np.full((240, 320, 3), 90, np.uint8)) == []


@pytest.mark.parametrize("size", [(1, 1), (11, 40), (13, 13), (20, 400)])
def test_tiny_photo_has_no_face_and_does_not_raise(detector, size):
    assert detector.detect(np.full((*size, 3), 90, np.uint8)) == []


def test_a_photo_narrower_than_any_face_is_not_enlarged():
    detector = FaceDetector(min_face_fraction=0.01, min_probability=0.9)
    assert detector.detect_many([np.zeros((1, 20000, 3), np.uint8), np.zeros((5000, 11, 3), np.uint8)]) == [[], []]
    assert "_coarse" not in vars(detector)  # no network was needed


def test_the_faces_of_a_photo_do_not_depend_on_the_other_photos(detector):
    photos = [picture_of("coco", index, 1).rgb for index in range(6)]
    photos += [photos[0][:300], np.full((40, 900, 3), 90, np.uint8)]
    alone = [detector.detect(photo) for photo in photos]
    assert sum(len(faces) == 1 for faces in alone) >= 3
    orders = [range(8), range(7, -1, -1), [0, 0, 5, 7, 0], [3, 1, 6]]
    for order in orders:
        for number, faces in zip(order, detector.detect_many([photos[n] for n in order]), strict=True):
            assert len(faces) == len(alone[number])
            for face, expected in zip(faces, alone[number], strict=True):
                # A portrait's numbers are those of the exact look, which sees one photo; others come from a batch.
                tolerance = 0 if face.fraction(*photos[number].shape[:2]) >= 0.1 else 0.01
                np.testing.assert_allclose(face.box, expected.box, rtol=0, atol=tolerance)


def test_rule_without_a_smallest_face_is_plain_mtcnn():
    photo = picture_of("coco", 0, 1).rgb
    found = FaceDetector(min_face_fraction=0, min_probability=0.9).detect(photo)
    assert [face.box.tolist() for face in found] == [face.box.tolist() for face in plain(photo)]


def test_with_a_margin_smaller_faces_reach_the_last_pass():
    photo = picture_of("coco", 0, 1).rgb
    large = np.pad(photo, ((0, photo.shape[0]), (0, photo.shape[1] // 2), (0, 0)), mode="edge")
    exact = plain(large)[0]
    share = exact.fraction(*large.shape[:2])
    options = {"min_face_fraction": 2 * share, "min_probability": 0.9}
    (grown,) = FaceDetector(margin=0.3, **options).detect(large)
    np.testing.assert_array_equal(grown.box, exact.box)
    found = FaceDetector(**options).detect(large)
    assert not any(np.array_equal(face.box, exact.box) for face in found)


def plain(photo: np.ndarray) -> list[Face]:
    """The faces of plain facenet-pytorch with a probability above .9."""
    boxes, probabilities, points = MTCNN(keep_all=True).detect(photo, landmarks=True)
    if boxes is None:
        return []
    found = zip(boxes, probabilities, points, strict=True)
    return [Face(np.float32(box), p, np.float32(five)) for box, p, five in found if p > 0.9]


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
@pytest.mark.parametrize(("margin", "portraits"), [(0.0, 3), (0.3, 8)])
def test_three_passes_decide_as_plain_mtcnn_does(margin, portraits):
    detector = FaceDetector(min_face_fraction=0.1, min_probability=0.9, margin=margin)
    counted = 0
    for photo in map(read_photo, sorted(Path(REAL).glob("voc/VOCdevkit/VOC2012/JPEGImages/*.jpg"))[::3]):
        size, expected, found = photo.shape[:2], plain(photo), detector.detect(photo)
        if any(face.fraction(*size, margin=margin) >= 0.1 for face in expected):
            counted += 1
            assert len(found) == len(expected)
            np.testing.assert_array_equal(found[0].box, expected[0].box)
            np.testing.assert_array_equal(found[0].points, expected[0].points)
        else:
            assert not any(face.fraction(*size, margin=margin) >= 0.1 for face in found)
    assert counted >= portraits


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_points_come_in_mtcnns_order(detector):
    file = sorted(Path(REAL).glob("pfcn/data/images_data_crop/*.jpg"))[0]
    (face, *_) = detector.detect(read_photo(file))
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
