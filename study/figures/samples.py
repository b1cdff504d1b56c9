"""Figures 3 to 6, and the best and worst photos: samples of the four sets, and test photos chosen by rules."""

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from bsn.cutout.effects import cropped_to_fill
from bsn.faces import Detector, share_on_mask
from bsn.metrics import iou
from study.figures.material import Material, Missing, evenly_spaced
from study.figures.sheet import (
    GAP,
    MARGIN,
    WIDTH,
    Picture,
    blank,
    faded_background,
    grid,
    outlined,
    portrait_size,
    silhouette,
    tagged,
)
from study.paper import METHODS, SETS

_HAIR_COLUMNS = 4
_PFCN_COLUMNS, _PFCN_ROWS = 7, 2
_PHOTOS_PER_SET = 6
_TALLEST = 260  # pixels


COLUMNS = ("portrait_fcn", "portrait_deeplab", "bsn")  # of Figure 6
_SCENES = 3
_RULE_SIDE = 400  # pixels of the longer side of the photos that the rules measure
_EXTREMES = 5  # photos at each end


def draw_hair(material: Material) -> tuple[Image.Image, str]:
    """Figure 3: one row per hair class, photos with the mask's outline and the mean mask of the class's test photos."""
    tests = material.ids("pfcn")
    if not material.hair.exists():
        raise Missing("No hair labels in this run.")
    labels = pd.read_csv(material.hair, dtype={"id": str})
    labels = labels[labels["id"].isin(tests)]
    size = portrait_size(_HAIR_COLUMNS + 1)
    rows, titles = [], []
    for kind in ("long", "short"):
        ids = labels.loc[labels["hair"] == kind, "id"].tolist()
        if not ids:
            raise Missing(f"No test photo with {kind} hair in this run.")
        cells = [_outlined_photo(material, photo, size) for photo in evenly_spaced(ids, _HAIR_COLUMNS)]
        rows.append([*cells, silhouette(_mean_mask(material, ids, size))])
        titles.append(f"{kind.capitalize()} hair: {len(ids)} of {len(labels)} test photos, and their mean mask")
    caption = (
        "Hair changes the shape of the portrait. PFCN test photos with long and with short hair, evenly spread over "
        "the list, with the true outline; on the right the mean mask of each class."
    )
    return grid(rows, titles=titles), caption


def draw_pfcn(material: Material) -> tuple[Image.Image, str]:
    """Figure 4: test photos of PFCN."""
    ids = material.ids("pfcn")
    size = portrait_size(_PFCN_COLUMNS)
    cells = [
        cropped_to_fill(material.photo("pfcn", photo), size) for photo in evenly_spaced(ids, _PFCN_COLUMNS * _PFCN_ROWS)
    ]
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
        rows.append(_row_of_photos([material.photo(name, photo) for photo in evenly_spaced(ids, _PHOTOS_PER_SET)]))
        titles.append(f"{SETS[name]}: {len(ids)} photos")
    caption = "Samples of the COCO, COCO-Stuff and PASCAL VOC portraits, evenly spread over each set."
    return grid(rows, titles=titles), caption


def _outlined_photo(material: Material, photo: str, size: tuple[int, int]) -> Picture:
    image, mask = material.photo("pfcn", photo), material.mask("pfcn", photo)
    picture = outlined(image, mask, thickness=max(2, image.shape[1] // 100))
    return cropped_to_fill(picture, size)


def _mean_mask(material: Material, ids: list[str], size: tuple[int, int]) -> np.ndarray:
    masks = ((material.mask("pfcn", photo) == 1).astype(np.float32) for photo in ids)
    small = (cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in masks)
    return sum(small, np.zeros(size[::-1], np.float32)) / len(ids)


def _row_of_photos(photos: list[Picture]) -> list[Picture]:
    """The photos at one height that fills the sheet's width, but no taller than `_TALLEST`."""
    across = WIDTH - 2 * MARGIN - GAP * (len(photos) - 1)
    height = min(_TALLEST, int(across / sum(photo.shape[1] / photo.shape[0] for photo in photos)))
    return [cropped_to_fill(photo, (height * photo.shape[1] // photo.shape[0], height)) for photo in photos]


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
    ends = dict(zip(("Best", "Worst"), best_and_worst(scores), strict=True))
    rows, titles = [], []
    for title, photos in ends.items():
        if photos:
            rows += [[_outlined_photo(material, photo, portrait_size(_EXTREMES)) for photo in photos]]
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
        if len(chosen) == _SCENES:
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
    factor = _RULE_SIDE / max(mask.shape)
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
    size = portrait_size(2 + len(COLUMNS))
    row = [cropped_to_fill(image, size), cropped_to_fill(faded_background(image, mask), size)]
    for method in COLUMNS:
        if not material.has(method, "pfcn"):
            row.append(blank("not run", size))
            continue
        prediction = material.prediction(method, "pfcn", photo)
        picture = cropped_to_fill(faded_background(image, prediction), size)
        row.append(tagged(picture, f"{100 * iou(prediction, mask):.1f}"))
    return row


def _prediction(material: Material, photo: str, score: float) -> Picture:
    picture = faded_background(material.photo("pfcn", photo), material.prediction("bsn", "pfcn", photo))
    return tagged(cropped_to_fill(picture, portrait_size(_EXTREMES)), f"{100 * score:.1f}")
