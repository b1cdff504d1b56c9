"""CSV files of attribute labels: read a user's labels of one attribute, write the labels of all photos."""

import csv
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from bsn.attributes import Attribute, PhotoValues, Rule
from bsn.errors import InputError
from study.text import read_table


def read_attribute(name: str, file: Path, *, known: Collection[str], rule: Rule | None = None) -> Attribute:
    """Read a user's labels of one attribute: a CSV file with the columns `id` and `name`, one row per photo.

    Args:
        name: of the attribute.
        file: the CSV file; it may be missing if there is a rule.
        known: ids of all photos; the file may omit their leading zeros, as spreadsheets do.
        rule: has the allowed values; without a rule the file must have exactly two different values.

    Raises:
        InputError: the file is missing, or a column, an id or a value is invalid; with file, line and value.
    """
    if not file.exists():
        if rule is None:
            raise InputError(f"attribute = {name!r} has no rule; write {file}, with the columns id,{name}")
        return Attribute(name=name, rule=rule)
    by_user = _read_values(file, name, known=known, allowed=rule.values if rule else None)
    values = sorted(set(by_user.values()))
    if rule is None and len(values) != 2:
        raise InputError(f"{file}: {name} has the values {', '.join(values) or 'none'}; an attribute has exactly two")
    return Attribute(name=name, by_user=by_user, rule=rule)


def write_values(file: Path, attributes: Sequence[Attribute], photos: Iterable[PhotoValues]) -> None:
    """Write the labels of all photos: a CSV file with the columns `id`, and `<name>` and `<name>.source` per attribute.

    A missing label is empty; a photo without any label has no row.

    Args:
        file: to write.
        attributes: of the columns.
        photos: labels of each photo.
    """
    names = [attribute.name for attribute in attributes]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["id", *(column for name in names for column in (name, f"{name}.source"))])
        for photo in photos:
            found = [photo.values.get(name) for name in names]
            if any(found):
                writer.writerow([photo.id, *(cell for v in found for cell in ((v.value, v.source) if v else ("", "")))])


def _read_values(file: Path, name: str, *, known: Collection[str], allowed: tuple[str, str] | None) -> dict[str, str]:
    ids = set(known)
    widths = {len(photo) for photo in ids}
    values: dict[str, str] = {}
    for line, (cell, value) in read_table(file, "id", name):
        place = f"{file}, line {line}"
        if not value or (allowed is not None and value not in allowed):
            expected = ", ".join(allowed) if allowed else "a word; delete the line if the value is not known"
            raise InputError(f"{place}: {name} = {value!r}; allowed: {expected}")
        # Spreadsheets turn 00001 into 1.
        padded = {cell.zfill(width) for width in widths} if cell.isdecimal() else set()
        same = [cell] if cell in ids else [*padded & ids]
        if len(same) != 1:
            raise InputError(f"{place}: id = {cell!r} is no photo of the set (ids are written as 00001)")
        if values.setdefault(same[0], value) != value:
            raise InputError(f"{place}: id = {cell!r} has two values; keep one of the lines")
    return values
