"""Figure 3: long and short hair change the portrait's shape."""

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from study.figures.material import Material, Missing, spread
from study.figures.overlay import outlined, silhouette
from study.figures.sheet import Picture, cell_width, grid, scaled

_COLUMNS = 4


def draw(material: Material) -> tuple[Image.Image, str]:
    """A row a class: photos with the mask's outline, and the mean mask of all test photos of the class."""
    tests = set(material.ids("pfcn"))
    if not material.hair.exists():
        raise Missing("No hair labels in this run.")
    labels = pd.read_csv(material.hair, dtype={"id": str})
    labels = labels[labels["id"].isin(tests)]
    width = cell_width(_COLUMNS + 1)
    rows, titles = [], []
    for kind in ("long", "short"):
        ids = labels.loc[labels["hair"] == kind, "id"].tolist()
        if not ids:
            raise Missing(f"No test photo with {kind} hair in this run.")
        cells = [_outlined(material, photo, width) for photo in spread(ids, _COLUMNS)]
        rows.append([*cells, silhouette(_mean(material, ids, width))])
        titles.append(f"{kind.capitalize()} hair: {len(ids)} of {len(labels)} test photos, and their mean mask")
    caption = (
        "Hair changes the portrait's shape: test photos with long and with short hair, evenly spread over the "
        "list, with the true outline; on the right the mean mask of each class."
    )
    return grid(rows, titles=titles), caption


def _outlined(material: Material, photo: str, width: int) -> Picture:
    image, mask = material.photo("pfcn", photo), material.mask("pfcn", photo)
    picture = outlined(image, mask, thickness=max(2, image.shape[1] // 100))
    return scaled(picture, (width, width * 4 // 3))


def _mean(material: Material, ids: list[str], width: int) -> np.ndarray:
    size = (width, width * 4 // 3)
    masks = ((material.mask("pfcn", photo) == 1).astype(np.float32) for photo in ids)
    return sum(cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in masks) / len(ids)
