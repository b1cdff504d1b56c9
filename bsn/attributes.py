"""Labels for the boundary-sensitive attributes of section 3.3. An attribute has two values, such as long and short.

The paper's labels were never published. Here hair is labelled by a rule on the mask, aligned so that
eyes and mouth are at fixed pixels of the reference frame. Labels in a user's CSV file override the rule, and are the
only source for any other attribute.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bsn.alignment import REFERENCE_POINTS, warp_to_frame

_LEFT_EYE, _RIGHT_EYE, _, _MOUTH, _ = REFERENCE_POINTS
EYE_DISTANCE = float(_RIGHT_EYE[0] - _LEFT_EYE[0])
MOUTH_ROW = int(_MOUTH[1])


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule that labels photos by their aligned masks.

    Attributes:
        values: the two values of the attribute.
        classify: maps an aligned mask, (800, 600) uint8 {0, 1, 255 = ignored}, to one of them.
    """

    values: tuple[str, str]
    classify: Callable[[np.ndarray], str]


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """An attribute that the network's attribute branch learns, and the sources of its labels.

    Attributes:
        name: such as "hair".
        by_user: labels from the user's CSV file by photo id; they override the rule.
        rule: None if there are only labels from the CSV file.
    """

    name: str
    by_user: Mapping[str, str] = field(default_factory=dict)
    rule: Rule | None = None


@dataclass(frozen=True, kw_only=True)
class Value:
    """Label of one photo for one attribute, and its source: "rule" or "user"."""

    value: str
    source: str


@dataclass(frozen=True, kw_only=True)
class PhotoValues:
    """Labels of one photo by attribute name; attributes without a label are absent."""

    id: str
    values: Mapping[str, Value]


def hair_rule(*, min_width: float, above_mouth: float, below_mouth: float) -> Rule:
    """Rule for long and short hair: long hair fills the notch between cheek and shoulder.

    Hair is long if the portrait is at least `min_width` wide in every row from `above_mouth` above the mouth to
    `below_mouth` below it. With the values 2.6, .5 and .3, compared with labels by eye (attributes/by_eye/hair.csv,
    where hair is long if it reaches below the jaw), on faces detected as in the pipeline:

                                                       long as long, as short   short as long, as short   right
    100 photos of PFCN, on which the rows were chosen                   39, 6                     1, 54    93 %
    100 others, looked at after that                                    39, 8                     1, 52    91 %
    420 drawn portraits, whose hair is known                          164, 36                    0, 220    91 %

    Ten times ten-fold cross-validation of rows and width: 92 % on the first hundred. Without the rows above the mouth:
    85 % there, and 86 % on the second hundred. The rule labels hoods as long hair. It misses ponytails and braids (35
    of the 36 drawn portraits that it misses), and hair that the photo's edge cuts off.

    Args:
        min_width: of the portrait. This and the others are in distances between the eyes.
        above_mouth: from the mouth up to the first row.
        below_mouth: from the mouth down to the last row. Rows outside of the frame are left out.
    """
    first = max(MOUTH_ROW - round(above_mouth * EYE_DISTANCE), 0)
    rows = slice(first, MOUTH_ROW + round(below_mouth * EYE_DISTANCE) + 1)

    def classify(aligned: np.ndarray) -> str:
        narrowest = (aligned[rows] == 1).sum(axis=1).min()
        return "long" if narrowest >= min_width * EYE_DISTANCE else "short"

    return Rule(values=("long", "short"), classify=classify)


def label_photos(
    attributes: Sequence[Attribute],
    photos: Iterable[tuple[str, Callable[[], np.ndarray], np.ndarray | None]],
) -> Iterator[PhotoValues]:
    """Label photos: by the user's CSV files where they have a label, else by the rules.

    Args:
        attributes: to label.
        photos: for each, its id, a function that loads its mask, (H, W) uint8 {0, 1, 255 = ignored}, and the affine
            (2, 3) from photo to frame. Without a face the affine is None, and only the CSV files label the photo.

    Yields:
        The labels of each photo, in the order of `photos`.
    """
    for name, load_mask, affine in photos:
        values = {a.name: Value(value=a.by_user[name], source="user") for a in attributes if name in a.by_user}
        rules = {a.name: a.rule for a in attributes if a.name not in values and a.rule is not None}
        if rules and affine is not None:
            aligned = warp_to_frame(load_mask(), affine)
            values |= {key: Value(value=rule.classify(aligned), source="rule") for key, rule in rules.items()}
        yield PhotoValues(id=name, values=values)
