"""Scatter plot of BSN against PortraitDeepLabv2 with one point per photo, and the differences in order."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from bsn.metrics import paired_difference
from study.figures.material import Material, Missing
from study.figures.plots import picture, pyplot_in_style
from study.figures.sheet import INK, METHOD_COLOURS, MUTED
from study.paper import BASELINE, METHODS

METHOD = "bsn"
_BETTER, _WORSE = METHOD_COLOURS[BASELINE], METHOD_COLOURS["bsn_ik"]


@dataclass(frozen=True)
class PairedScores:
    """IoU of two methods on the same photos."""

    pairs: pd.DataFrame
    """`ours`, `theirs` and `gain` (ours - theirs) by photo id."""
    above: int
    """Photos on which ours is better."""
    below: int
    """Photos on which ours is worse."""
    mean: float
    """Mean gain."""
    low: float
    """Lower end of its 95 % bootstrap interval."""
    high: float


def pair_scores(ours: pd.Series, theirs: pd.Series, *, seed: int) -> PairedScores:
    """Compare two methods over the photos that both have.

    Args:
        ours: IoU by photo id.
        theirs: IoU by photo id.
        seed: of the bootstrap.
    """
    pairs = pd.DataFrame({"ours": ours, "theirs": theirs}).dropna()
    known = pairs["ours"].to_numpy(), pairs["theirs"].to_numpy()
    gains = known[0] - known[1]
    pairs["gain"] = gains
    above, below = int(np.count_nonzero(gains > 0)), int(np.count_nonzero(gains < 0))
    return PairedScores(pairs, above, below, *paired_difference(*known, seed=seed))


def draw(material: Material) -> tuple[Image.Image, str]:
    """One point per test photo with the diagonal, and the differences in ascending order."""
    seen = pair_scores(
        *(material.scores(method, "pfcn").loc[:, "iou"] for method in (METHOD, BASELINE)), seed=material.seed
    )
    if seen.pairs.empty:
        raise Missing(f"{METHODS[METHOD]} and {METHODS[BASELINE]} have no PFCN test photo in common.")
    ours, theirs = METHODS[METHOD], METHODS[BASELINE]
    interval = (
        "" if np.isnan(seen.low) else f", 95 % bootstrap interval {100 * seen.low:+.2f} to {100 * seen.high:+.2f}"
    )
    caption = (
        f"{ours} against {theirs}, one point per PFCN test photo: {ours} is better on {seen.above} of "
        f"{len(seen.pairs)} and worse on {seen.below}. Right: the differences in ascending order; their mean is "
        f"{100 * seen.mean:+.2f} IoU points{interval}. One trained network per method."
    )
    with pyplot_in_style() as pyplot:
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(14, 6.4), dpi=100, layout="constrained")
        _scatter(left, seen)
        _in_order(right, seen)
        return picture(figure), caption


def _scatter(axes: Any, seen: PairedScores) -> None:
    values = 100 * seen.pairs[["ours", "theirs"]]
    spread = max(float(values.max(axis=None) - values.min(axis=None)), 1.0)
    ends = values.min(axis=None) - 0.1 * spread, values.max(axis=None) + 0.1 * spread
    axes.plot(ends, ends, color=MUTED, lw=1.5, ls=":")
    axes.scatter(values["theirs"], values["ours"], c=_colours(seen), s=70, alpha=0.75, lw=0, zorder=3)
    for photo in extremes(seen.pairs.loc[:, "gain"]):
        up = seen.pairs.loc[photo, "gain"] > 0
        axes.annotate(
            photo,
            (values.loc[photo, "theirs"], values.loc[photo, "ours"]),
            # Away from the diagonal, where no points are.
            xytext=(-9, 7) if up else (9, -7),
            textcoords="offset points",
            ha="right" if up else "left",
            va="bottom" if up else "top",
            fontsize=15,
            color=INK,
        )
    axes.set(xlabel=f"IoU of {METHODS[BASELINE]}, %", ylabel=f"IoU of {METHODS[METHOD]}, %", xlim=ends, ylim=ends)
    axes.set_aspect("equal")
    corner = {"transform": axes.transAxes, "fontsize": 16}
    axes.text(0.03, 0.97, f"{METHODS[METHOD]} better: {seen.above}", color=_BETTER, va="top", **corner)
    axes.text(0.97, 0.03, f"worse: {seen.below}", color=_WORSE, ha="right", **corner)


def _in_order(axes: Any, seen: PairedScores) -> None:
    ordered = 100 * seen.pairs.loc[:, "gain"].sort_values(kind="stable")
    colours = [_BETTER if gain > 0 else _WORSE for gain in ordered]
    axes.bar(range(1, len(ordered) + 1), ordered, width=0.85, color=colours, alpha=0.75)
    axes.set_axisbelow(True)
    axes.axhline(0, color=MUTED, lw=1.2)
    axes.axhline(100 * seen.mean, color=INK, lw=2.5, label=f"mean {100 * seen.mean:+.2f}")
    if not np.isnan(seen.low):
        axes.axhspan(100 * seen.low, 100 * seen.high, color=INK, alpha=0.15, lw=0, label="95 % interval")
    axes.set(xlabel="test photos, in order", ylabel="difference of IoU, points", xlim=(0.3, len(ordered) + 0.7))
    axes.legend(facecolor="white", edgecolor="white", framealpha=1, loc="upper left")
    axes.xaxis.get_major_locator().set_params(integer=True)


def extremes(gains: pd.Series) -> list[str]:
    """Ids of the photos with the largest gain and the largest loss, as far as there are any."""
    return [
        str(photo) for photo, there in ((gains.idxmax(), gains.max() > 0), (gains.idxmin(), gains.min() < 0)) if there
    ]


def _colours(seen: PairedScores) -> list[str]:
    return [_BETTER if gain > 0 else _WORSE if gain < 0 else MUTED for gain in seen.pairs["gain"]]
