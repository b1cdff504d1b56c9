"""Figures 7 and 8: magnified boundaries where the methods disagree most, and trimaps from BSN's masks."""

import cv2
import numpy as np
from PIL import Image, ImageDraw

from study.figures.material import Material, spread
from study.figures.sheet import (
    GAP,
    MARGIN,
    WIDTH,
    Picture,
    cell_width,
    faded_background,
    grid,
    outlined,
    scaled,
)
from study.paper import METHODS

COLUMNS = ("portrait_fcn", "portrait_deeplab", "bsn_ac", "bsn")
_ROWS = 3
_WINDOW = 0.2  # side, as a share of the photo's height
_TRIMAP_COLUMNS = 6


def draw_boundaries(material: Material) -> tuple[Image.Image, str]:
    """Figure 7: the three test photos with the largest disagreement inside one window on the true contour."""
    ids = material.ids("pfcn")
    for method in COLUMNS:
        material.need(method, "pfcn")
    ranked = sorted(ids, key=lambda photo: -_most_disputed(material, photo)[0])
    rows = [_row(material, photo) for photo in ranked[:_ROWS]]
    caption = (
        "Magnified boundaries: the windows of the PFCN test photos where the four methods disagree on the most pixels "
        "within 10 pixels of the true contour (orange line), one window per photo. "
        f"Photos: {', '.join(ranked[:_ROWS])}."
    )
    return grid(rows, heads=["", "Photo", *(METHODS[method] for method in COLUMNS)]), caption


def draw_trimaps(material: Material) -> tuple[Image.Image, str]:
    """Figure 8: photos above their trimaps, portrait white, background black, unknown grey."""
    ids = material.ids("pfcn")
    material.need("bsn", "pfcn")
    width = cell_width(_TRIMAP_COLUMNS)
    size = (width, width * 4 // 3)
    cutouts = [material.cutout("bsn", "pfcn", photo) for photo in spread(ids, _TRIMAP_COLUMNS)]
    photos = [scaled(cutout.photo, size) for cutout in cutouts]
    trimaps = [scaled(np.dstack([cutout.trimap] * 3), size) for cutout in cutouts]
    caption = (
        "Trimaps for image matting, as `python -m bsn segment --trimap` writes them, from BSN's masks of PFCN test "
        f"photos evenly spread over the list. Unknown (grey): the predicted contour, {material.kernel_width:g} pixels "
        "wide on an 800x600 photo, as in training."
    )
    return grid([photos, trimaps]), caption


def _most_disputed(material: Material, photo: str) -> tuple[float, tuple[int, int, int]]:
    """The window with the most disputed pixels: their number, and its left, top and side in pixels."""
    mask = material.mask("pfcn", photo)
    votes = sum(material.prediction(method, "pfcn", photo) for method in COLUMNS)
    portrait = (mask == 1).astype(np.uint8)
    near = cv2.morphologyEx(portrait, cv2.MORPH_GRADIENT, np.ones((21, 21), np.uint8))
    disputed = ((votes % len(COLUMNS) != 0) & (near > 0) & (mask != 255)).astype(np.float32)
    side = round(_WINDOW * mask.shape[0])
    sums = cv2.boxFilter(disputed, -1, (side, side), anchor=(0, 0), normalize=False)
    sums = sums[: mask.shape[0] - side + 1, : mask.shape[1] - side + 1]
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    return float(sums[top, left]), (int(left), int(top), side)


def _row(material: Material, photo: str) -> list[Picture]:
    image, mask = material.photo("pfcn", photo), material.mask("pfcn", photo)
    left, top, side = _most_disputed(material, photo)[1]
    # One whole photo (3:4) and the squares share the row.
    height = int((WIDTH - 2 * MARGIN - (1 + len(COLUMNS)) * GAP) / (0.75 + 1 + len(COLUMNS)))
    whole = Image.fromarray(scaled(image, (height * 3 // 4, height)))
    scale = height / image.shape[0]
    frame = [scale * edge for edge in (left, top, left + side, top + side)]
    ImageDraw.Draw(whole).rectangle(frame, None, "white", 3)
    cut = slice(top, top + side), slice(left, left + side)
    pictures = [image[cut], *(faded_background(image, material.prediction(m, "pfcn", photo))[cut] for m in COLUMNS)]
    truth = (mask[cut] == 1).astype(np.float32)
    truth = cv2.resize(truth, (height, height), interpolation=cv2.INTER_LINEAR) > 0.5
    squares = [scaled(picture, (height, height)) for picture in pictures]
    return [np.asarray(whole), squares[0], *(outlined(square, truth, thickness=2) for square in squares[1:])]
