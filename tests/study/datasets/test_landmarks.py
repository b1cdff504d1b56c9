import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from bsn.alignment import REFERENCE_POINTS
from bsn.faces import Face
from study.datasets.index import PhotoRow
from study.datasets.portraits import indexed_faces, pfcn_faces


class FakeDetector:
    def detect(self, photo: np.ndarray) -> list[Face]:
        """A face at the reference points in white photos, none in black ones."""
        return [Face(np.zeros(4), 1.0, REFERENCE_POINTS)] if photo.any() else []


@pytest.fixture
def rows(tmp_path) -> list[PhotoRow]:
    """Photo 1 has a tracker, 2 an empty one, 3 none; the detector finds a face in 2 and none in 3."""
    for folder in ("data/images_mask", "data/images_tracker", "images"):
        (tmp_path / folder).mkdir(parents=True)
    points = np.random.default_rng(0).uniform(100, 500, (49, 2)).astype(np.float32)
    savemat(tmp_path / "data/images_tracker/00001.mat", {"tracker": points})
    savemat(tmp_path / "data/images_tracker/00002.mat", {"tracker": np.zeros((0, 0))})
    for name, grey in (("00001", 255), ("00002", 255), ("00003", 0)):
        Image.new("L", (6, 8), grey).save(tmp_path / "images" / f"{name}.jpg")
    return [PhotoRow(id=f"0000{n}", split="train", kept=True, image=f"images/0000{n}.jpg") for n in (1, 2, 3)]


def test_tracker_is_preferred_to_the_detector_and_a_missing_face_is_recorded(tmp_path, rows):
    first, second, third = pfcn_faces(rows, root=tmp_path, portraits=tmp_path, detector=FakeDetector())
    assert (first.source, second.source, third.source) == ("tracker", "mtcnn", "none")
    assert first.points.shape == (5, 2)
    np.testing.assert_allclose(second.affine, [[1, 0, 0], [0, 1, 0]], atol=1e-9)
    assert third.affine is None


@pytest.mark.parametrize("points", [np.full((49, 2), np.nan), np.zeros((49, 2)), np.ones((48, 2))])
def test_invalid_tracker_falls_back_to_the_detector(tmp_path, rows, points):
    savemat(tmp_path / "data/images_tracker/00001.mat", {"tracker": points.astype(np.float32)})
    first, _, _ = pfcn_faces(rows, root=tmp_path, portraits=tmp_path, detector=FakeDetector())
    assert first.source == "mtcnn"
    np.testing.assert_allclose(first.affine, [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_landmarks_of_the_index_give_the_alignment():
    (row,) = indexed_faces([PhotoRow(id="a", split="test", kept=True, points=REFERENCE_POINTS + np.array([10, 20]))])
    assert row.source == "mtcnn"
    np.testing.assert_allclose(row.affine, [[1, 0, -10], [0, 1, -20]], atol=1e-9)


def test_detector_failure_counts_as_no_face_and_prints_the_photo_s_name(tmp_path, rows, capsys):
    class Fragile(FakeDetector):
        def detect(self, photo):
            if not photo.any():
                raise RuntimeError("tensor of size 0")
            return super().detect(photo)

    found = pfcn_faces(rows, root=tmp_path, portraits=tmp_path, detector=Fragile())
    assert [row.source for row in found] == ["tracker", "mtcnn", "none"]
    line = "images/00003.jpg: face detection failed (RuntimeError: tensor of size 0): taken as without a face\n"
    assert capsys.readouterr().err == line
