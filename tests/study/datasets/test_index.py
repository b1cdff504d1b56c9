import numpy as np

from study.datasets.index import FaceRow, PhotoRow, read_faces, read_index, write_faces, write_index

POINTS = np.arange(10).reshape(5, 2) + 0.25


def test_index_is_read_back_as_it_was_written(tmp_path):
    known = PhotoRow(
        id="00001", split="train", kept=True, image="images/00001.jpg", mask="masks/00001.png", height=800,
        width=600, persons=1, faces=1, face_fraction=0.125, probability=0.9375,
        box=np.array([-1.5, 2, 3, 4]), points=POINTS,
    )  # fmt: skip
    unknown = PhotoRow(id="00002", split="test", reason="2 persons, one far", persons=2)
    write_index(tmp_path / "index.csv", [known, unknown])
    first, second = read_index(tmp_path / "index.csv")
    np.testing.assert_array_equal(first.box, known.box)
    np.testing.assert_array_equal(first.points, POINTS)
    assert (first.id, first.kept, first.height, first.face_fraction, first.probability) == (
        "00001", True, 800, 0.125, 0.9375,
    )  # fmt: skip
    assert second == unknown


def test_faces_are_read_back_as_they_were_written(tmp_path):
    affine = np.array([[1.5, 0.125, -20], [-0.125, 1.5, 30]])
    write_faces(
        tmp_path / "faces" / "x.csv",
        [FaceRow(id="a", source="tracker", points=POINTS, affine=affine), FaceRow(id="b", source="none")],
    )
    rows = read_faces(tmp_path / "faces" / "x.csv")
    assert rows["a"].source == "tracker"
    np.testing.assert_array_equal(rows["a"].affine, affine)
    assert rows["b"] == FaceRow(id="b", source="none")
