import contextlib
import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import sparse
from scipy.io import savemat

from bsn.alignment import five_points, similarity_to_frame
from bsn.errors import InputError
from bsn.photos import read_photo
from study.datasets import pfcn
from tests.bsn.mat_files import ODD_VALUES, save_v5, save_v73

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


def test_lists_may_be_in_data_and_the_root_may_be_the_data_folder(release):
    for name in ("trainlist.mat", "testlist.mat"):
        (release / name).rename(release / "data" / name)
    assert [c.id for c in pfcn.candidates(release)] == ["00002", "00001", "00003"]
    assert [c.id for c in pfcn.candidates(release / "data")] == ["00002", "00001", "00003"]


def test_mask_is_read_from_the_release(release):
    mask = {c.id: c for c in pfcn.candidates(release)}["00003"].load_mask()
    assert mask.dtype == np.uint8
    assert mask.sum() == 12
    assert mask[4:, :3].all()


def test_mask_with_values_other_than_0_and_1_is_refused(release):
    savemat(release / "data" / "images_mask" / "00001_mask.mat", {"mask": np.full((8, 6), 2, np.uint8)})
    with pytest.raises(InputError, match="00001_mask"):
        next(c for c in pfcn.candidates(release) if c.id == "00001").load_mask()


def test_tracker_gives_49_points_or_none(release):
    assert pfcn.tracker(release, "00002") is None
    np.testing.assert_allclose(pfcn.tracker(release, "00001"), face((300, 400), 90))


def test_the_larger_of_two_tracked_faces_is_taken(release):
    np.testing.assert_allclose(pfcn.tracker(release, "00003"), face((50, 50), 40))


def test_tracker_of_a_wrong_shape_is_refused(release):
    savemat(release / "data" / "images_tracker" / "00001.mat", {"tracker": np.ones((48, 2))})
    with pytest.raises(InputError, match=r"00001 is \(48, 2\)"):
        pfcn.tracker(release, "00001")


@pytest.mark.parametrize("save", [save_v5, save_v73])
@pytest.mark.parametrize(
    "numbers",
    [
        np.array([[3, 1]], np.uint16),
        np.array([[1.0], [3.0], [1.0]]),
        ["00003.jpg", "00001.jpg"],
        ["3", "1.JPG", " 00003 ", ""],
        [["00003"], [[np.array([[1.0]])]]],
        sparse.csc_array(np.array([[3.0, 1.0]])),
    ],
)
def test_list_may_hold_numbers_or_names_in_a_matrix_cells_or_a_sparse_matrix(release, save, numbers):
    save(release / "trainlist.mat", {"trainlist": numbers})
    assert [c.id for c in pfcn.candidates(release)] == ["00002", "00001", "00003"]


def test_list_may_be_a_char_matrix(release):
    savemat(release / "trainlist.mat", {"trainlist": np.array(["00003.jpg", "1.jpg"])})
    assert [c.id for c in pfcn.candidates(release)] == ["00002", "00001", "00003"]


@pytest.mark.parametrize(
    ("numbers", "refused"),
    [
        (["00001.jpg", "portrait.jpg"], "'portrait.jpg'"),
        (np.array([[1, 2.5]]), "2.5"),
        (np.array([[-1.0]]), "-1.0"),
        (np.array([[1, np.nan]]), "nan"),
        (np.array([[1e300]]), "1e+300"),
        (["../00001.jpg"], "'../00001.jpg'"),
    ],
)
def test_list_entry_that_is_no_photo_number_or_name_is_refused(release, numbers, refused):
    save_v5(release / "trainlist.mat", {"trainlist": numbers})
    with pytest.raises(InputError) as caught:
        list(pfcn.candidates(release))
    assert str(caught.value) == f"trainlist.mat lists {refused}, not a photo's number or name, such as 1 or 00001.jpg"


@pytest.mark.parametrize("save", [save_v5, save_v73])
@pytest.mark.parametrize(
    "tracker",
    [
        [face((9, 9), 5), face((300, 400), 90)],
        {"conf": np.array([[0.9]]), "pred": face((300, 400), 90).astype(float), "pose": np.eye(3)},
        np.concatenate([np.full((49, 2), np.nan, np.float32), face((300, 400), 90)]),
    ],
)
def test_tracker_may_be_a_cell_or_struct_and_a_face_of_nan_is_skipped(release, save, tracker):
    save(release / "data" / "images_tracker" / "00001.mat", {"tracker": tracker})
    np.testing.assert_allclose(pfcn.tracker(release, "00001"), face((300, 400), 90), rtol=1e-6)


@pytest.mark.parametrize("lost", [np.nan, np.inf, 0.0, 1e30])
def test_tracker_with_invalid_points_is_refused(release, lost):
    points = np.full((49, 2), lost, np.float32)
    savemat(release / "data" / "images_tracker" / "00001.mat", {"tracker": points})
    with pytest.raises(InputError, match="the tracker of 00001 has points that are no numbers, outside"):
        pfcn.tracker(release, "00001")


@pytest.mark.parametrize("empty", [[], [np.zeros((0, 0))], {"pred": np.zeros((0, 0))}])
def test_empty_tracker_cell_or_struct_means_no_face(release, empty):
    save_v5(release / "data" / "images_tracker" / "00001.mat", {"tracker": empty})
    assert pfcn.tracker(release, "00001") is None


@pytest.mark.parametrize("save", [save_v5, save_v73])
def test_mask_may_be_sparse_or_in_a_cell_or_struct(release, save):
    expected = np.zeros((8, 6))
    expected[4:, :3] = 1
    for mask in (sparse.csc_array(expected), [expected == 1], {"mask": expected}):
        save(release / "data" / "images_mask" / "00001_mask.mat", {"mask": mask})
        found = next(c for c in pfcn.candidates(release) if c.id == "00001").load_mask()
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=ODD_VALUES, save=st.sampled_from([save_v5, save_v73]))
def test_arbitrary_mat_contents_are_read_or_refused_with_an_input_error(release, value, save):
    save(release / "data" / "images_mask" / "00002_mask.mat", {"mask": value})
    save(release / "data" / "images_tracker" / "00002.mat", {"tracker": value})
    (release / "odd" / "images_mask").mkdir(parents=True, exist_ok=True)
    for name in ("trainlist", "testlist"):
        save(release / "odd" / f"{name}.mat", {name: value})
    (test,) = (c for c in pfcn.candidates(release) if c.split == "test")
    with contextlib.suppress(InputError):
        assert set(np.unique(test.load_mask())) <= {0, 1}
    with contextlib.suppress(InputError):
        points = pfcn.tracker(release, "00002")
        assert points is None or np.isfinite(similarity_to_frame(five_points(points))).all()
    with contextlib.suppress(InputError):
        assert all(len(c.id) == 5 or int(c.id) >= 10**5 for c in pfcn.candidates(release / "odd"))


def test_a_folder_without_a_pfcn_release_is_refused(tmp_path):
    with pytest.raises(InputError, match="no PFCN release"):
        list(pfcn.candidates(tmp_path))


def drawn_scene() -> np.ndarray:
    """A photo of smooth blobs, (400, 300, 3), in which every part looks different."""
    light = np.random.default_rng(3).integers(0, 200, (8, 6, 1))
    blobs = np.clip(light * (1.2, 1.0, 0.8), 0, 255).astype(np.uint8)
    return cv2.resize(blobs, (300, 400), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (lambda scene: scene, True),
        (lambda scene: np.repeat((scene @ [0.299, 0.587, 0.114])[:, :, None], 3, axis=2).astype(np.uint8), True),
        (lambda scene: scene[30:370, 20:280], True),  # cropped to 87 % of the height
        (lambda scene: scene[:, ::-1].copy(), False),
        (lambda scene: np.random.default_rng(4).permutation(scene.reshape(8, -1, 3)).reshape(scene.shape), False),
    ],
)
def test_a_scene_is_recognised_in_grey_or_cropped_but_not_mirrored_or_shuffled(change, is_same):
    scenes = pfcn.Scenes()
    assert scenes.like(pfcn.views(drawn_scene())) == []
    scenes.add("1", pfcn.views(drawn_scene()))
    assert scenes.like(pfcn.views(change(drawn_scene()))) == (["1"] if is_same else [])


def test_validation_photos_are_taken_from_the_training_list_and_others_are_refused(release):
    order = [(found.id, found.split) for found in pfcn.candidates(release)]
    (number,) = [int(name) for name, split in order if split == "train"][:1]
    chosen = [(found.id, found.split) for found in pfcn.candidates(release, validation=[number])]
    assert sorted(name for name, _ in chosen) == sorted(name for name, _ in order)
    assert [name for name, split in chosen if split == "validation"] == [f"{number:05d}"]
    with pytest.raises(InputError, match=r"^validation names 777, which the training list does not"):
        list(pfcn.candidates(release, validation=[777]))


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_real_release_has_the_known_split_sizes_and_duplicate_scenes():
    root = Path(REAL) / "pfcn"
    found = {c.id: c for c in pfcn.candidates(root)}
    assert sum(c.split == "train" for c in found.values()) == 1529
    assert sum(c.split == "test" for c in found.values()) == 300
    assert found["02188"].load_mask().all()
    assert not found["02299"].load_mask().any()
    seen = {
        name: pfcn.views(read_photo(found[name].photo))
        for name in ("00203", "01175", "00971", "00990", "01182", "01179", "00345", "00320", "00523", "00416", "01246")
    }
    scenes = pfcn.Scenes()
    for name, split in ((name, found[name].split) for name in seen):
        if split == "test":
            scenes.add(name, seen[name])
    twins = {name: scenes.like(views) for name, views in seen.items() if found[name].split == "train"}
    assert twins == {
        "00990": ["00971"],
        "00203": ["01175"],
        "01182": ["01179"],
        "00345": ["00320"],
        "00416": ["00523"],
        "01246": [],  # same scene as test photo 00016, which is not in this sample
    }


def test_crop_is_given_as_rows_then_columns_and_has_800x600_pixels():
    photo = np.zeros((1000, 900, 3), np.uint8)
    photo[100:900, 200:800] = (200, 100, 50)
    picture = np.asarray(Image.open(io.BytesIO(pfcn.crop_photo(photo, (100, 900, 200, 800)))))
    assert picture.shape == (800, 600, 3)
    assert np.abs(picture.astype(int) - (200, 100, 50)).max() <= 2


def test_crop_of_another_size_is_scaled_to_800x600():
    photo = np.zeros((1024, 768, 3), np.uint8)
    photo[:512] = 255
    picture = np.asarray(Image.open(io.BytesIO(pfcn.crop_photo(photo, (0, 1024, 0, 768)))))
    assert picture.shape == (800, 600, 3)
    assert picture[395].min() > 240
    assert picture[405].max() < 15


def test_photo_smaller_than_its_crop_is_refused():
    with pytest.raises(InputError, match="is 375x500, its crop goes to row 1023 and column 767: another photo"):
        pfcn.crop_photo(np.zeros((375, 500, 3), np.uint8), (0, 1023, 0, 767))


def test_urls_are_read_by_id_and_the_word_none_means_no_url(tmp_path):
    (tmp_path / "u.txt").write_text("00001.jpg https://example.org/a_b.jpg\n00002.jpg None\n\n")
    assert pfcn.read_urls(tmp_path / "u.txt") == {"00001": "https://example.org/a_b.jpg", "00002": None}


def test_crops_are_read_by_id(tmp_path):
    (tmp_path / "c.txt").write_text("00602.jpg 0 998 9 758\n")
    assert pfcn.read_crops(tmp_path / "c.txt") == {"00602": (0, 998, 9, 758)}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("separator", ["\t", ",", ";", ", "])
def test_urls_and_crops_are_read_in_any_spreadsheet_encoding_and_separator(tmp_path, encoding, separator):
    address = "https://example.org/à,b;c.jpg"
    urls = f"00001.jpg{separator}{address}\r\n00002.jpg{separator}None\r\n{separator}\r\n\r\n"
    (tmp_path / "u.txt").write_bytes(urls.encode(encoding))
    (tmp_path / "c.txt").write_bytes((separator.join(["00602.jpg", "0", "998", "9", "758"]) + "\r\n").encode(encoding))
    assert pfcn.read_urls(tmp_path / "u.txt") == {"00001": address, "00002": None}
    assert pfcn.read_crops(tmp_path / "c.txt") == {"00602": (0, 998, 9, 758)}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("00602.jpg 0 998 9", "crop.txt, line 1: '00602.jpg 0 998 9' has 4 fields, not 5"),
        ("00602.jpg 0 998 9 x", "crop.txt: the crop of 00602 is 0 998 9 x, not four whole numbers"),
        (f"00602.jpg 0 998 9 {'9' * 5000}", "crop.txt: the crop of 00602 is 0 998 9 9999"),
        ("00602.jpg 5 5 9 10", "crop.txt: the crop of 00602 is empty: rows 5 to 5, columns 9 to 10"),
    ],
)
def test_invalid_crop_is_refused_with_the_reason(tmp_path, line, why):
    (tmp_path / "crop.txt").write_text(line + "\n")
    with pytest.raises(InputError) as caught:
        pfcn.read_crops(tmp_path / "crop.txt")
    assert why in str(caught.value)
