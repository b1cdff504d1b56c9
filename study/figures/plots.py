"""Plots by matplotlib in the typeface and the look of the other figures."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from study.figures import palette
from study.figures.sheet import font


@contextmanager
def pyplot_in_style() -> Iterator:
    """matplotlib.pyplot, to draw with inside of the `with`."""
    # A notebook's kernel names its own backend to whatever it starts, where nobody can import it.
    os.environ["MPLBACKEND"] = "agg"
    from matplotlib import font_manager, pyplot

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


def picture(figure: object) -> Image.Image:
    """A matplotlib figure as RGB; the figure is closed."""
    from matplotlib import pyplot

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    pyplot.close(figure)
    return Image.open(buffer).convert("RGB")
