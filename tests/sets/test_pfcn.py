import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from bsn.data.photos import read_photo
from bsn.errors import InputError
from bsn.sets import pfcn

REAL = os.environ.get("BSN_REAL_DATA")


def face(centre: tuple[float, float], size: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 49)
    return (np.stack([np.cos(angle), np.sin(angle)], axis=1) * size + centre).astype(np.float32)


@pytest.fixture
def release(tmp_path) -> Path:
    """Training photos 1 and 3, test photo 2; lists in the root, trackers for 1 (one face), 2 (none), 3 (two)."""
    data = tmp_path / "data"
    for folder in ("images_data_crop", "images_mask", "images_tracker"):
        (data / folder).mkdir(parents=True)
    savemat(tmp_path / "trainlist.mat", {"trainlist": np.array([[1, 3]], np.uint16)})
    savemat(tmp_path / "testlist.mat", {"testlist": np.array([[2]], np.uint16)})
    trackers = {1: face((300, 400), 90), 2: np.zeros((0, 0)), 3: np.concatenate([face((9, 9), 5), face((50, 50), 40)])}
    for number, points in trackers.items():
        name = f"{number:05d}"
        mask = np.zeros((8, 6), np.uint8)
        mask[4:, :number] = 1
        savemat(data / "images_mask" / f"{name}_mask.mat", {"mask": mask})
        savemat(data / "images_tracker" / f"{name}.mat", {"tracker": points})
        Image.new("RGB", (6, 8)).save(data / "images_data_crop" / f"{name}.jpg")
    return tmp_path


def test_lists_give_the_split_and_the_test_photos_come_first(release):
    found = list(pfcn.candidates(release))
    assert [(c.id, c.split) for c in found] == [("00002", "test"), ("00001", "train"), ("00003", "train")]
    assert found[0].photo == release / "data" / "images_data_crop" / "00002.jpg"
    assert found[0].count_persons() is None


def test_lists_may_lie_under_data_and_the_tree_may_be_data_itself(release):
    for name in ("trainlist.mat", "testlist.mat"):
        (release / name).rename(release / "data" / name)
    assert [c.id for c in pfcn.candidates(release)] == ["00002", "00001", "00003"]
    assert [c.id for c in pfcn.candidates(release / "data")] == ["00002", "00001", "00003"]


def test_mask_is_that_of_the_release(release):
    mask = {c.id: c for c in pfcn.candidates(release)}["00003"].load_mask()
    assert mask.dtype == np.uint8
    assert mask.sum() == 12
    assert mask[4:, :3].all()


def test_mask_of_other_values_is_refused(release):
    savemat(release / "data" / "images_mask" / "00001_mask.mat", {"mask": np.full((8, 6), 2, np.uint8)})
    with pytest.raises(InputError, match="00001_mask"):
        next(c for c in pfcn.candidates(release) if c.id == "00001").load_mask()


def test_tracker_gives_49_points_or_none(release):
    assert pfcn.tracker(release, "00002") is None
    np.testing.assert_allclose(pfcn.tracker(release, "00001"), face((300, 400), 90))


def test_of_two_faces_the_larger_one_is_taken(release):
    np.testing.assert_allclose(pfcn.tracker(release, "00003"), face((50, 50), 40))


def test_tracker_of_another_shape_is_refused(release):
    savemat(release / "data" / "images_tracker" / "00001.mat", {"tracker": np.ones((48, 2))})
    with pytest.raises(InputError, match=r"00001 is \(48, 2\)"):
        pfcn.tracker(release, "00001")


def test_other_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no PFCN release"):
        list(pfcn.candidates(tmp_path))


def test_same_scene_in_grey_is_the_same_photo_and_another_scene_is_not():
    x = np.tile(np.linspace(0, 255, 60), (80, 1))
    scene = np.stack([x, x * 0.5, 255 - x], axis=2).astype(np.uint8)
    grey = np.repeat((scene @ [0.299, 0.587, 0.114])[:, :, None], 3, axis=2).astype(np.uint8)
    assert pfcn.same_photo(pfcn.thumbnail(scene), pfcn.thumbnail(grey))
    assert not pfcn.same_photo(pfcn.thumbnail(scene), pfcn.thumbnail(scene[:, ::-1]))


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_real_release_has_its_known_numbers_and_twins():
    root = Path(REAL) / "pfcn"
    found = {c.id: c for c in pfcn.candidates(root)}
    assert sum(c.split == "train" for c in found.values()) == 1529
    assert sum(c.split == "test" for c in found.values()) == 300
    assert found["02188"].load_mask().all()
    assert not found["02299"].load_mask().any()
    small = {
        name: pfcn.thumbnail(read_photo(found[name].photo))
        for name in ("00203", "01175", "00971", "00990", "01182", "01179", "00345", "00320", "00449", "00447")
    }
    assert pfcn.same_photo(small["00203"], small["01175"])
    assert pfcn.same_photo(small["00971"], small["00990"])
    assert pfcn.same_photo(small["01182"], small["01179"])
    assert pfcn.same_photo(small["00345"], small["00320"])
    assert not pfcn.same_photo(small["00449"], small["00447"])
