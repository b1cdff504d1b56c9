"""Figure 8: trimaps from BSN's segmentations."""

import numpy as np
from PIL import Image

from study.figures.material import Material, spread
from study.figures.sheet import cell_width, grid, scaled

_COLUMNS = 6


def draw(material: Material) -> tuple[Image.Image, str]:
    """Photos above their trimaps: portrait white, background black, unknown grey."""
    ids = material.ids("pfcn")
    material.need("bsn", "pfcn")
    width = cell_width(_COLUMNS)
    size = (width, width * 4 // 3)
    cutouts = [material.cutout("bsn", "pfcn", photo) for photo in spread(ids, _COLUMNS)]
    photos = [scaled(cutout.photo, size) for cutout in cutouts]
    trimaps = [scaled(np.dstack([cutout.trimap] * 3), size) for cutout in cutouts]
    caption = (
        "Trimaps for image matting, as `python -m bsn segment --trimap` makes them, from BSN's segmentations of test "
        f"photos evenly spread over the list: the predicted contour, dilated to {material.kernel_width:g} pixels of "
        "an 800x600 photo as in training, is the unknown area."
    )
    return grid([photos, trimaps]), caption
