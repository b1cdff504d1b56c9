"""Where a set's official tree is: in its own `data/raw/<set>` folder, in a folder of the user's, or nowhere."""

import json
from pathlib import Path

SETS = ("pfcn", "coco", "cocostuff", "voc")
SOURCE_FILE = "source.json"
COCO_YEAR = 2017


def tree(raw: Path, *, beside: Path = Path()) -> Path | None:
    """Root of the official tree behind `data/raw/<set>`; None when the user does not have that set.

    beside: the folder that relative paths are relative to. `source.json` has them as the parameters have them, so that
    its bytes are the same on every machine.
    """
    source = _source(raw)
    if "absent" in source:
        return None
    return beside / Path(source["folder"]).expanduser() if "folder" in source else raw


def absence(raw: Path) -> str | None:
    """Why the set is not there, in one line; None when it is there."""
    return _source(raw).get("absent")


def year(raw: Path) -> int:
    """Which COCO annotations are meant, 2014 or 2017."""
    return _source(raw).get("year", COCO_YEAR)


def _source(raw: Path) -> dict:
    file = raw / SOURCE_FILE
    return json.loads(file.read_text("utf-8")) if file.exists() else {}
