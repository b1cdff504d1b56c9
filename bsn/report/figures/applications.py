"""Figure 9: what a portrait mask is good for."""

from PIL import Image

from bsn.metrics import iou
from bsn.report.figures import effects
from bsn.report.figures.material import Material
from bsn.report.figures.sheet import Picture, cell_width, grid, scaled

_EFFECTS = {
    "Background replaced": effects.replaced,
    "Depth of field": effects.depth_of_field,
    "Cartoon": effects.cartoon,
    "Stylised": effects.stylised,
}
_ROWS = 2


def draw(material: Material) -> tuple[Image.Image, str]:
    """The test photos that BSN segments best, through each effect."""
    ids = material.ids("pfcn")
    material.need("bsn", "pfcn")
    scores = {p: iou(material.prediction("bsn", "pfcn", p), material.mask("pfcn", p)) for p in ids}
    best = sorted(ids, key=lambda photo: -scores[photo])[:_ROWS]
    caption = (
        "Applications of BSN's own masks, with a soft edge: a new background, depth of field, cartoon, and "
        f"stylisation. The photos are those that BSN segments best: {' and '.join(best)}."
    )
    return grid([_row(material, photo) for photo in best], heads=["Photo", *_EFFECTS]), caption


def _row(material: Material, photo: str) -> list[Picture]:
    image = material.photo("pfcn", photo)
    alpha = effects.soft_edge(image, material.prediction("bsn", "pfcn", photo))
    width = cell_width(1 + len(_EFFECTS))
    size = (width, width * 4 // 3)
    return [scaled(image, size), *(scaled(effect(image, alpha), size) for effect in _EFFECTS.values())]
