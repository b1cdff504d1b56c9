"""Plots by matplotlib, in the typeface and colours of the other figures: IoU by band, training curves, margins."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from PIL import Image

from bsn.metrics import BAND_WIDTHS, bootstrap
from study.figures.material import Material, Missing
from study.figures.sheet import INK, METHOD_COLOURS, METHOD_DASHES, MUTED, SET_COLOURS, font
from study.paper import BASELINE, METHODS, SETS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHADED = (BASELINE, "bsn")
_LEGEND: dict[str, Any] = {"facecolor": "white", "edgecolor": "white", "framealpha": 1}


@contextmanager
def pyplot_in_style() -> Iterator[Any]:
    """Context in which matplotlib.pyplot, its value, draws in the style of the report."""
    # Jupyter exports its own backend to every process it starts, and it cannot be imported there.
    os.environ["MPLBACKEND"] = "agg"
    # Imported late for start-up time, and after the backend is set.
    from matplotlib import font_manager, pyplot

    with tempfile.TemporaryDirectory() as folder:
        # matplotlib takes a typeface only from a file, and reads it when it draws.
        file = Path(folder) / "Aileron.ttf"
        file.write_bytes(cast(io.BytesIO, font(12).path).getvalue())
        known = list(font_manager.fontManager.ttflist)
        font_manager.fontManager.addfont(file)
        look: dict[Any, Any] = {
            "font.family": font_manager.FontProperties(fname=file).get_name(),
            "font.size": 19,
            "text.color": INK,
            "axes.labelcolor": MUTED,
            "axes.edgecolor": "#c5ccd3",
            "axes.linewidth": 1.2,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#e4e8ec",
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "axes.unicode_minus": False,
        }
        try:
            with pyplot.rc_context(look):
                yield pyplot
        finally:
            font_manager.fontManager.ttflist = known


def picture(figure: "Figure") -> Image.Image:
    """Render a matplotlib figure as RGB and close it."""
    from matplotlib import pyplot  # late for start-up time

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    pyplot.close(figure)
    return Image.open(buffer).convert("RGB")


def draw_bands(material: Material) -> tuple[Image.Image, str]:
    """Mean trimap-band IoU against the band's width, one line per method."""
    scores = {}
    for method in METHODS:
        with suppress(Missing):
            scores[method] = material.scores(method, "pfcn")
    if not scores:
        raise Missing("No method was run on PFCN.")
    shaded = [method for method in _SHADED if method in scores]
    names = " and ".join(METHODS[method] for method in shaded)
    caption = (
        "IoU near the boundary: only pixels in a band along the true contour are counted. Horizontal axis: width of "
        "the band. Lines: means over the PFCN test photos."
        + (f" Shaded: 95 % bootstrap interval of {names}." if shaded else "")
    )
    with pyplot_in_style() as pyplot:
        figure, axes = pyplot.subplots(figsize=(14, 6.2), dpi=100, layout="constrained")
        for method, rows in scores.items():
            colour = METHOD_COLOURS[method]
            if method in shaded:
                low, high = band_intervals(rows, seed=material.seed)
                axes.fill_between(BAND_WIDTHS, 100 * low, 100 * high, color=colour, alpha=0.15, lw=0)
            look = {"color": colour, "ls": METHOD_DASHES.get(method, "-"), "marker": "o", "ms": 6}
            look |= {"lw": 3.5, "zorder": 3} if method == "bsn" else {"lw": 2.4}
            axes.plot(BAND_WIDTHS, 100 * band_means(rows), label=METHODS[method], **look)
        axes.set(xlabel="width of the band, pixels", ylabel="IoU in the band, %", xticks=BAND_WIDTHS)
        axes.legend(loc="lower right", ncols=2, fontsize=17, **_LEGEND)
        return picture(figure), caption


def draw_curves(material: Material) -> tuple[Image.Image, str]:
    """Smoothed training loss against iteration, one line per method; phase two starts at the dotted line."""
    files = {method: material.models / method / "curves.csv" for method in METHODS}
    curves = {method: pd.read_csv(file) for method, file in files.items() if file.exists()}
    if not curves:
        raise Missing("No network was trained in this run.")
    caption = (
        "Segmentation loss in training, smoothed. Dotted line: start of phase two. Losses on soft and on hard labels "
        "are not comparable. BSN_AC is dashed because it equals PortraitDeepLabv2 in phase one."
    )
    with pyplot_in_style() as pyplot:
        figure, axes = pyplot.subplots(figsize=(14, 5.2), dpi=100, layout="constrained")
        for method, rows in curves.items():
            smooth = rows["loss_segmentation"].ewm(span=max(2, len(rows) // 20)).mean()
            look = {"color": METHOD_COLOURS[method], "ls": METHOD_DASHES.get(method, "-")}
            axes.plot(rows["iteration"], smooth, lw=3.5 if method == "bsn" else 2.4, label=METHODS[method], **look)
        second = [rows.loc[rows["phase"] == 2, "iteration"].min() for rows in curves.values()]
        for start in sorted({start for start in second if not pd.isna(start)}):
            axes.axvline(start, color=MUTED, lw=1.5, ls=":")
        axes.set(xlabel="iteration", ylabel="segmentation loss", xlim=(0, None), ylim=(0, None))
        axes.legend(ncols=2, **_LEGEND)
        return picture(figure), caption


def draw_margins(material: Material) -> tuple[Image.Image, str]:
    """Photos of Table 2 against the margin of the face box, one panel per set, with the paper's count dashed."""
    rows = pd.read_csv(material.margins) if material.margins.exists() else pd.DataFrame()
    if rows.empty:
        raise Missing("No COCO, COCO-Stuff or PASCAL VOC photos in this run.")
    caption = (
        "Photos that pass the filter of Table 2 when the detected face box is first enlarged by a margin on each side "
        "and clipped to the photo. The paper names neither its detector nor a margin. Dashed line: the paper's count."
    )
    panels = list(rows.groupby("set", sort=False))
    with pyplot_in_style() as pyplot:
        figure, axes = pyplot.subplots(
            1, len(panels), figsize=(14, 5.2), dpi=100, layout="constrained", squeeze=False, sharex=True
        )
        for place, (panel, (name, counts)) in enumerate(zip(axes[0], panels, strict=True)):
            colour, published = SET_COLOURS[str(name)], counts["photos_paper"].iloc[0]
            panel.plot(100 * counts["margin"], counts["photos"], color=colour, lw=3, marker="o", ms=8, label="ours")
            panel.axhline(published, color=MUTED, lw=2, ls="--", label="paper")
            tallest = max(published, counts["photos"].max())
            panel.set(title=SETS[str(name)], xlabel="margin, % of the box", ylim=(0, 1.12 * tallest))
            if not place:
                panel.set_ylabel("portraits")
                panel.legend(loc="best", **_LEGEND)
        return picture(figure), caption


def band_means(scores: pd.DataFrame) -> np.ndarray:
    """Mean IoU of each band over the photos that have it, float64 (len(BAND_WIDTHS),)."""
    return scores[[f"band_{width}" for width in BAND_WIDTHS]].mean().to_numpy()


def band_intervals(scores: pd.DataFrame, *, seed: int) -> np.ndarray:
    """Lower and upper end of each band's 95 % bootstrap interval, float64 (2, len(BAND_WIDTHS))."""
    return np.transpose([bootstrap(scores[f"band_{width}"].to_numpy(), seed=seed) for width in BAND_WIDTHS])
