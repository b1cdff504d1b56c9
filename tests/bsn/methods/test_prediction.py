import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bsn.alignment import FRAME
from bsn.methods import prediction
from bsn.methods.prediction import GraphCut, MeanMask, PhotoFile, Segmenter, load_method, predict_files
from bsn.models import build
from bsn.models.layers import Output

IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])
LOWER_HALF = np.zeros(FRAME, np.float32)
LOWER_HALF[400:] = 1


class Brightness(nn.Module):
    """A network whose foreground logit is the photo's first channel, at an eighth of its size."""

    def forward(self, x):
        red = nn.functional.avg_pool2d(x[:, :1], 8)
        return Output(torch.cat([red, torch.zeros_like(red)], dim=1))


class Signature:
    """A method that leaves its process's number in a folder, and an empty mask."""

    parameters = 0

    def __init__(self, folder, *, parallel):
        self.folder = Path(folder)
        self.parallel = parallel

    def __call__(self, photo, affine):
        (self.folder / str(os.getpid())).touch()
        return np.zeros(photo.shape[:2], np.uint8)


def photo_files(folder, count=5):
    """Photos of noise, the face of each other one a bit lower, and none in those between."""
    draw = np.random.default_rng(0)
    files = []
    for number in range(count):
        photo = draw.integers(0, 255, (160, 120, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), photo)
        affine = None if number % 2 else np.array([[5.0, 0, 0], [0, 5, -40 * number]])
        files.append(PhotoFile(photo=folder / f"{number}.png", affine=affine, mask=folder / f"{number}_mask.png"))
    return files


def predicted(files, cores, monkeypatch, method):
    monkeypatch.setattr(prediction, "cores", lambda: cores)
    masks = list(predict_files(files, method=method))
    return masks, [mask.read_bytes() for mask in masks]


def test_graph_cut_writes_the_same_bytes_by_one_and_by_several_processes(tmp_path, monkeypatch):
    files = photo_files(tmp_path)
    cut = GraphCut(aligned_mean_mask=LOWER_HALF, smoothness=4, contrast=1, height=80)
    masks, by_one = predicted(files, 1, monkeypatch, cut)
    by_three = predicted(files, 3, monkeypatch, cut)[1]
    assert by_one == by_three
    # A face at three heights; without one the mask is where the first face has it.
    assert len(set(by_one)) == 3
    assert masks == [file.mask for file in files]
    for file in files:
        expected = cut(cv2.imread(str(file.photo))[:, :, ::-1], file.affine) * 255
        assert (cv2.imread(str(file.mask), cv2.IMREAD_UNCHANGED) == expected).all()


@pytest.mark.parametrize("parallel", [True, False])
def test_only_a_parallel_method_leaves_this_process(tmp_path, monkeypatch, parallel):
    (tmp_path / "processes").mkdir()
    predicted(photo_files(tmp_path), 2, monkeypatch, Signature(tmp_path / "processes", parallel=parallel))
    used = {int(file.name) for file in (tmp_path / "processes").iterdir()}
    assert (os.getpid() in used) is not parallel


def test_the_mask_has_the_photos_own_size_whatever_the_working_size():
    photo = np.zeros((480, 640, 3), np.uint8)
    photo[:, 320:] = 255
    mask = Segmenter(Brightness(), size=(80, 60), aligned_mean_mask=LOWER_HALF)(photo, None)
    assert mask.shape == (480, 640)
    assert mask.dtype == np.uint8
    assert mask[:, 400:].all()
    assert not mask[:, :240].any()


def test_the_score_is_foreground_minus_background_upsampled():
    photo = np.full((800, 600, 3), 255, np.uint8)
    score = Segmenter(Brightness(), size=(80, 64), aligned_mean_mask=LOWER_HALF).score(photo, None)
    # White is (1 - .485) / .229 after normalising.
    assert score == pytest.approx(np.full((800, 600), (1 - 0.485) / 0.229), abs=1e-3)


def test_the_mean_mask_is_laid_on_the_photo_by_its_face():
    photo = np.zeros((800, 600, 3), np.uint8)
    down_by_100 = np.array([[1.0, 0, 0], [0, 1, -100]])
    mask = MeanMask(aligned_mean_mask=LOWER_HALF)(photo, down_by_100)
    assert mask[:500].sum() == 0
    assert mask[500:].all()


def test_without_a_face_the_mean_mask_covers_the_photo():
    mask = MeanMask(aligned_mean_mask=LOWER_HALF)(np.zeros((80, 60, 3), np.uint8), None)
    assert mask[:39].sum() == 0
    assert mask[41:].all()


def test_on_a_flat_photo_the_cut_is_the_mean_mask():
    photo = np.zeros((800, 600, 3), np.uint8)
    cut = GraphCut(aligned_mean_mask=LOWER_HALF, smoothness=1, contrast=1, height=200)
    assert (cut(photo, IDENTITY) == MeanMask(aligned_mean_mask=LOWER_HALF)(photo, IDENTITY)).mean() > 0.99


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ({"network": "mean_mask", "options": {}}, MeanMask),
        ({"network": "graph_cut", "options": {"smoothness": 1.0, "contrast": 1.0, "height": 200}}, GraphCut),
    ],
)
def test_a_baselines_folder_needs_no_weights(tmp_path, description, kind):
    (tmp_path / "model.json").write_text(json.dumps(description))
    method = load_method(tmp_path, aligned_mean_mask=LOWER_HALF)
    assert isinstance(method, kind)
    assert method.parameters == 0


def test_a_trained_folder_gives_the_network_with_its_weights(tmp_path):
    options = {"classes": 2, "base_width": 4, "batch_norm": True}
    model = build("fcn8s", **options).eval()
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    (tmp_path / "model.json").write_text(json.dumps({"network": "fcn8s", "options": options, "size": [64, 48]}))
    method = load_method(tmp_path, aligned_mean_mask=LOWER_HALF)
    photo = np.random.default_rng(0).integers(0, 255, (160, 120, 3), dtype=np.uint8)
    expected = Segmenter(model, size=(64, 48), aligned_mean_mask=LOWER_HALF)(photo, None)
    assert (method(photo, None) == expected).all()
    assert method.parameters == sum(p.numel() for p in model.parameters())
