"""Series of numbers for plots: band IoU by width, photos in pairs, portraits by margin of the face box."""

import pandas as pd

from study.paper import BASELINE, NAMES, TABLE_2
from study.tables.results import Results


def band_rows(results: Results) -> pd.DataFrame:
    """Mean band IoU on PFCN: one row per `width` in pixels of the photo, one column per method that was measured."""
    bands = {method: results.summary(method, "pfcn").get("band", {}) for method in NAMES}
    table = pd.DataFrame({method: band for method, band in bands.items() if band})
    table.index = table.index.astype(int)
    return table.sort_index().rename_axis("width").reset_index()


def pair_rows(results: Results) -> pd.DataFrame:
    """IoU of PortraitDeepLabv2 and BSN, one row per PFCN photo; no rows unless both were run."""
    methods = (BASELINE, "bsn")
    if not all(method in results.photos for method in methods):
        return pd.DataFrame(columns=pd.Index(["id", *methods]))
    return results.scores("iou", methods).reset_index(names="id")


def margin_rows(results: Results) -> pd.DataFrame:
    """Photos of Table 2, one row per set and margin of the face box: set, margin, photos, photos_paper."""
    counted = {name: results.kept_by_margin(name) or {} for name in TABLE_2}
    rows = [
        {"set": name, "margin": margin, "photos": photos, "photos_paper": TABLE_2[name]}
        for name, counts in counted.items()
        for margin, photos in counts.items()
    ]
    return pd.DataFrame(rows, columns=pd.Index(["set", "margin", "photos", "photos_paper"]))
