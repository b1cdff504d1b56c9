"""One table of the report, however it is shown: CSV, Markdown, plain text, or cells for the page."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

Columns = dict[str, Callable[[dict], str]]


@dataclass(frozen=True)
class Table:
    """Raw numbers for the CSV, and how each column that people see is written."""

    name: str
    caption: str
    frame: pd.DataFrame
    columns: Columns
    """Heading -> a row of `frame`, as a dict, to its cell. Bold is `**so**`."""
    notes: tuple[str, ...]
    labels: int = 1
    """How many columns, from the left, hold words and not numbers."""

    def cells(self) -> list[list[str]]:
        """The written cells, row by row, in the order of `columns`."""
        rows = self.frame.to_dict("records")
        return [[write(row) for write in self.columns.values()] for row in rows]

    def markdown(self) -> str:
        """The table in GitHub's Markdown: caption, table, notes."""
        heads = list(self.columns)
        rules = [":--"] * self.labels + ["--:"] * (len(heads) - self.labels)
        lines = ["| " + " | ".join(row) + " |" for row in [heads, rules, *self.cells()]]
        notes = "".join(f"\n- {note}" for note in self.notes)
        return f"**{self.caption}**\n\n" + "\n".join(lines) + f"\n{notes}\n"

    def text(self) -> str:
        """The table for a terminal: caption, aligned columns under headings of several lines, notes."""
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
        """Write `<name>.csv` and `<name>.md` into the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.frame.to_csv(folder / f"{self.name}.csv", index=False, float_format="%.6g")
        (folder / f"{self.name}.md").write_text(self.markdown(), encoding="utf-8")


def _starred(cell: str) -> str:
    """Markdown's bold as a leading star."""
    return "*" + cell.replace("**", "") if "**" in cell else cell


def _wrapped(heading: str, column: list[str]) -> list[str]:
    """The heading in as many lines as keep its column narrow."""
    return textwrap.wrap(heading, max(map(len, [*heading.split(), *column])))
