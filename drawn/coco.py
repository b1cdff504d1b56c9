"""COCO 2017's own files, drawn: photos, and annotations with polygons and crowd regions."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np

from drawn.camera import encode_jpeg
from drawn.cast import OTHERS, scene_of
from drawn.files import write_json
from drawn.painter import paint
from drawn.pool import draw_all

CATEGORIES = [
    {"supercategory": "person", "id": 1, "name": "person"},
    {"supercategory": "animal", "id": 18, "name": "dog"},
    {"supercategory": "kitchen", "id": 44, "name": "bottle"},
    {"supercategory": "kitchen", "id": 47, "name": "cup"},
    {"supercategory": "furniture", "id": 62, "name": "chair"},
    {"supercategory": "furniture", "id": 64, "name": "potted plant"},
]
CATEGORY_IDS = {category["name"]: category["id"] for category in CATEGORIES}
LICENSES = [{"url": "https://creativecommons.org/publicdomain/zero/1.0/", "id": 1, "name": "CC0 1.0 (drawn)"}]
INFO = {"description": "Drawn in the format of the COCO 2017 Dataset", "url": "", "version": "1.0", "year": 2017,
        "contributor": "drawn", "date_created": "2017/09/01"}  # fmt: skip
PRIME = 524287  # ids are spread over 1..PRIME without meeting
MIN_AREA = 12  # px; nobody outlines a smaller scrap by hand


def indices(portraits: int, others: int) -> list[int]:
    """Indices in the cast of so many portraits and so many others."""
    return [*range(portraits), *range(OTHERS, OTHERS + others)]


def image_id(index: int, *, seed: int) -> int:
    """The COCO id of the picture at an index: spread as the real ids are, the same for any number of pictures."""
    key = 2 * (index - OTHERS) + 1 if index >= OTHERS else 2 * index
    return 1 + (48271 * (key + 1) + 7919 * (seed % PRIME)) % PRIME


def split_of(index: int) -> str:
    """train2017, or for every fifth picture val2017."""
    return "val2017" if index % 5 == 4 else "train2017"


def write_coco(folder: Path, *, portraits: int, others: int, seed: int, processes: int = 2) -> None:
    """Write `portraits` that pass the paper's rule and `others` that do not, as COCO 2017 has them.

    annotations/instances_{train,val}2017.json; {train,val}2017/%012d.jpg, 640x480 or 480x640.
    """
    for name in ("annotations", "train2017", "val2017"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    records = draw_all(
        partial(_write_photo, folder, seed), indices(portraits, others), label="coco", processes=processes
    )
    for split in ("train2017", "val2017"):
        mine = sorted((r for r in records if r["split"] == split), key=lambda r: r["image"]["id"])
        content = {
            "info": INFO,
            "licenses": LICENSES,
            "images": [r["image"] for r in mine],
            "annotations": [a for r in mine for a in r["annotations"]],
            "categories": CATEGORIES,
        }
        write_json(folder / "annotations" / f"instances_{split}.json", content)


def _write_photo(folder: Path, seed: int, index: int) -> dict:
    """Draw one photo; its split, its `images` entry and its `annotations` entries."""
    picture = paint(scene_of("coco", index, seed))
    key, split = image_id(index, seed=seed), split_of(index)
    name = f"{key:012d}.jpg"
    (folder / split / name).write_bytes(encode_jpeg(picture.rgb))
    height, width = picture.rgb.shape[:2]
    image = {
        "license": 1,
        "file_name": name,
        "coco_url": f"http://images.cocodataset.org/{split}/{name}",
        "height": height,
        "width": width,
        "date_captured": "2017-09-01 00:00:00",
        "flickr_url": "",
        "id": key,
    }
    objects = [("person", mask) for mask in picture.people] + picture.things
    annotations = []
    for name, mask in objects:
        polygons = to_polygons(mask)
        if polygons:
            annotations.append(_annotation(key, len(annotations), CATEGORY_IDS[name], mask, polygons, crowd=False))
    if picture.crowd is not None:
        rle = {"counts": to_counts(picture.crowd), "size": [height, width]}
        annotations.append(_annotation(key, len(annotations), 1, picture.crowd, rle, crowd=True))
    return {"split": split, "image": image, "annotations": annotations}


def _annotation(
    key: int, place: int, category: int, mask: np.ndarray, segmentation: list | dict, *, crowd: bool
) -> dict:
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    area = int(mask.sum()) if crowd else polygon_area(segmentation)
    return {"segmentation": segmentation, "area": area, "iscrowd": int(crowd), "image_id": key, "bbox": [x, y, w, h],
            "category_id": category, "id": 100 * key + place}  # fmt: skip


def to_polygons(mask: np.ndarray) -> list[list[float]]:
    """Outer outlines of a mask (H, W) as COCO polygons [x0, y0, x1, y1, ...]; holes are lost, as in COCO.

    The outline is taken on a mask twice as large, so that it runs a quarter of a pixel inside the true edge, not half.
    """
    large = np.repeat(np.repeat(mask.astype(np.uint8), 2, 0), 2, 1)
    contours, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    polygons = []
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        line = cv2.approxPolyDP(contour, 1.2, True)[:, 0]
        if len(line) >= 3 and cv2.contourArea(contour) >= 4 * MIN_AREA:
            polygons.append([round(float(v), 2) for v in (line / 2 + 0.25).ravel()])
    return polygons


def polygon_area(polygons: list[list[float]]) -> float:
    """Area in pixels by the shoelace formula, summed over the polygons."""
    total = 0.0
    for polygon in polygons:
        x, y = np.array(polygon).reshape(-1, 2).T
        total += abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
    return round(total, 4)


def to_counts(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed RLE: lengths of runs of 0 and 1 in turn, column by column, the first one of 0."""
    flat = np.concatenate([[0], mask.astype(np.int8).ravel(order="F"), [0]])
    edges = np.flatnonzero(np.diff(flat))
    counts = np.diff(np.concatenate([[0], edges, [mask.size]]))
    return [int(c) for c in (counts if counts[-1] else counts[:-1])]
