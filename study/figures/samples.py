"""Figures 3 to 5: sample photos of the four sets, evenly spread over each list."""

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from study.figures.material import Material, Missing, spread
from study.figures.sheet import GAP, MARGIN, WIDTH, Picture, blank, cell_width, grid, outlined, scaled, silhouette
from study.paper import SETS

_HAIR_COLUMNS = 4
_PFCN_COLUMNS, _PFCN_ROWS = 7, 2
_PHOTOS_PER_SET = 6
_TALLEST = 260  # pixels


def draw_hair(material: Material) -> tuple[Image.Image, str]:
    """Figure 3: one row per hair class, photos with the mask's outline and the mean mask of the class's test photos."""
    tests = material.ids("pfcn")
    if not material.hair.exists():
        raise Missing("No hair labels in this run.")
    labels = pd.read_csv(material.hair, dtype={"id": str})
    labels = labels[labels["id"].isin(tests)]
    width = cell_width(_HAIR_COLUMNS + 1)
    rows, titles = [], []
    for kind in ("long", "short"):
        ids = labels.loc[labels["hair"] == kind, "id"].tolist()
        if not ids:
            raise Missing(f"No test photo with {kind} hair in this run.")
        cells = [_outlined_photo(material, photo, width) for photo in spread(ids, _HAIR_COLUMNS)]
        rows.append([*cells, silhouette(_mean_mask(material, ids, width))])
        titles.append(f"{kind.capitalize()} hair: {len(ids)} of {len(labels)} test photos, and their mean mask")
    caption = (
        "Hair changes the shape of the portrait. PFCN test photos with long and with short hair, evenly spread over "
        "the list, with the true outline; on the right the mean mask of each class."
    )
    return grid(rows, titles=titles), caption


def draw_pfcn(material: Material) -> tuple[Image.Image, str]:
    """Figure 4: test photos of PFCN."""
    ids = material.ids("pfcn")
    width = cell_width(_PFCN_COLUMNS)
    size = (width, width * 4 // 3)
    cells = [scaled(material.photo("pfcn", photo), size) for photo in spread(ids, _PFCN_COLUMNS * _PFCN_ROWS)]
    rows = [cells[start : start + _PFCN_COLUMNS] for start in range(0, len(cells), _PFCN_COLUMNS)]
    return grid(rows), f"Samples of the {len(ids)} PFCN test photos, evenly spread over the list."


def draw_other_sets(material: Material) -> tuple[Image.Image, str]:
    """Figure 5: one row per set; the photos keep their proportions and share the row's width."""
    rows, titles = [], []
    for name in ("coco", "cocostuff", "voc"):
        try:
            ids = material.ids(name)
        except Missing as why:
            rows.append([blank(str(why), (WIDTH - 2 * MARGIN, 90))])
            titles.append(SETS[name])
            continue
        rows.append(_row_of_photos([material.photo(name, photo) for photo in spread(ids, _PHOTOS_PER_SET)]))
        titles.append(f"{SETS[name]}: {len(ids)} photos")
    caption = "Samples of the COCO, COCO-Stuff and PASCAL VOC portraits, evenly spread over each set."
    return grid(rows, titles=titles), caption


def _outlined_photo(material: Material, photo: str, width: int) -> Picture:
    image, mask = material.photo("pfcn", photo), material.mask("pfcn", photo)
    picture = outlined(image, mask, thickness=max(2, image.shape[1] // 100))
    return scaled(picture, (width, width * 4 // 3))


def _mean_mask(material: Material, ids: list[str], width: int) -> np.ndarray:
    size = (width, width * 4 // 3)
    masks = ((material.mask("pfcn", photo) == 1).astype(np.float32) for photo in ids)
    small = (cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in masks)
    return sum(small, np.zeros(size[::-1], np.float32)) / len(ids)


def _row_of_photos(photos: list[Picture]) -> list[Picture]:
    """The photos at one height that fills the sheet's width, but no taller than `_TALLEST`."""
    across = WIDTH - 2 * MARGIN - GAP * (len(photos) - 1)
    height = min(_TALLEST, int(across / sum(photo.shape[1] / photo.shape[0] for photo in photos)))
    return [scaled(photo, (height * photo.shape[1] // photo.shape[0], height)) for photo in photos]
