"""The best and the worst photos of BSN."""

import pandas as pd
from PIL import Image

from study.figures.material import Material
from study.figures.overlay import cutout, outlined
from study.figures.sheet import Picture, cell_width, grid, scaled, tagged

_PHOTOS = 5


def draw(material: Material) -> tuple[Image.Image, str]:
    """For the best and for the worst: a row of photos with the true outline, and BSN's cut-outs below."""
    scores = material.scores("bsn", "pfcn")["iou"]
    ends = {"Best": best_and_worst(scores)[0], "Worst": best_and_worst(scores)[1]}
    rows, titles = [], []
    for title, photos in ends.items():
        if photos:
            rows += [[_truth(material, photo) for photo in photos]]
            rows += [[_answer(material, photo, scores[photo]) for photo in photos]]
            titles += [f"{title}: photo with the true outline", "BSN's cut-out, with its IoU in percent"]
    caption = (
        f"The test photos that BSN segments best ({', '.join(ends['Best'])})"
        + (f" and worst ({', '.join(ends['Worst'])}, the worst first)" if ends["Worst"] else "")
        + f", of all {len(scores)}."
    )
    return grid(rows, titles=titles), caption


def best_and_worst(scores: pd.Series, number: int = _PHOTOS) -> tuple[list[str], list[str]]:
    """At most `number` ids each, the most extreme first; of a few photos none is in both."""
    ordered = scores.sort_values(ascending=False, kind="stable").index.tolist()
    best = ordered[: min(number, (len(ordered) + 1) // 2)]
    return best, ordered[len(best) :][::-1][:number]


def _truth(material: Material, photo: str) -> Picture:
    image = material.photo("pfcn", photo)
    return _cell(outlined(image, material.mask("pfcn", photo), thickness=max(2, image.shape[1] // 100)))


def _answer(material: Material, photo: str, score: float) -> Picture:
    picture = cutout(material.photo("pfcn", photo), material.prediction("bsn", "pfcn", photo))
    return tagged(_cell(picture), f"{100 * score:.1f}")


def _cell(picture: Picture) -> Picture:
    width = cell_width(_PHOTOS)
    return scaled(picture, (width, width * 4 // 3))
