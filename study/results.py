"""The measured numbers of this run, as the tables and the page read them."""

from pathlib import Path

from study.params import Params
from study.tables.results import Results, read_results


def results(params: Params) -> Results:
    """What metrics/ and data/portraits/ hold for these parameters."""
    return read_results(
        Path("metrics"),
        Path("data/portraits"),
        profile=params.profile,
        drawn=params.data.draw is not None,
        seed=params.seed,
        min_face=params.portraits.min_face,
        min_on_mask=params.portraits.min_on_mask,
    )
