"""A hand-made run of five small photos, in the folder layout of the stages."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from safetensors.torch import save_file

from bsn import metrics
from bsn.models import build
from study.datasets.index import FaceRow, PhotoRow, write_faces, write_index
from study.figures.material import Material
from study.paper import METHODS

HEIGHT, WIDTH = 160, 120
ERRORS = {method: 14 - 2 * place for place, method in enumerate(METHODS)}  # Pixels that the mask is shifted by.
TEST_PHOTOS = ["00002", "00003", "00004", "00005"]


def head(seed: int) -> np.ndarray:
    """A head and shoulders, uint8 {0, 1}."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(mask, (60 + seed, 60), (26 + seed, 36), 0, 0, 360, 1, -1)
    cv2.ellipse(mask, (60, 165), (52, 66), 0, 0, 360, 1, -1)
    return mask


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """PFCN with one training and four test photos, seven methods; VOC, COCO and COCO-Stuff absent."""
    folder = tmp_path / "data/portraits/pfcn"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    noise = np.random.default_rng(3)
    rows = []
    for seed, photo in enumerate(["00001", *TEST_PHOTOS]):
        mask = head(seed)
        image = np.full((HEIGHT, WIDTH, 3), (90, 120, 60), np.uint8)
        image[mask == 1] = (150, 170, 220)
        image = np.clip(image + noise.normal(0, 4 + 3 * seed, image.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"images/{photo}.png"), image)
        cv2.imwrite(str(folder / f"masks/{photo}.png"), mask)
        split = "test" if photo in TEST_PHOTOS else "train"
        image, mask_file = f"images/{photo}.png", f"masks/{photo}.png"
        rows.append(PhotoRow(id=photo, split=split, kept=True, image=image, mask=mask_file))
        for method, error in ERRORS.items():
            predicted = tmp_path / f"data/predictions/{method}/pfcn/{photo}.png"
            predicted.parent.mkdir(parents=True, exist_ok=True)
            if split == "test":
                cv2.imwrite(str(predicted), np.roll(mask, error, axis=1) * 255)
    write_index(folder / "index.csv", rows)
    for name in ("coco", "cocostuff", "voc"):
        write_index(tmp_path / "data/portraits" / name / "index.csv", [])
    (tmp_path / "portrait_margins.csv").write_text(
        "set,margin,photos,photos_paper\ncoco,0.0,3,626\ncoco,0.3,9,626\nvoc,0.0,1,62\nvoc,0.3,80,62\n"
    )
    write_metrics(tmp_path)
    to_frame = np.array([[5.0, 0, 0], [0, 5.0, 0]])  # From 160x120 to 800x600.
    faces = [FaceRow(id=p, source="tracker", points=np.ones((5, 2)), affine=to_frame) for p in TEST_PHOTOS[:-1]]
    write_faces(tmp_path / "data/faces/pfcn.csv", [*faces, FaceRow(id=TEST_PHOTOS[-1], source="none")])
    (tmp_path / "hair.csv").write_text("id,hair\n00001,long\n00002,long\n00003,short\n00004,short\n00005,long\n")
    np.save(tmp_path / "mean_mask.npy", np.full((800, 600), 0.5, np.float32))
    for method in ("portrait_deeplab", "bsn"):
        curves = tmp_path / "models" / method / "curves.csv"
        curves.parent.mkdir(parents=True)
        curves.write_text("iteration,phase,loss_segmentation\n10,1,0.7\n20,1,0.4\n30,2,0.3\n")
    write_network(tmp_path / "models/bsn")
    return tmp_path


def write_network(folder: Path) -> None:
    """Write a tiny untrained BSN: its weights and the model.json that the training writes."""
    options = {"backbone": "resnet18", "base_width": 4, "aspp_rates": [6, 12], "attribute_neurons": 8}
    options |= {"classes": 3, "scales": [0.5, 0.75, 1.0], "attributes": 1}
    save_file(build("deeplab", **options).state_dict(), folder / "weights.safetensors")
    description = {"network": "deeplab", "options": options, "size": [64, 48], "attributes": ["hair"]}
    (folder / "model.json").write_text(json.dumps(description))


def write_metrics(run: Path) -> None:
    """Write `metrics/methods/*.json` and `metrics/photos/*.csv` as the evaluation does."""
    (run / "metrics/methods").mkdir(parents=True)
    (run / "metrics/photos").mkdir(parents=True)
    for place, method in enumerate(METHODS):
        rows = []
        for photo in TEST_PHOTOS:
            mask = cv2.imread(str(run / f"data/portraits/pfcn/masks/{photo}.png"), cv2.IMREAD_GRAYSCALE)
            predicted = cv2.imread(str(run / f"data/predictions/{method}/pfcn/{photo}.png"), cv2.IMREAD_GRAYSCALE)
            rows.append({"set": "pfcn", "id": photo, **metrics.evaluate_photo(predicted, mask)})
        table = pd.DataFrame(rows)
        table.to_csv(run / f"metrics/photos/{method}.csv", index=False)
        absent = {"absent": "data.folder holds no such folder"}
        record = {
            "method": method,
            "profile": "sketch",
            "parameters": 1_000_000 * place,
            "sets": {"pfcn": metrics.summarise(table), "coco": absent, "cocostuff": absent, "voc": absent},
        }
        (run / f"metrics/methods/{method}.json").write_text(json.dumps(record))


class NoFaces:
    """Face detector that finds no face."""

    def detect(self, photo: np.ndarray) -> list:
        return []


@pytest.fixture
def material(run: Path) -> Material:
    return Material(
        portraits=run / "data/portraits",
        predictions=run / "data/predictions",
        photos=run / "metrics/photos",
        faces=run / "data/faces",
        hair=run / "hair.csv",
        mean_mask=run / "mean_mask.npy",
        models=run / "models",
        margins=run / "portrait_margins.csv",
        detector=NoFaces(),
        kernel_width=10,
        kernel_reading="distance",
        global_low=0.9,
        global_high=1.0,
        global_reading="text",
        seed=0,
    )
