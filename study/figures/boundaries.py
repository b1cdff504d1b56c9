"""Figure 7: the boundary under a magnifying glass, where the methods disagree most."""

import cv2
import numpy as np
from PIL import Image, ImageDraw

from study.figures.material import Material
from study.figures.overlay import cutout, outlined
from study.figures.sheet import GAP, MARGIN, WIDTH, Picture, grid, scaled
from study.paper import METHODS

COLUMNS = ("portrait_fcn", "portrait_deeplab", "bsn_ac", "bsn")
_ROWS = 3
_WINDOW = 0.2  # of the photo's height


def draw(material: Material) -> tuple[Image.Image, str]:
    """The three test photos with the largest disagreement inside one window on the true contour."""
    ids = material.ids("pfcn")
    for method in COLUMNS:
        material.need(method, "pfcn")
    ranked = sorted(ids, key=lambda photo: -_most_disputed(material, photo)[0])
    rows = [_row(material, photo) for photo in ranked[:_ROWS]]
    caption = (
        "Boundaries, magnified. The places are chosen by rule: the windows of the PFCN test photos in which "
        "the four methods disagree most within 10 pixels of the true contour (the orange line); one window "
        f"a photo, photos {', '.join(ranked[:_ROWS])}."
    )
    return grid(rows, heads=["", "Photo", *(METHODS[method] for method in COLUMNS)]), caption


def _most_disputed(material: Material, photo: str) -> tuple[float, tuple[int, int, int]]:
    """Disputed pixels in the fullest window, and that window: left, top, side."""
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
    pictures = [image[cut], *(cutout(image, material.prediction(m, "pfcn", photo))[cut] for m in COLUMNS)]
    truth = (mask[cut] == 1).astype(np.float32)
    truth = cv2.resize(truth, (height, height), interpolation=cv2.INTER_LINEAR) > 0.5
    squares = [scaled(picture, (height, height)) for picture in pictures]
    return [np.asarray(whole), squares[0], *(outlined(square, truth, thickness=2) for square in squares[1:])]
