import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from facenet_pytorch import MTCNN
from torch.nn import functional

from bsn.cutout.matting import shrunk_size
from bsn.errors import InputError
from bsn.export import export_face_networks
from bsn.faces import FaceDetector
from bsn.mtcnn_onnx import OnnxMTCNN, _area_mean
from bsn.photos import read_photo
from drawn.catalog import picture_of

REAL = os.environ.get("BSN_REAL_DATA")
RULE = {"min_face_fraction": 0.01, "min_probability": 0.9}


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    export_face_networks(folder)
    return folder


@pytest.mark.parametrize("content", [None, b"", b"no network"], ids=["missing", "empty", "damaged"])
def test_a_missing_or_damaged_network_is_an_error_of_one_line(networks, tmp_path, content):
    folder = tmp_path / "faces"
    shutil.copytree(networks, folder)
    (folder / "rnet.onnx").unlink()
    if content is not None:
        (folder / "rnet.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"faces has no networks of the face detector \(.*\); train again$"):
        OnnxMTCNN(folder)


def test_the_files_are_the_same_each_time(networks, tmp_path):
    export_face_networks(tmp_path)
    files = sorted(file.name for file in networks.iterdir())
    assert files == ["onet.onnx", "pnet.onnx", "rnet.onnx"]
    assert all((networks / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


@pytest.mark.parametrize(
    ("name", "shape"), [("pnet", (1, 45, 61)), ("pnet", (2, 12, 12)), ("rnet", (7, 24, 24)), ("onet", (5, 48, 48))]
)
def test_each_network_computes_what_facenet_pytorchs_does(networks, name, shape):
    images = torch.randn(shape[0], 3, *shape[1:], generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = getattr(MTCNN(), name)(images)
    found = onnxruntime.InferenceSession(networks / f"{name}.onnx").run(None, {"image": images.numpy()})
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(24, 24), (31, 7), (90, 130)])
def test_the_mean_over_areas_is_torchs(size):
    photo = np.random.default_rng(0).integers(0, 256, (97, 61, 3), dtype=np.uint8)
    sums = cv2.integral(photo)
    boxes = np.array([[3, 5, 40, 97], [0, 0, 61, 97], [60, 2, 61, 3]])
    found = [*_area_mean(sums, boxes, size), *_area_mean(sums, boxes[1:2], size)]
    for (x0, y0, x1, y1), mean in zip([*boxes, boxes[1]], found, strict=True):
        part = torch.from_numpy(photo[y0:y1, x0:x1]).permute(2, 0, 1)[None].float()
        expected = functional.interpolate(part, size=size, mode="area")[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(mean, expected, rtol=0, atol=1e-4)


def assert_the_same_faces(photo, networks):
    """Both detectors agree; returns how many faces they found."""
    ours, theirs = FaceDetector(**RULE, networks=networks).detect(photo), FaceDetector(**RULE).detect(photo)
    assert len(ours) == len(theirs)
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found.box, expected.box, rtol=0, atol=1e-3)
        np.testing.assert_allclose(found.points, expected.points, rtol=0, atol=1e-3)
        assert found.probability == pytest.approx(expected.probability, abs=1e-4)
    return len(ours)


def test_faces_of_drawn_photos_are_the_torch_detectors(networks):
    photos = [picture_of("coco", index, 1).rgb for index in range(6)]
    photos.append(np.hstack(photos[:2]) if photos[0].shape == photos[1].shape else photos[0][:, ::-1].copy())
    assert sum(assert_the_same_faces(photo, networks) for photo in photos) >= 5


@pytest.mark.parametrize("size", [(1, 1), (11, 40), (13, 13), (20, 400), (240, 320)])
def test_without_a_face_there_is_none(networks, size):
    photo = np.full((*size, 3), 90, np.uint8)
    assert assert_the_same_faces(photo, networks) == 0
    assert OnnxMTCNN(networks).faces(photo[None], 20.0)[0] == [None]


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_faces_of_real_photos_are_the_torch_detectors(networks):
    files = sorted(Path(REAL).glob("pfcn/data/images_data_crop/*.jpg"))[::80]
    files += sorted(Path(REAL).glob("voc/VOCdevkit/VOC2012/JPEGImages/*.jpg"))[::10]
    photos = [read_photo(file) for file in files]
    small = [cv2.resize(photo, shrunk_size(*photo.shape[:2]), interpolation=cv2.INTER_AREA) for photo in photos]
    assert sum(assert_the_same_faces(photo, networks) for photo in small) >= 20
