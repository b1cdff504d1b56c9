"""Figure 6 and the best and worst photos: test photos chosen by rules."""

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from bsn.faces import Detector, share_on_mask
from bsn.metrics import iou
from study.figures.material import Material, Missing
from study.figures.sheet import Picture, blank, cell_width, faded_background, grid, outlined, scaled, tagged
from study.paper import METHODS

COLUMNS = ("portrait_fcn", "portrait_deeplab", "bsn")
_ROWS = 3
_SIDE = 400  # pixels of the longer side of the photos that the rules measure
_EXTREMES = 5  # photos at each end


def draw_challenges(material: Material) -> tuple[Image.Image, str]:
    """Figure 6: one row per scene, with photo, truth and three methods with their IoU. No photo is shown twice."""
    chosen = _chosen(material)
    if not chosen:
        raise Missing("No PFCN test photo is a challenge by the rules of this figure.")
    caption = (
        "Challenging scenes: of all PFCN test photos, the first by the rule in the line above each row. Numbers: IoU "
        "of the photo in percent."
    )
    rows = [_challenge_row(material, photo) for photo in chosen.values()]
    titles = [f"{title} (photo {photo})" for title, photo in chosen.items()]
    heads = ["Photo", "Truth", *(METHODS[method] for method in COLUMNS)]
    return grid(rows, heads=heads, titles=titles), caption


def draw_extremes(material: Material) -> tuple[Image.Image, str]:
    """BSN's best and worst photos with the true outline, each row above BSN's masks of them."""
    scores = material.scores("bsn", "pfcn").loc[:, "iou"]
    ends = {"Best": best_and_worst(scores)[0], "Worst": best_and_worst(scores)[1]}
    rows, titles = [], []
    for title, photos in ends.items():
        if photos:
            rows += [[_outlined_photo(material, photo) for photo in photos]]
            rows += [[_prediction(material, photo, scores[photo]) for photo in photos]]
            titles += [f"{title}: photo with the true outline", "BSN's cut-out, with its IoU in percent"]
    caption = (
        f"The PFCN test photos that BSN segments best ({', '.join(ends['Best'])})"
        + (f" and worst ({', '.join(ends['Worst'])}, the worst first)" if ends["Worst"] else "")
        + f", of all {len(scores)}, by IoU."
    )
    return grid(rows, titles=titles), caption


def best_and_worst(scores: pd.Series, number: int = _EXTREMES) -> tuple[list[str], list[str]]:
    """At most `number` photo ids from each end of the IoU, the most extreme first; no photo is in both."""
    ordered = [str(photo) for photo in scores.sort_values(ascending=False, kind="stable").index]
    best = ordered[: min(number, (len(ordered) + 1) // 2)]
    return best, ordered[len(best) :][::-1][:number]


def _chosen(material: Material) -> dict[str, str]:
    """Rule in words -> its first photo, for the first three rules that find one."""
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
        first = max(scores, key=scores.__getitem__, default=None)
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
    """Overlap, 0 to 1, of the colours within 10 px (of an 800 px photo) inside and outside of the contour."""
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
    """1 - IoU of the better of the two baselines, BSN aside; 0 where one of them was not run."""
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


def _challenge_row(material: Material, photo: str) -> list[Picture]:
    image, mask = material.photo("pfcn", photo), material.mask("pfcn", photo)
    width = cell_width(2 + len(COLUMNS))
    size = (width, width * 4 // 3)
    row = [scaled(image, size), scaled(faded_background(image, mask), size)]
    for method in COLUMNS:
        if not material.has(method, "pfcn"):
            row.append(blank("not run", size))
            continue
        prediction = material.prediction(method, "pfcn", photo)
        picture = scaled(faded_background(image, prediction), size)
        row.append(tagged(picture, f"{100 * iou(prediction, mask):.1f}"))
    return row


def _outlined_photo(material: Material, photo: str) -> Picture:
    image = material.photo("pfcn", photo)
    return _cell(outlined(image, material.mask("pfcn", photo), thickness=max(2, image.shape[1] // 100)))


def _prediction(material: Material, photo: str, score: float) -> Picture:
    picture = faded_background(material.photo("pfcn", photo), material.prediction("bsn", "pfcn", photo))
    return tagged(_cell(picture), f"{100 * score:.1f}")


def _cell(picture: Picture) -> Picture:
    width = cell_width(_EXTREMES)
    return scaled(picture, (width, width * 4 // 3))
