"""Boundary-sensitive attributes (section 3.3): long or short hair by a rule on mask and face, others by the user.

The paper's authors labelled by hand and never published it. An attribute has two values, as its branch has two
neurons. What a photo's value is comes from the user's CSV, and from a rule where there is one and the user says
nothing; a rule is asked in the reference frame, where eyes and mouth of every face are in the same places.
"""

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bsn.alignment import REFERENCE_POINTS, warp_to_frame
from bsn.data.text import read_table
from bsn.errors import InputError

_LEFT_EYE, _RIGHT_EYE, _, _MOUTH, _ = REFERENCE_POINTS
EYE_DISTANCE = float(_RIGHT_EYE[0] - _LEFT_EYE[0])
MOUTH_ROW = int(_MOUTH[1])


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`tell` gives one of the two `values` for an aligned mask, uint8 (800, 600) with 255 outside of the photo."""

    values: tuple[str, str]
    tell: Callable[[np.ndarray], str]


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """told: the user's word by photo id; it goes before the rule's. rule: None where only the user tells."""

    name: str
    told: Mapping[str, str]
    rule: Rule | None = None


@dataclass(frozen=True, kw_only=True)
class Value:
    """One photo's value of one attribute, and whether the `rule` or the `user` said so."""

    value: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Labels:
    """One photo's known values by the attribute's name."""

    id: str
    values: Mapping[str, Value]


def hair_rule(*, min_width: float, above_mouth: float, below_mouth: float) -> Rule:
    """Long hair fills the notch between cheek and shoulder.

    Hair is long when the portrait is at least `min_width` wide in each row from `above_mouth` over the mouth to
    `below_mouth` under it, all three in distances between the eyes. With 2.6, .5 and .3, against labels by looking
    (attributes/by_eye/hair.csv; long is what reaches below the jaw), faces found as the pipeline finds them:

                                                          long told long, short   short told long, short   right
    100 photos of PFCN, on which the rows were chosen                    39, 6                    1, 54    93 %
    100 others, looked at after that                                     39, 8                    1, 52    91 %
    420 drawn portraits, whose hair is known                        164, 36                    0, 220    91 %

    Chosen anew in each of 10 x 10 folds, rows and width are right on 92 % of the first hundred; without the rows above
    the mouth it is 85 %, and 86 % of the second hundred. It takes hoods for long hair, and misses ponytails and braids
    (35 of the 36 drawn ones that it misses) and what the photo's own edge cuts off.
    """
    rows = slice(MOUTH_ROW - round(above_mouth * EYE_DISTANCE), MOUTH_ROW + round(below_mouth * EYE_DISTANCE) + 1)

    def tell(aligned: np.ndarray) -> str:
        narrowest = (aligned[rows] == 1).sum(axis=1).min()
        return "long" if narrowest >= min_width * EYE_DISTANCE else "short"

    return Rule(values=("long", "short"), tell=tell)


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


def label(
    attributes: Sequence[Attribute],
    photos: Iterable[tuple[str, Callable[[], np.ndarray], np.ndarray | None]],
) -> Iterator[Labels]:
    """What is known of each photo, in the order given.

    photos: id, a loader of its mask (H, W) and its affine (2, 3) to the frame. A photo without a face (affine None)
    has the values that the user tells, and no others.
    """
    for name, load_mask, affine in photos:
        values = {a.name: Value(value=a.told[name], source="user") for a in attributes if name in a.told}
        asked = [a for a in attributes if a.name not in values and a.rule is not None]
        if asked and affine is not None:
            aligned = warp_to_frame(load_mask(), affine)
            values |= {a.name: Value(value=a.rule.tell(aligned), source="rule") for a in asked}
        yield Labels(id=name, values=values)


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
