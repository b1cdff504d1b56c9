"""The four data sets: one module each for download and reader, the portrait filter, and where each set's tree is.

`data/raw/<set>` holds the drawn tree itself, or `source.json`, which says where the user's own or the downloaded tree
is, or why there is none.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from study.runner import user_path

SETS = ("pfcn", "coco", "cocostuff", "voc")
SOURCE_FILE = "source.json"
COCO_YEAR = 2017


@dataclass(frozen=True, kw_only=True)
class Source:
    """Content of `source.json`: where the official tree of a set is.

    Attributes:
        folder: root of the tree, as the parameters give it: relative to the checkout, so that the file has the same
            bytes on every machine.
        absent: why there is no tree, in place of `folder`.
        year: of COCO's annotations, 2014 or 2017.
    """

    folder: str | None = None
    absent: str | None = None
    year: int | None = None


def write_source(raw: Path, source: Source) -> None:
    """Write `source.json` in `raw`, without the fields that are None."""
    known = {key: value for key, value in asdict(source).items() if value is not None}
    (raw / SOURCE_FILE).write_text(json.dumps(known, indent=1) + "\n", "utf-8")


def tree(raw: Path) -> Path | None:
    """Root of the official tree of a set; None when the set is absent.

    Args:
        raw: `data/raw/<set>`.
    """
    source = _read_source(raw)
    if source.absent is not None:
        return None
    return raw if source.folder is None else user_path(source.folder)


def absence(raw: Path) -> str | None:
    """Why the set is absent, in one line; None when it is there."""
    return _read_source(raw).absent


def coco_year(raw: Path) -> int:
    """Year of the COCO annotations in use, 2014 or 2017."""
    return _read_source(raw).year or COCO_YEAR


def _read_source(raw: Path) -> Source:
    file = raw / SOURCE_FILE
    return Source(**json.loads(file.read_text("utf-8"))) if file.exists() else Source()
