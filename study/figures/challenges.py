"""Figure 6: three challenging scenes, each the test photo that a rule puts first."""

import cv2
import numpy as np
from PIL import Image

from bsn.faces.detector import Detector, share_on_mask
from bsn.metrics import iou
from study.figures.material import Material, Missing
from study.figures.overlay import cutout
from study.figures.sheet import Picture, blank, cell_width, grid, scaled, tagged
from study.paper import METHODS

COLUMNS = ("portrait_fcn", "portrait_deeplab", "bsn")
_ROWS = 3
_SIDE = 400  # pixels of the longer side that the rules measure at


def draw(material: Material) -> tuple[Image.Image, str]:
    """A row a scene: photo, truth and three methods, each with its IoU. No photo is shown twice."""
    chosen = _chosen(material)
    if not chosen:
        raise Missing("No PFCN test photo is a challenge by the rules of this figure.")
    caption = (
        "Challenging scenes, chosen from all PFCN test photos by rule and not by hand, as the line over each row "
        "says. Numbers are the IoU of the photo in percent."
    )
    rows = [_row(material, photo) for photo in chosen.values()]
    titles = [f"{title} (photo {photo})" for title, photo in chosen.items()]
    heads = ["Photo", "Truth", *(METHODS[method] for method in COLUMNS)]
    return grid(rows, heads=heads, titles=titles), caption


def _chosen(material: Material) -> dict[str, str]:
    """What a rule looks for -> the photo that it puts first: the first three rules that find any."""
    ids = material.ids("pfcn")
    small = {photo: _small(material, photo) for photo in ids}
    rules = {
        "Confusing objects: most edges in the background": lambda photo: clutter(*small[photo]),
        "Other people: largest faces in the background": lambda photo: strangers(
            *small[photo], detector=material.detector
        ),
        "Similar colours: most alike inside and outside of the contour": lambda photo: likeness(*small[photo]),
        "Hard for both baselines: lowest IoU of the better one": lambda photo: _hardness(material, photo),
    }
    chosen: dict[str, str] = {}
    for title, rule in rules.items():
        if len(chosen) == _ROWS:
            break
        scores = {photo: rule(photo) for photo in ids if photo not in chosen.values()}
        first = max(scores, key=scores.get, default=None)
        if first is not None and scores[first] > 0:
            chosen[title] = first
    return chosen


def clutter(photo: np.ndarray, mask: np.ndarray) -> float:
    """Share of the background's pixels that are edges."""
    edges = cv2.Canny(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), 80, 160) > 0
    return _share(edges, _away(mask))


def strangers(photo: np.ndarray, mask: np.ndarray, *, detector: Detector) -> float:
    """Share of the photo under faces that do not lie on the portrait."""
    faces = [face for face in detector.detect(photo) if share_on_mask(face.box, mask) < 0.2]
    return sum(face.fraction(*mask.shape) for face in faces)


def likeness(photo: np.ndarray, mask: np.ndarray) -> float:
    """How much the colours 10 px (of an 800 px photo) inside the contour overlap with those outside: 0 to 1."""
    portrait = (mask == 1).astype(np.uint8)
    square = np.ones((11, 11), np.uint8)
    inside = portrait - cv2.erode(portrait, square)
    outside = cv2.dilate(portrait, square) - portrait
    if not inside.any() or not outside.any():
        return 0.0
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB)
    bins = [cv2.calcHist([lab], [0, 1, 2], ring, [8, 16, 16], [0, 256] * 3).ravel() for ring in (inside, outside)]
    return float(np.minimum(bins[0] / bins[0].sum(), bins[1] / bins[1].sum()).sum())


def _hardness(material: Material, photo: str) -> float:
    """What the better of the two baselines misses; 0 where one of them was not run. BSN has no say in it."""
    baselines = [method for method in COLUMNS if method != "bsn"]
    if not all(material.has(method, "pfcn") for method in baselines):
        return 0.0
    mask = material.mask("pfcn", photo)
    return 1 - max(iou(material.prediction(method, "pfcn", photo), mask) for method in baselines)


def _small(material: Material, photo: str) -> tuple[np.ndarray, np.ndarray]:
    image, mask = material.photo("pfcn", photo), material.mask("pfcn", photo)
    factor = _SIDE / max(mask.shape)
    size = (round(mask.shape[1] * factor), round(mask.shape[0] * factor))
    return (
        cv2.resize(image, size, interpolation=cv2.INTER_AREA),
        cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT),
    )


def _away(mask: np.ndarray) -> np.ndarray:
    """Background that does not touch the portrait."""
    return cv2.dilate((mask != 0).astype(np.uint8), np.ones((9, 9), np.uint8)) == 0


def _share(marked: np.ndarray, area: np.ndarray) -> float:
    # A sliver of background says nothing about the scene.
    return float(marked[area].mean()) if area.mean() > 0.1 else 0.0


def _row(material: Material, photo: str) -> list[Picture]:
    image, mask = material.photo("pfcn", photo), material.mask("pfcn", photo)
    width = cell_width(2 + len(COLUMNS))
    size = (width, width * 4 // 3)
    row = [scaled(image, size), scaled(cutout(image, mask), size)]
    for method in COLUMNS:
        if not material.has(method, "pfcn"):
            row.append(blank("not run", size))
            continue
        prediction = material.prediction(method, "pfcn", photo)
        picture = scaled(cutout(image, prediction), size)
        row.append(tagged(picture, f"{100 * iou(prediction, mask):.1f}"))
    return row
