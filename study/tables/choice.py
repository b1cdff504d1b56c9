"""Which photos the page compares methods on: chosen by rule from the photos' own numbers, and never by hand."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from study.paper import BASELINE, FLOOR, METHODS
from study.tables import formats
from study.tables.results import Results

NAMES = {**METHODS, FLOOR: "Mean mask"}


@dataclass(frozen=True)
class Chosen:
    """A photo, the rule that chose it in words, and its number by that rule, as it is written."""

    id: str
    rule: str
    value: str


def scores(results: Results, column: str, methods: Iterable[str]) -> pd.DataFrame:
    """`column` of the PFCN photos CSVs: a row a photo that every method was measured on, a column a method."""
    series = {}
    for method in methods:
        rows = results.photos[method]
        series[method] = rows[rows["set"] == "pfcn"].set_index("id")[column]
    return pd.concat(series, axis=1, join="inner").sort_index() if series else pd.DataFrame()


def choose(iou: pd.DataFrame, boundary: pd.DataFrame) -> list[Chosen]:
    """Up to eight photos, each another one; `iou` and `boundary` are as `scores` returns them.

    A rule whose photo is taken gives its next one, and says so. Rules that need a method that is not there, and
    rules that no photo is left for, are left out.
    """
    chosen: dict[str, Chosen] = {}
    for rule, write, ranked in _rules(iou, boundary):
        for place, (photo, value) in enumerate(ranked.items(), start=1):
            if photo not in chosen:
                said = rule if place == 1 else f"{rule} (no. {place} by this rule)"
                chosen[photo] = Chosen(photo, said, write(value))
                break
    return list(chosen.values())


def subject(methods: Iterable[str]) -> str | None:
    """The method that the rules are about: BSN, or the last one of Table 1 that was run; None without any."""
    run = [method for method in METHODS if method in methods]
    return run[-1] if run else None


def _rules(iou: pd.DataFrame, boundary: pd.DataFrame) -> Iterator[tuple]:
    """Rule in words, how its number is written, and the photos by it, the best fit first."""
    ours = subject(iou)
    if ours is None:
        return
    name = METHODS[ours]
    ranked = iou[ours].dropna().sort_values(kind="stable")
    middle = (len(ranked) - 1) / 2
    by_distance = sorted(range(len(ranked)), key=lambda place: (abs(place - middle), place))
    yield f"{name}'s median photo", formats.percent, ranked.iloc[by_distance]
    yield f"{name}'s best", formats.percent, ranked.iloc[::-1]
    yield f"{name}'s worst", formats.percent, ranked
    if BASELINE in iou and ours != BASELINE:
        gain = (iou[ours] - iou[BASELINE]).dropna().sort_values(kind="stable")
        yield f"{name}'s largest gain over {METHODS[BASELINE]}", formats.signed_percent, gain[gain > 0].iloc[::-1]
        yield f"{name}'s largest loss to {METHODS[BASELINE]}", formats.signed_percent, gain[gain < 0]
    edges = boundary[ours].dropna().sort_values(kind="stable")
    yield f"{name}'s least boundary IoU", formats.percent, edges
    run = iou[[method for method in METHODS if method in iou]]
    apart = (run.max(axis=1) - run.min(axis=1)).dropna().sort_values(kind="stable")
    yield "Methods furthest apart", formats.percent, apart.iloc[::-1]
    if FLOOR in iou:
        yield "Least like the mean mask", formats.percent, iou[FLOOR].dropna().sort_values(kind="stable")
