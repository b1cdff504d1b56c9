"""Figure 8: trimaps from BSN's segmentations."""

import numpy as np
from PIL import Image

from bsn import kernels
from bsn.report.figures.material import Material, spread
from bsn.report.figures.sheet import Picture, cell_width, grid, scaled

_COLUMNS = 6


def draw(material: Material) -> tuple[Image.Image, str]:
    """Photos above their trimaps: portrait white, background black, unknown grey."""
    ids = material.ids("pfcn")
    material.need("bsn", "pfcn")
    width = cell_width(_COLUMNS)
    size = (width, width * 4 // 3)
    chosen = spread(ids, _COLUMNS)
    photos = [scaled(material.photo("pfcn", photo), size) for photo in chosen]
    trimaps = [scaled(_trimap(material, photo), size) for photo in chosen]
    caption = (
        "Trimaps for image matting, from BSN's segmentations of test photos evenly spread over the list: the "
        f"predicted contour, dilated to {material.kernel_width:g} pixels as in training, is the unknown area."
    )
    return grid([photos, trimaps]), caption


def _trimap(material: Material, photo: str) -> Picture:
    codes = kernels.label_codes(material.prediction("bsn", "pfcn", photo), width=material.kernel_width)
    grey = np.where(codes == kernels.FOREGROUND, 255, np.where(codes == kernels.BACKGROUND, 0, 128))
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
