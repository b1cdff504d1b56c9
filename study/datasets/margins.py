"""How many photos the rule of section 4.3 keeps when the face box grows by a margin, from `index.csv` alone.

The paper's detector is unnamed, and detectors draw their boxes more or less tightly: MTCNN's are tight.
"""

import pandas as pd

# Shares of the box's size added on each side. The filter looks closely at every face that could count at any of them.
MARGINS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)


def portraits_by_margin(index: pd.DataFrame, *, min_face: float, min_on_mask: float) -> dict[float, int]:
    """For each of MARGINS, how many rows have one person, one face on it, and a box of `min_face` of the photo.

    index: as `pd.read_csv` reads `index.csv`. The box is grown on each side, then clipped to the photo.
    """
    is_portrait = (index["persons"] == 1) & (index["faces"] == 1) & (index["on_mask"] >= min_on_mask)
    rows = index[is_portrait]
    area = rows["height"] * rows["width"]
    return {margin: int((_clipped_area(rows, margin) / area >= min_face).sum()) for margin in MARGINS}


def _clipped_area(rows: pd.DataFrame, margin: float) -> pd.Series:
    across, down = margin * (rows["x1"] - rows["x0"]), margin * (rows["y1"] - rows["y0"])
    width = (rows["x1"] + across).clip(0, rows["width"]) - (rows["x0"] - across).clip(0, rows["width"])
    height = (rows["y1"] + down).clip(0, rows["height"]) - (rows["y0"] - down).clip(0, rows["height"])
    return width * height
