"""A set's numbers from its photos'."""

import numpy as np
import pandas as pd

from bsn.metrics.bands import BAND_WIDTHS
from bsn.metrics.bootstrap import bootstrap
from bsn.metrics.overlap import Overlap, miou_two_class


def summarise(rows: pd.DataFrame, *, seed: int = 0) -> dict:
    """One set's entry of `metrics/<method>.json` from its rows of the photos CSV.

    `mean_iou` is eq. (9), with the 95 % bootstrap interval over photos; `miou_two_class` is pooled over all
    pixels of the set; `boundary_iou`, `boundary_f` and the bands are means over photos. Raises ValueError without rows.
    """
    if rows.empty:
        raise ValueError("there are no photos to summarise; say that the set is absent instead")
    low, high = bootstrap(rows["iou"].to_numpy(), seed=seed)
    counts = Overlap(*(int(rows[name].sum()) for name in Overlap._fields))
    summary = {
        "photos": len(rows),
        "mean_iou": rows["iou"].mean(),
        "mean_iou_low": low,
        "mean_iou_high": high,
        "miou_two_class": miou_two_class(counts),
        "boundary_iou": rows["boundary_iou"].mean(),
        "boundary_f": rows["boundary_f"].mean(),
        "band": {str(width): _rounded(rows[f"band_{width}"].mean()) for width in BAND_WIDTHS},
    }
    return {key: _rounded(value) if isinstance(value, float) else value for key, value in summary.items()}


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
