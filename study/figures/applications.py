"""Figure 9: what a portrait mask is good for."""

from PIL import Image

from bsn.cutout import effects
from bsn.cutout.cutout import Cutout
from study.figures.material import Material
from study.figures.scenes import evening, sunburst
from study.figures.sheet import Picture, cell_width, grid, scaled
from study.figures.stylisation import painting, pencil

_ROWS = 2


def draw(material: Material) -> tuple[Image.Image, str]:
    """The test photos that BSN segments best, through each effect."""
    scores = material.scores("bsn", "pfcn")["iou"]
    best = scores.sort_values(ascending=False, kind="stable").index[:_ROWS].tolist()
    cutouts = [material.cutout("bsn", "pfcn", photo) for photo in best]
    rows = [[_cell(cutout.photo), *map(_cell, applied(cutout).values())] for cutout in cutouts]
    caption = (
        "Applications of BSN's own masks with the matte of `python -m bsn segment`: a new background, depth of field, "
        f"cartoon, and stylisation. The photos are those that BSN segments best: {' and '.join(best)}."
    )
    return grid(rows, heads=["Photo", *applied(cutouts[0])]), caption


def applied(cutout: Cutout) -> dict[str, Picture]:
    """Each effect's name -> the photo through it, at its own size."""
    front, behind, alpha = cutout.foreground, cutout.background, cutout.alpha
    pairs = {
        "Background replaced": (front, evening(*alpha.shape)),
        "Depth of field": (front, effects.out_of_focus(behind, alpha)),
        "Cartoon": (effects.cartoon(front), sunburst(*alpha.shape)),
        "Stylised": (painting(front), pencil(behind)),
    }
    return {name: effects.composite(above, alpha, below) for name, (above, below) in pairs.items()}


def _cell(picture: Picture) -> Picture:
    width = cell_width(5)
    return scaled(picture, (width, width * 4 // 3))
