"""Photos of Table 2 against the margin of the face box: how much the counts owe to the detector's boxes."""

import pandas as pd
from PIL import Image

from study.figures import palette
from study.figures.material import Material, Missing
from study.figures.plots import picture, pyplot_in_style
from study.paper import SETS


def draw(material: Material) -> tuple[Image.Image, str]:
    """A panel a set: our count by margin, and the paper's as a dashed line."""
    rows = pd.read_csv(material.margins) if material.margins.exists() else pd.DataFrame()
    if rows.empty:
        raise Missing("No COCO, COCO-Stuff or PASCAL VOC photos in this run.")
    caption = (
        "Photos that the rule of Table 2 keeps when the detected face box is first grown by a margin on each side, "
        "then clipped. The paper names neither its detector nor a margin; the dashed line is its count."
    )
    panels = list(rows.groupby("set", sort=False))
    with pyplot_in_style() as pyplot:
        figure, axes = pyplot.subplots(
            1, len(panels), figsize=(14, 5.2), dpi=100, layout="constrained", squeeze=False, sharex=True
        )
        for place, (panel, (name, counts)) in enumerate(zip(axes[0], panels, strict=True)):
            colour, published = palette.SETS[name], counts["photos_paper"].iloc[0]
            panel.plot(100 * counts["margin"], counts["photos"], color=colour, lw=3, marker="o", ms=8, label="ours")
            panel.axhline(published, color=palette.MUTED, lw=2, ls="--", label="paper")
            tallest = max(published, counts["photos"].max())
            panel.set(title=SETS[name], xlabel="margin, % of the box", ylim=(0, 1.12 * tallest))
            if not place:
                panel.set_ylabel("portraits")
                panel.legend(facecolor="white", edgecolor="white", framealpha=1, loc="best")
        return picture(figure), caption
