"""The attribute tables: read the user's CSV of one attribute, write the labels of all photos."""

import csv
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from bsn.attributes import Attribute, Labels, Rule
from bsn.errors import InputError
from study.text import read_table


def attribute(name: str, file: Path, *, known: Collection[str], rule: Rule | None = None) -> Attribute:
    """The attribute with what the user's CSV says of it: columns `id` and `name`, one row per photo.

    file: need not be there if there is a rule. known: the ids that there are, of which zeros in front may be left out.
    Raises InputError with file, line and value for a column, an id or a value that is not allowed; without a rule the
    file itself says what the two values are.
    """
    if not file.exists():
        if rule is None:
            raise InputError(f"attribute = {name!r} has no rule; write {file}, with the columns id,{name}")
        return Attribute(name=name, told={}, rule=rule)
    told = _read(file, name, known=known, values=rule.values if rule else None)
    values = sorted(set(told.values()))
    if rule is None and len(values) != 2:
        raise InputError(f"{file}: {name} has the values {', '.join(values) or 'none'}; an attribute has exactly two")
    return Attribute(name=name, told=told, rule=rule)


def write_labels(file: Path, attributes: Sequence[Attribute], photos: Iterable[Labels]) -> None:
    """CSV with the column `id` and, for each attribute, its name and `<name>.source` (rule or user).

    A value that is not known is empty; a photo of which nothing is known has no row.
    """
    names = [a.name for a in attributes]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["id", *(column for name in names for column in (name, f"{name}.source"))])
        for photo in photos:
            found = [photo.values.get(name) for name in names]
            if any(found):
                writer.writerow([photo.id, *(cell for v in found for cell in ((v.value, v.source) if v else ("", "")))])


def _read(file: Path, name: str, *, known: Collection[str], values: tuple[str, str] | None) -> dict[str, str]:
    ids = set(known)
    widths = {len(photo) for photo in ids}
    told: dict[str, str] = {}
    for line, (cell, value) in read_table(file, "id", name):
        place = f"{file}, line {line}"
        if not value or (values is not None and value not in values):
            allowed = ", ".join(values) if values else "a word; take the line out where it is not known"
            raise InputError(f"{place}: {name} = {value!r}; allowed: {allowed}")
        # A spreadsheet makes 1 of 00001.
        padded = {cell.zfill(width) for width in widths} if cell.isdecimal() else set()
        same = [cell] if cell in ids else [*padded & ids]
        if len(same) != 1:
            raise InputError(f"{place}: id = {cell!r} is no photo of the set (ids are written as 00001)")
        if told.setdefault(same[0], value) != value:
            raise InputError(f"{place}: id = {cell!r} has two values; keep one of the lines")
    return told
