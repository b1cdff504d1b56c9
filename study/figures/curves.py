"""Training curves of every trained method."""

import pandas as pd
from PIL import Image

from study.figures import palette
from study.figures.material import Material, Missing
from study.figures.plots import picture, pyplot_in_style
from study.paper import METHODS


def draw(material: Material) -> tuple[Image.Image, str]:
    """Loss against iteration, smoothed; the second phase starts at the dotted line."""
    files = {method: material.curves / method / "curves.csv" for method in METHODS}
    curves = {method: pd.read_csv(file) for method, file in files.items() if file.exists()}
    if not curves:
        raise Missing("No network was trained in this run.")
    caption = (
        "Segmentation loss in training, smoothed; the dotted line starts the second phase, with its smaller "
        "learning rate. Losses of soft and of hard labels are not on one scale. BSN_AC is dashed: until the second "
        "phase it is PortraitDeepLabv2."
    )
    with pyplot_in_style() as pyplot:
        figure, axes = pyplot.subplots(figsize=(14, 5.2), dpi=100, layout="constrained")
        for method, rows in curves.items():
            smooth = rows["loss_segmentation"].ewm(span=max(2, len(rows) // 20)).mean()
            look = {"color": palette.METHODS[method], "ls": palette.DASHES.get(method, "-")}
            axes.plot(rows["iteration"], smooth, lw=3.5 if method == "bsn" else 2.4, label=METHODS[method], **look)
        second = [rows.loc[rows["phase"] == 2, "iteration"].min() for rows in curves.values()]
        for start in sorted({start for start in second if not pd.isna(start)}):
            axes.axvline(start, color=palette.MUTED, lw=1.5, ls=":")
        axes.set(xlabel="iteration", ylabel="segmentation loss", xlim=(0, None), ylim=(0, None))
        axes.legend(facecolor="white", edgecolor="white", framealpha=1, ncols=2)
        return picture(figure), caption
