"""Boundary-sensitive attributes (section 3.3): long or short hair by a rule on mask and face, or by the user's word.

The paper's authors labelled by hand and never published it. An attribute is its name, its values and a rule; the rule
is asked in the reference frame, where eyes and mouth of every face are in the same places.
"""

import csv
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bsn.alignment import REFERENCE_POINTS, warp_to_frame
from bsn.errors import InputError

_LEFT_EYE, _RIGHT_EYE, _, _MOUTH, _ = REFERENCE_POINTS
EYE_DISTANCE = float(_RIGHT_EYE[0] - _LEFT_EYE[0])
MOUTH_ROW = int(_MOUTH[1])


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """`rule` gives one of `values` for an aligned mask, uint8 (800, 600) with 255 outside of the photo."""

    name: str
    values: tuple[str, ...]
    rule: Callable[[np.ndarray], str]


@dataclass(frozen=True, kw_only=True)
class Label:
    """One photo's value of an attribute, and whether the `rule` or the `user` said so."""

    id: str
    value: str
    source: str


def hair(*, min_width: float, below_mouth: float) -> Attribute:
    """Long hair fills the notch between jaw and shoulders.

    Hair is long when the portrait stays at least `min_width` wide in each row from the mouth to `below_mouth` under
    it; both in distances between the eyes. On 100 photos of PFCN labelled by looking (tests/hair_labels.csv, 93 of
    them with a tracker) 2.6 and 0.3 agree with 88 %, 85 % when each is left out of the fitting of `min_width`; it
    takes hoods, bushy short hair and broad jaws for long hair, and misses ponytails and braids on one side.
    """
    rows = slice(MOUTH_ROW, MOUTH_ROW + max(1, round(below_mouth * EYE_DISTANCE)))

    def rule(aligned: np.ndarray) -> str:
        narrowest = (aligned[rows] == 1).sum(axis=1).min()
        return "long" if narrowest >= min_width * EYE_DISTANCE else "short"

    return Attribute(name="hair", values=("long", "short"), rule=rule)


def label(
    attribute: Attribute,
    photos: Iterable[tuple[str, Callable[[], np.ndarray], np.ndarray | None]],
    *,
    overrides: dict[str, str],
) -> Iterator[Label]:
    """One row a photo, in the order given; the user's word goes before the rule's.

    photos: id, a loader of its mask (H, W) and its affine (2, 3) to the frame. A photo without a face (affine None)
    that the user says nothing of has no row: its value is unknown.
    """
    for name, load_mask, affine in photos:
        if name in overrides:
            yield Label(id=name, value=overrides[name], source="user")
        elif affine is not None:
            value = attribute.rule(warp_to_frame(load_mask(), affine))
            yield Label(id=name, value=value, source="rule")


def read_overrides(file: Path, attribute: Attribute, *, known: Collection[str]) -> dict[str, str]:
    """The user's CSV, columns `id` and the attribute's name; `known` are the ids that there are.

    Raises InputError with file, line and value for a column, an id or a value that is not allowed.
    """
    with file.open(newline="", encoding="utf-8-sig") as stream:
        table = csv.DictReader(stream)
        if not {"id", attribute.name} <= set(table.fieldnames or ()):
            raise InputError(f"{file}: the first line must name the columns id,{attribute.name}")
        overrides: dict[str, str] = {}
        for cells in table:
            place, name, value = f"{file}, line {table.line_num}", cells["id"], cells[attribute.name]
            if value not in attribute.values:
                raise InputError(f"{place}: {attribute.name} = {value!r}; allowed: {', '.join(attribute.values)}")
            if name not in known:
                raise InputError(f"{place}: id = {name!r} is no photo of the set (ids are written as 00001)")
            if overrides.setdefault(name, value) != value:
                raise InputError(f"{place}: id = {name!r} has two values; keep one of the lines")
    return overrides


def write_labels(file: Path, attribute: Attribute, labels: Iterable[Label]) -> None:
    """CSV with the columns `id`, the attribute's name, and `source` (rule or user)."""
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["id", attribute.name, "source"])
        writer.writerows([row.id, row.value, row.source] for row in labels)
