"""Training curves of every trained method."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from PIL import Image

from bsn.report.figures import palette
from bsn.report.figures.material import Material, Missing
from bsn.report.figures.sheet import font
from bsn.report.paper import METHODS


def draw(material: Material) -> tuple[Image.Image, str]:
    """Loss against iteration, smoothed; the second phase starts at the dotted line."""
    files = {method: material.curves / method / "curves.csv" for method in METHODS}
    curves = {method: pd.read_csv(file) for method, file in files.items() if file.exists()}
    if not curves:
        raise Missing("No network was trained in this run.")
    caption = (
        "Segmentation loss in training, smoothed; the dotted line starts the second phase, with its smaller "
        "learning rate. Losses of soft and of hard labels are not on one scale."
    )
    with _pyplot() as pyplot:
        figure, axes = pyplot.subplots(figsize=(14, 5.2), dpi=100, layout="constrained")
        for method, rows in curves.items():
            smooth = rows["loss_segmentation"].ewm(span=max(2, len(rows) // 20)).mean()
            width = 3.5 if method == "bsn" else 2.2
            axes.plot(rows["iteration"], smooth, color=palette.METHODS[method], lw=width, label=METHODS[method])
        second = [rows.loc[rows["phase"] == 2, "iteration"].min() for rows in curves.values()]
        for start in sorted({start for start in second if not pd.isna(start)}):
            axes.axvline(start, color=palette.MUTED, lw=1.5, ls=":")
        axes.set(xlabel="iteration", ylabel="segmentation loss", xlim=(0, None), ylim=(0, None))
        axes.legend(facecolor="white", edgecolor="white", framealpha=1, ncols=2)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        pyplot.close(figure)
    return Image.open(buffer).convert("RGB"), caption


@contextmanager
def _pyplot() -> Iterator:
    """matplotlib.pyplot in the typeface and the look of the other figures."""
    import matplotlib
    from matplotlib import font_manager

    matplotlib.use("agg")
    from matplotlib import pyplot

    with tempfile.TemporaryDirectory() as folder:
        # matplotlib takes a typeface only from a file, and reads it when it draws.
        file = Path(folder) / "Aileron.ttf"
        file.write_bytes(font(12).path.getvalue())
        known = list(font_manager.fontManager.ttflist)
        font_manager.fontManager.addfont(file)
        look = {
            "font.family": font_manager.FontProperties(fname=file).get_name(),
            "font.size": 19,
            "text.color": palette.INK,
            "axes.labelcolor": palette.MUTED,
            "axes.edgecolor": "#c5ccd3",
            "axes.linewidth": 1.2,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#e4e8ec",
            "xtick.color": palette.MUTED,
            "ytick.color": palette.MUTED,
            "axes.unicode_minus": False,
        }
        try:
            with pyplot.rc_context(look):
                yield pyplot
        finally:
            font_manager.fontManager.ttflist = known
