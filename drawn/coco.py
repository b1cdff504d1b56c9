"""Write drawn photos in COCO 2017's format: annotations with polygons and crowd regions."""

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from drawn.catalog import OTHERS, scene_of
from drawn.files import draw_all, encode_jpeg, write_json
from drawn.painter import paint

CATEGORIES: list[dict[str, Any]] = [
    {"supercategory": "person", "id": 1, "name": "person"},
    {"supercategory": "animal", "id": 18, "name": "dog"},
    {"supercategory": "kitchen", "id": 44, "name": "bottle"},
    {"supercategory": "kitchen", "id": 47, "name": "cup"},
    {"supercategory": "furniture", "id": 62, "name": "chair"},
    {"supercategory": "furniture", "id": 64, "name": "potted plant"},
]
CATEGORY_IDS: dict[str, int] = {category["name"]: category["id"] for category in CATEGORIES}
LICENSES = [{"url": "https://creativecommons.org/publicdomain/zero/1.0/", "id": 1, "name": "CC0 1.0 (drawn)"}]
INFO = {"description": "Drawn in the format of the COCO 2017 Dataset", "url": "", "version": "1.0", "year": 2017,
        "contributor": "drawn", "date_created": "2017/09/01"}  # fmt: skip
PRIME = 524287  # ids are distinct values in 1..PRIME
MIN_AREA = 12  # px; smaller pieces get no polygon, as in COCO's hand-made outlines


def indices(portraits: int, others: int) -> list[int]:
    """Catalog indices of the first `portraits` portraits and the first `others` others."""
    return [*range(portraits), *range(OTHERS, OTHERS + others)]


def image_id(index: int, *, seed: int) -> int:
    """COCO id of the picture at an index: scattered like real ids, and independent of the number of pictures."""
    key = 2 * (index - OTHERS) + 1 if index >= OTHERS else 2 * index
    return 1 + (48271 * (key + 1) + 7919 * (seed % PRIME)) % PRIME


def split_of(index: int) -> str:
    """`val2017` for every fifth picture, `train2017` for the others."""
    return "val2017" if index % 5 == 4 else "train2017"


def write_coco(folder: Path, *, portraits: int, others: int, seed: int, processes: int = 2) -> None:
    """Write `portraits` photos that pass the paper's rule and `others` that do not, in COCO 2017's layout.

    annotations/instances_{train,val}2017.json; {train,val}2017/%012d.jpg, 640x480 or 480x640.

    Args:
        folder: of the set, made if missing.
        portraits: number of portraits.
        others: number of photos that fail the rule.
        seed: of the whole drawn data.
        processes: that draw in parallel; their number changes no byte.
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


def _write_photo(folder: Path, seed: int, index: int) -> dict[str, Any]:
    """Draw one photo; return its split, its `images` entry and its `annotations` entries."""
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
            found = {"segmentation": polygons, "area": polygon_area(polygons), "iscrowd": 0}
            annotations.append(found | _labels(key, len(annotations), CATEGORY_IDS[name], mask))
    if picture.crowd is not None:
        rle = {"counts": to_counts(picture.crowd), "size": [height, width]}
        found = {"segmentation": rle, "area": int(picture.crowd.sum()), "iscrowd": 1}
        annotations.append(found | _labels(key, len(annotations), CATEGORY_IDS["person"], picture.crowd))
    return {"split": split, "image": image, "annotations": annotations}


def _labels(key: int, number: int, category: int, mask: np.ndarray) -> dict[str, Any]:
    """What every annotation has: its photo, box, category and id."""
    box = list(cv2.boundingRect(mask.astype(np.uint8)))
    return {"image_id": key, "bbox": box, "category_id": category, "id": 100 * key + number}


def to_polygons(mask: np.ndarray) -> list[list[float]]:
    """Outer outlines of a mask (H, W) as COCO polygons [x0, y0, x1, y1, ...]; holes are lost, as in COCO.

    The outline is traced on a mask twice as large: it then runs a quarter of a pixel inside the true edge, not half.
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
    """COCO's uncompressed RLE: run lengths of 0 and 1 in turn, column by column, starting with 0."""
    flat = np.concatenate([[0], mask.astype(np.int8).ravel(order="F"), [0]])
    edges = np.flatnonzero(np.diff(flat))
    counts = np.diff(np.concatenate([[0], edges, [mask.size]]))
    return [int(c) for c in (counts if counts[-1] else counts[:-1])]
