"""Trimap-band IoU against the band's width, a column a method: the curves of how well boundaries are met."""

import pandas as pd

from study.tables.choice import NAMES
from study.tables.results import Results


def band_rows(results: Results) -> pd.DataFrame:
    """`width` in pixels of the photo, and the mean band IoU of each method that PFCN was measured for."""
    bands = {method: results.summary(method, "pfcn").get("band", {}) for method in NAMES}
    table = pd.DataFrame({method: band for method, band in bands.items() if band})
    table.index = table.index.astype(int)
    return table.sort_index().rename_axis("width").reset_index()
