import os
from pathlib import Path

import numpy as np
import pytest

from bsn.data.photos import read_photo
from bsn.faces import Face, FaceDetector, clipped

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


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_two_looks_decide_as_plain_mtcnn_does(detector):
    from facenet_pytorch import MTCNN

    plain = MTCNN(keep_all=True)
    photos = sorted(Path(REAL).glob("voc/VOCdevkit/VOC2012/JPEGImages/*.jpg"))[::3]
    portraits = 0
    for photo in map(read_photo, photos):
        size = photo.shape[:2]
        boxes, probabilities, points = plain.detect(photo, landmarks=True)
        if boxes is None:
            boxes = probabilities = points = []
        expected = [
            Face(np.float32(box), p, np.float32(five))
            for box, p, five in zip(boxes, probabilities, points, strict=True)
            if p > 0.9
        ]
        found = detector.detect(photo)
        is_large = [face.fraction(*size) >= 0.1 for face in expected]
        assert any(is_large) == any(face.fraction(*size) >= 0.1 for face in found)
        if any(is_large):
            portraits += 1
            assert len(found) == len(expected)
            np.testing.assert_allclose(found[0].box, expected[0].box, atol=1e-3)
            np.testing.assert_allclose(found[0].points, expected[0].points, atol=1e-3)
    assert portraits >= 3


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_points_come_in_mtcnns_order(detector):
    file = sorted(Path(REAL).glob("pfcn/data/images_data_crop/*.jpg"))[0]
    (face, *_) = detector.detect(read_photo(file))
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
