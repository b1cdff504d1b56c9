"""Figure 4: sample photos of the PFCN dataset."""

from PIL import Image

from study.figures.material import Material, spread
from study.figures.sheet import cell_width, grid, scaled

_COLUMNS, _ROWS = 7, 2


def draw(material: Material) -> tuple[Image.Image, str]:
    """Test photos evenly spread over the list."""
    ids = material.ids("pfcn")
    width = cell_width(_COLUMNS)
    size = (width, width * 4 // 3)
    cells = [scaled(material.photo("pfcn", photo), size) for photo in spread(ids, _COLUMNS * _ROWS)]
    rows = [cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)]
    return grid(rows), f"Samples of the PFCN test photos, evenly spread over all {len(ids)}."
