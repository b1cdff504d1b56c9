import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import bsn
from bsn import exported
from bsn.alignment import FRAME
from bsn.cutout.cutout import Portrait, find_face
from bsn.errors import InputError
from bsn.export import export_model
from bsn.exported import ExportedSegmenter, enlarged
from bsn.faces import FaceDetector
from bsn.methods.prediction import Segmenter, load_method
from bsn.models import build
from bsn.models.layers import upsample
from bsn.photos import read_photo
from drawn.catalog import picture_of

REAL = os.environ.get("BSN_REAL_DATA")
NETWORKS = {
    "deeplab": {"classes": 3, "backbone": "resnet18", "base_width": 4, "attributes": 1},
    "caffe": {"classes": 2, "backbone": "resnet50", "base_width": 2, "layout": "caffe", "scales": [0.5, 1.0]},
    "fcn8s": {"classes": 2, "base_width": 4, "batch_norm": True},
}
MEAN_MASK = np.zeros(FRAME, np.float32)
MEAN_MASK[300:, 100:500] = 1


@pytest.fixture(scope="module", params=NETWORKS)
def folder(request, tmp_path_factory):
    """A model folder as `train` writes it, with a network of random weights, whose masks are ragged."""
    torch.manual_seed(0)
    network, options = request.param.replace("caffe", "deeplab"), NETWORKS[request.param]
    model = build(network, **options).eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.out_channels <= 3:
            nn.init.normal_(module.weight)
    folder = tmp_path_factory.mktemp("models") / request.param
    folder.mkdir()
    save_file(model.state_dict(), folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps({"network": network, "options": options, "size": [96, 72]}))
    np.save(folder / "aligned.npy", MEAN_MASK)
    export_model(folder)
    return folder


@pytest.fixture(autouse=True)
def without_a_gpu(monkeypatch):
    monkeypatch.setattr(exported, "_DRIVERS", ())


def load(folder):
    return Portrait.load(folder, mean_mask=folder / "aligned.npy")


def by_torch(folder):
    detector = FaceDetector(min_face_fraction=0.01, min_probability=0.9)
    return Portrait(load_method(folder, aligned_mean_mask=MEAN_MASK), detector=detector)


def assert_the_same_mask(ours, theirs, photo):
    """The masks differ in no more than a few pixels, whose score is zero but for rounding."""
    mask, expected = ours.segment(photo), theirs.segment(photo)
    assert mask.dtype == np.uint8
    differ = mask != expected
    assert differ.sum() <= 3
    score = theirs.method.score(photo, find_face(photo, detector=theirs.detector)[1])
    assert (abs(score[differ]) <= 1e-4 * abs(score).max()).all()


def test_masks_of_drawn_photos_are_torchs(folder):
    ours, theirs = load(folder), by_torch(folder)
    assert isinstance(ours.method, ExportedSegmenter)
    assert isinstance(theirs.method, Segmenter)
    photos = [picture_of("coco", index, 1).rgb for index in range(3)]
    photos += [cv2.resize(photos[0], (97, 131)), photos[1][:5, :7], np.zeros((1, 1, 3), np.uint8)]
    for photo in photos:
        assert_the_same_mask(ours, theirs, photo)


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_masks_of_real_photos_are_torchs(folder):
    ours, theirs = load(folder), by_torch(folder)
    for file in sorted(Path(REAL).glob("pfcn/data/images_data_crop/*.jpg"))[::150]:
        assert_the_same_mask(ours, theirs, read_photo(file))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("cells", "size"), [((24, 18), (800, 600)), ((1, 1), (3, 2)), ((5, 7), (4, 1))])
def test_scores_are_enlarged_as_by_torch(align_corners, cells, size):
    score = torch.randn(cells, generator=torch.Generator().manual_seed(0))
    expected = upsample(score[None, None], size, align_corners=align_corners)[0, 0].numpy()
    found = enlarged(score.numpy(), size, align_corners=align_corners)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_the_command_loads_no_torch(folder, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture_of("coco", 0, 1).rgb[:, :, ::-1])
    code = (
        "import sys; from bsn import exported; exported._DRIVERS = ()\n"
        "from bsn.__main__ import main\n"
        "assert main(['segment', *sys.argv[1:]]) == 0\n"
        "assert not {'torch', 'torchvision', 'timm', 'facenet_pytorch', 'pandas'} & set(sys.modules)"
    )
    arguments = ["a.png", "--out", "o", "--model", str(folder), "--mean-mask", str(folder / "aligned.npy")]
    environment = {**os.environ, "PYTHONPATH": str(Path(bsn.__file__).parents[1])}
    for kind in ([], ["--mask"]):
        subprocess.run([sys.executable, "-c", code, *arguments, *kind], check=True, cwd=tmp_path, env=environment)
    mask = cv2.imread(str(tmp_path / "o/a_mask.png"), cv2.IMREAD_UNCHANGED)
    assert (mask == 255 * load(folder).segment(tmp_path / "a.png")).all()
    assert (tmp_path / "o/a.png").exists()


def test_a_folder_without_exported_networks_is_run_by_torch(folder, tmp_path):
    older = tmp_path / "older"
    older.mkdir()
    for name in ("model.json", "weights.safetensors", "aligned.npy"):
        (older / name).write_bytes((folder / name).read_bytes())
    assert isinstance(load(older).method, Segmenter)


def test_on_a_machine_with_a_gpu_torch_is_used(folder, monkeypatch):
    monkeypatch.setattr(exported, "_DRIVERS", (os.devnull,))
    assert isinstance(load(folder).method, Segmenter)


@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x08"])
def test_a_damaged_network_is_one_line(folder, tmp_path, content):
    damaged = tmp_path / "damaged"
    (damaged / "faces").mkdir(parents=True)
    for name in ("model.json", "aligned.npy"):
        (damaged / name).write_bytes((folder / name).read_bytes())
    (damaged / "network.onnx").write_bytes(content)
    with pytest.raises(InputError) as told:
        load(damaged)
    assert str(told.value).startswith(f"{damaged} is not a network of this code (")
    assert "\n" not in str(told.value)
