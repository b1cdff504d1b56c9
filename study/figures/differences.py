"""Differences between BSN and PortraitDeepLabv2: by photo (scatter plot), and by place in the frame (error maps)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from bsn.alignment import FRAME, aligned_mean_mask, warp_to_frame
from bsn.kernels import IGNORE
from bsn.metrics import paired_difference
from study.figures.material import Material, Missing
from study.figures.plots import picture, pyplot_in_style
from study.figures.sheet import BOUNDARY, FOREGROUND, INK, METHOD_COLOURS, MUTED, PALE
from study.paper import BASELINE, METHODS

OURS = "bsn"
COLUMNS = ("portrait_fcn", "portrait_deeplab", "bsn")  # of the error maps
_COVERAGE = 0.1  # share of the photos that must show a place; the mean of fewer is noise


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


def draw_scatter(material: Material) -> tuple[Image.Image, str]:
    """One point per test photo with the diagonal, and the differences in ascending order."""
    seen = pair_scores(
        *(material.scores(method, "pfcn").loc[:, "iou"] for method in (OURS, BASELINE)), seed=material.seed
    )
    if seen.pairs.empty:
        raise Missing(f"{METHODS[OURS]} and {METHODS[BASELINE]} have no PFCN test photo in common.")
    ours, theirs = METHODS[OURS], METHODS[BASELINE]
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
    axes.set(xlabel=f"IoU of {METHODS[BASELINE]}, %", ylabel=f"IoU of {METHODS[OURS]}, %", xlim=ends, ylim=ends)
    axes.set_aspect("equal")
    corner = {"transform": axes.transAxes, "fontsize": 16}
    axes.text(0.03, 0.97, f"{METHODS[OURS]} better: {seen.above}", color=_BETTER, va="top", **corner)
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


def draw_error_map(material: Material) -> tuple[Image.Image, str]:
    """One panel per method, and BSN minus PortraitDeepLabv2."""
    for method in COLUMNS:
        material.need(method, "pfcn")
    affines = material.affines("pfcn")
    ids = [photo for photo in material.ids("pfcn") if photo in affines]
    if not ids:
        raise Missing("No PFCN test photo has a face to align it by.")
    frames = [affines[photo] for photo in ids]
    masks = [material.mask("pfcn", photo) for photo in ids]
    maps = {}
    for method in COLUMNS:
        answers = (material.prediction(method, "pfcn", photo) for photo in ids)
        maps[method] = error_map(map(errors, answers, masks), frames)
    caption = (
        f"Error maps: share of the {len(ids)} test photos in which a pixel is wrong, with the photos aligned by their "
        f"faces. Line: the 0.5 contour of their mean mask. Right: {METHODS['bsn']} minus {METHODS[BASELINE]}, teal "
        f"where {METHODS['bsn']} has fewer errors. Grey: covered by fewer than {_COVERAGE:.0%} of the photos."
    )
    return _error_panels(maps, aligned_mean_mask(masks, frames)), caption


def errors(prediction: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mark wrong pixels.

    Args:
        prediction: uint8 (H, W), 0 or 1.
        mask: uint8 (H, W), 0, 1 or 255 (ignored).

    Returns:
        uint8 (H, W): 1 where the classes differ, 0 where they agree, 255 where the mask is ignored.
    """
    wrong = (prediction != mask).astype(np.uint8)
    wrong[mask == IGNORE] = IGNORE
    return wrong


def error_map(wrong: Iterable[np.ndarray], affines: Iterable[np.ndarray]) -> np.ndarray:
    """Share of wrong pixels at each place of the face frame, over the photos that show it.

    Args:
        wrong: one map per photo, as `errors` returns it.
        affines: one per photo, (2, 3), from photo to frame.

    Returns:
        float32 (800, 600); NaN where fewer than a tenth of the photos have a labelled pixel.
    """
    total, counted, photos = np.zeros(FRAME, np.float32), np.zeros(FRAME, np.float32), 0
    for photo, affine in zip(wrong, affines, strict=True):
        warped = warp_to_frame(photo, affine)
        total += warped == 1
        counted += warped != IGNORE
        photos += 1
    enough = counted >= max(1, _COVERAGE * photos)
    return np.where(enough, total / np.maximum(counted, 1), np.float32(np.nan))


def _error_panels(maps: dict[str, np.ndarray], mean: np.ndarray) -> Image.Image:
    gain = maps["bsn"] - maps[BASELINE]
    mean = cv2.GaussianBlur(mean, (0, 0), 4)  # a smooth line even from few photos
    with pyplot_in_style() as pyplot:
        # Late for start-up time.
        from matplotlib.colors import LinearSegmentedColormap

        teal, orange = (tuple(value / 255 for value in colour) for colour in (FOREGROUND, BOUNDARY))
        diverging = LinearSegmentedColormap.from_list("teal_orange", [teal, "white", orange])
        figure, axes = pyplot.subplots(1, len(maps) + 1, figsize=(14, 6.1), dpi=100, layout="constrained")
        # One scale for all panels, at a quantile so that a few pixels do not set it.
        brightest = max(100 * float(np.nanquantile(values, 0.998)) for values in maps.values())
        for panel, (method, values) in zip(axes, maps.items(), strict=False):
            heat = panel.imshow(100 * values, cmap="magma", vmin=0, vmax=max(brightest, 1e-3))
            panel.contour(mean, [0.5], colors="white", linewidths=1.5)
            panel.set_title(METHODS[method], fontsize=19)
        reach = max(100 * float(np.nanquantile(np.abs(gain), 0.998)), 1e-3)
        difference = axes[-1].imshow(100 * gain, cmap=diverging, vmin=-reach, vmax=reach)
        axes[-1].contour(mean, [0.5], colors=INK, linewidths=1.5)
        axes[-1].set_title("Difference", fontsize=19)
        for panel in axes:
            panel.set(xticks=[], yticks=[], facecolor=PALE)
            panel.spines[:].set_visible(False)
        look = {"orientation": "horizontal", "shrink": 0.8, "aspect": 40, "pad": 0.03}
        figure.colorbar(heat, ax=axes[:-1], extend="max", label="wrong, % of the photos", **look)
        look |= {"aspect": 14}
        figure.colorbar(difference, ax=axes[-1], extend="both", label="points", **look)
        return picture(figure)
