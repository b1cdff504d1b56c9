"""BSN against PortraitDeepLabv2 photo by photo: the points of a scatter."""

import pandas as pd

from bsn.report.choice import scores
from bsn.report.paper import BASELINE
from bsn.report.results import Results


def pair_rows(results: Results) -> pd.DataFrame:
    """`id` and the IoU of both methods on each PFCN photo; no rows unless both were run."""
    methods = (BASELINE, "bsn")
    if not all(method in results.photos for method in methods):
        return pd.DataFrame(columns=["id", *methods])
    return scores(results, "iou", methods).reset_index(names="id")
