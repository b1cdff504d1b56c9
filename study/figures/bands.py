"""Trimap-band IoU: how good the methods are near the boundary, and how near."""

import numpy as np
import pandas as pd
from PIL import Image

from bsn.metrics import BAND_WIDTHS, bootstrap
from study.figures import palette
from study.figures.material import Material, Missing
from study.figures.plots import picture, pyplot_in_style
from study.paper import METHODS

SHADED = ("portrait_deeplab", "bsn")


def draw(material: Material) -> tuple[Image.Image, str]:
    """A line a method: mean IoU inside the band against its width."""
    curves = {method: band_means(material.scores(method, "pfcn")) for method in METHODS if _scored(material, method)}
    if not curves:
        raise Missing("No method was run on PFCN.")
    shaded = [method for method in SHADED if method in curves]
    caption = (
        "IoU near the boundary: only pixels within a band around the true contour are counted, and the band grows "
        "from left to right. Means over the PFCN test photos"
        + (f"; shaded, the 95 % bootstrap interval of {_names(shaded)}." if shaded else ".")
    )
    with pyplot_in_style() as pyplot:
        figure, axes = pyplot.subplots(figsize=(14, 6.2), dpi=100, layout="constrained")
        for method, means in curves.items():
            colour = palette.METHODS[method]
            if method in shaded:
                low, high = band_intervals(material.scores(method, "pfcn"), seed=material.seed)
                axes.fill_between(BAND_WIDTHS, 100 * low, 100 * high, color=colour, alpha=0.15, lw=0)
            look = {"color": colour, "ls": palette.DASHES.get(method, "-"), "marker": "o", "ms": 6}
            look |= {"lw": 3.5, "zorder": 3} if method == "bsn" else {"lw": 2.4}
            axes.plot(BAND_WIDTHS, 100 * means, label=METHODS[method], **look)
        axes.set(xlabel="width of the band, pixels", ylabel="IoU in the band, %", xticks=BAND_WIDTHS)
        axes.legend(facecolor="white", edgecolor="white", framealpha=1, loc="lower right", ncols=2, fontsize=17)
        return picture(figure), caption


def band_means(scores: pd.DataFrame) -> np.ndarray:
    """Mean over photos of each band's IoU, float64 (len(BAND_WIDTHS),); a photo without the band is left out."""
    return scores[[f"band_{width}" for width in BAND_WIDTHS]].mean().to_numpy()


def band_intervals(scores: pd.DataFrame, *, seed: int) -> np.ndarray:
    """Lower and upper end of each band's 95 % bootstrap interval, float64 (2, len(BAND_WIDTHS))."""
    return np.transpose([bootstrap(scores[f"band_{width}"].to_numpy(), seed=seed) for width in BAND_WIDTHS])


def _scored(material: Material, method: str) -> bool:
    try:
        return not material.scores(method, "pfcn").empty
    except Missing:
        return False


def _names(methods: list[str]) -> str:
    return " and ".join(METHODS[method] for method in methods)
