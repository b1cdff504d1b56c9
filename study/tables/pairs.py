"""BSN against PortraitDeepLabv2 photo by photo: the points of a scatter."""

import pandas as pd

from study.paper import BASELINE
from study.tables.choice import scores
from study.tables.results import Results


def pair_rows(results: Results) -> pd.DataFrame:
    """`id` and the IoU of both methods on each PFCN photo; no rows unless both were run."""
    methods = (BASELINE, "bsn")
    if not all(method in results.photos for method in methods):
        return pd.DataFrame(columns=["id", *methods])
    return scores(results, "iou", methods).reset_index(names="id")
