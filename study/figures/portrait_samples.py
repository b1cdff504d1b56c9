"""Figure 5: sample photos of the COCO, COCO-Stuff and PASCAL VOC portraits."""

from PIL import Image

from study.figures.material import Material, Missing, spread
from study.figures.sheet import GAP, MARGIN, WIDTH, Picture, blank, grid, scaled
from study.paper import SETS

_PHOTOS = 6
_TALLEST = 260


def draw(material: Material) -> tuple[Image.Image, str]:
    """A row a set; the photos keep their proportions and share the row's width."""
    rows, titles = [], []
    for name in ("coco", "cocostuff", "voc"):
        try:
            ids = material.ids(name)
        except Missing as why:
            rows.append([blank(str(why), (WIDTH - 2 * MARGIN, 90))])
            titles.append(SETS[name])
            continue
        rows.append(_filled([material.photo(name, photo) for photo in spread(ids, _PHOTOS)]))
        titles.append(f"{SETS[name]}: {len(ids)} photos")
    caption = "Samples of the COCO, COCO-Stuff and PASCAL VOC portraits, evenly spread over each set."
    return grid(rows, titles=titles), caption


def _filled(photos: list[Picture]) -> list[Picture]:
    """The photos at one height that fills the sheet's width, but no taller than `_TALLEST`."""
    across = WIDTH - 2 * MARGIN - GAP * (len(photos) - 1)
    height = min(_TALLEST, int(across / sum(photo.shape[1] / photo.shape[0] for photo in photos)))
    return [scaled(photo, (height * photo.shape[1] // photo.shape[0], height)) for photo in photos]
