"""Write the drawn COCO photos again in COCO-Stuff 10K's format: same ids, with label maps."""

from functools import partial
from pathlib import Path

import numpy as np

from drawn.catalog import scene_of
from drawn.coco import CATEGORY_IDS, image_id, indices
from drawn.files import draw_all, encode_jpeg, write_lines, write_mat
from drawn.painter import paint

# Official stuff ids (v1.1) by backdrop: leaves, sea, building-other, wall-brick, wall-other. The others are 0.
STUFF = {
    "foliage": 129,
    "sea": 155,
    "street": 96,
    "bricks": 171,
    "room": 173,
    "window": 173,
    "gradient": 173,
    "stripes": 173,
}


def write_cocostuff(folder: Path, *, portraits: int, others: int, seed: int, processes: int = 2) -> None:
    """Write the first `portraits` and `others` of the COCO set of the same seed, byte for byte, with exact label maps.

    images/COCO_train2014_%012d.jpg; annotations/COCO_train2014_%012d.mat (`S` uint16 H x W, 0 unlabelled, person 1);
    imageLists/{train,test,all}.txt. Only the COCO annotations say how many persons a photo shows.

    Args:
        folder: of the set, made if missing.
        portraits: number of portraits.
        others: number of photos that fail the rule.
        seed: of the whole drawn data.
        processes: that draw in parallel; their number changes no byte.
    """
    for name in ("images", "annotations", "imageLists"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    names = draw_all(
        partial(_write_photo, folder, seed), indices(portraits, others), label="cocostuff", processes=processes
    )
    train = [name for k, name in enumerate(names) if k % 10 != 9]  # the official split is 9000 to 1000
    write_lines(folder / "imageLists" / "train.txt", sorted(train))
    write_lines(folder / "imageLists" / "test.txt", sorted(set(names) - set(train)))
    write_lines(folder / "imageLists" / "all.txt", sorted(names))


def _write_photo(folder: Path, seed: int, index: int) -> str:
    """Draw one photo and its label map; return its base name."""
    scene = scene_of("coco", index, seed)
    picture = paint(scene)
    name = f"COCO_train2014_{image_id(index, seed=seed):012d}"
    labels = np.full(picture.rgb.shape[:2], STUFF.get(scene.backdrop, 0), np.uint16)
    for thing, mask in picture.things:
        labels[mask] = CATEGORY_IDS[thing]
    for mask in [*picture.people, *([] if picture.crowd is None else [picture.crowd])]:
        labels[mask] = CATEGORY_IDS["person"]
    (folder / "images" / f"{name}.jpg").write_bytes(encode_jpeg(picture.rgb))
    write_mat(folder / "annotations" / f"{name}.mat", {"S": labels, "captions": f"a drawn picture: {scene.kind}"})
    return name
