"""How tables and their numbers are written: cells, Markdown, plain text and CSV. None and NaN are written as a dash."""

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import pandas as pd

from study import paper

DASH = "-"
MINUS = "\N{MINUS SIGN}"

Columns = dict[str, Callable[[dict[str, Any]], str]]
"""Heading -> function from a row of the table's frame to the written cell. Bold is Markdown's, `**bold**`."""


@dataclass(frozen=True)
class Table:
    """A table of the report: raw numbers for its CSV, and how each shown column is written."""

    name: str
    caption: str
    frame: pd.DataFrame
    columns: Columns
    notes: tuple[str, ...]
    labels: int = 1
    """Number of columns, from the left, that hold words."""

    def cells(self) -> list[list[str]]:
        """Written cells, one list per row, in the order of `columns`."""
        rows = self.frame.to_dict("records")
        return [[write(row) for write in self.columns.values()] for row in rows]

    def markdown(self) -> str:
        """Caption, table and notes in GitHub's Markdown."""
        heads = list(self.columns)
        rules = [":--"] * self.labels + ["--:"] * (len(heads) - self.labels)
        lines = ["| " + " | ".join(row) + " |" for row in [heads, rules, *self.cells()]]
        notes = "".join(f"\n- {note}" for note in self.notes)
        return f"**{self.caption}**\n\n" + "\n".join(lines) + f"\n{notes}\n"

    def text(self) -> str:
        """Caption, aligned columns and notes for a terminal."""
        rows = [[_starred(cell) for cell in row] for row in self.cells()]
        wrapped = [_wrapped(heading, column) for heading, *column in zip(self.columns, *rows, strict=True)]
        tallest = max(len(lines) for lines in wrapped)
        heads = list(zip(*([""] * (tallest - len(lines)) + lines for lines in wrapped), strict=True))
        widths = [max(len(cell) for cell in column) for column in zip(*heads, *rows, strict=True)]
        lines = [self._aligned(row, widths) for row in [*heads, *rows]]
        across = sum(widths) + 2 * len(widths) - 2
        lines.insert(tallest, "-" * across)
        notes = [
            textwrap.fill(note, max(across, 72), initial_indent="  ", subsequent_indent="  ") for note in self.notes
        ]
        return "\n".join([self.caption, "", *lines, *notes]) + "\n"

    def _aligned(self, row: Sequence[str], widths: list[int]) -> str:
        cells = [
            cell.ljust(width) if place < self.labels else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    def write(self, folder: Path) -> None:
        """Write `<name>.csv` and `<name>.md` into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.frame.to_csv(folder / f"{self.name}.csv", index=False, float_format="%.6g")
        (folder / f"{self.name}.md").write_text(self.markdown(), encoding="utf-8")


def column(write: Callable[..., str], *keys: str) -> Callable[[dict[str, Any]], str]:
    """Column of a `Table` that writes the values of `keys` by `write`, such as `column(percent, "mean_iou")`."""
    return lambda row: write(*(row[key] for key in keys))


def method_name(row: dict[str, Any]) -> str:
    """The row's method as Table 1 writes it."""
    return paper.METHODS[row["method"]]


def _or_dash(write: Callable[..., str]) -> Callable[..., str]:
    @wraps(write)
    def dashed(*values: float | None) -> str:
        missing = any(value is None or math.isnan(value) for value in values)
        return DASH if missing else write(*values)

    return dashed


@_or_dash
def percent(fraction: float) -> str:
    """0.9674 -> 96.7"""
    return f"{100 * fraction:.1f}"


@_or_dash
def signed_percent(fraction: float) -> str:
    """-0.0123 -> −1.2; what rounds to zero has no sign."""
    written = f"{100 * fraction:+.1f}"
    return "0.0" if float(written) == 0 else written.replace("-", MINUS)


@_or_dash
def interval(low: float, high: float) -> str:
    """0.91, 0.934 -> 91.0 to 93.4"""
    return f"{100 * low:.1f} to {100 * high:.1f}"


@_or_dash
def difference(mean: float, low: float, high: float) -> str:
    """0.02, -0.01, 0.05 -> +2.0 (−1.0 to +5.0)"""
    return f"{signed_percent(mean)} ({signed_percent(low)} to {signed_percent(high)})"


@_or_dash
def gain(mean: float, low: float, high: float) -> str:
    """As `difference`, in bold where the interval excludes 0."""
    written = difference(mean, low, high)
    return f"**{written}**" if low > 0 or high < 0 else written


def spread(mean: float, deviation: float) -> str:
    """0.9341, 0.0021 -> 93.4 ± 0.2; the mean alone if the deviation is NaN, as with one seed."""
    return percent(mean) if math.isnan(deviation) else f"{percent(mean)} ± {percent(deviation)}"


@_or_dash
def count(number: float) -> str:
    """1234 -> 1234"""
    return f"{number:.0f}"


@_or_dash
def signed_count(number: float) -> str:
    """-12 -> −12"""
    return f"{number:+.0f}".replace("-", MINUS) if number else "0"


@_or_dash
def parameters(number: float) -> str:
    """1234567 -> 1.23 M; a method without parameters has a dash."""
    return f"{number / 1e6:.2f} M" if number else DASH


@_or_dash
def seconds(number: float) -> str:
    """0.02137 -> 0.021, 0.01 -> 0.010: two significant digits."""
    return f"{number:#.2g}".rstrip(".")


def _starred(cell: str) -> str:
    """Markdown's bold as a leading star."""
    return "*" + cell.replace("**", "") if "**" in cell else cell


def _wrapped(heading: str, column: list[str]) -> list[str]:
    """The heading in lines no wider than its longest word or cell."""
    return textwrap.wrap(heading, max(map(len, [*heading.split(), *column])))
