"""Find traces of a machine or a time in a file, which outputs of a stage must not hold, as git tracks their hashes."""

import re
from pathlib import Path

TRACES = re.compile(
    r"|".join(
        [
            r"\b20\d\d-\d\d-\d\d\b",  # a date
            r"\d\d:\d\d:\d\d",  # a time
            # A commit: 7, 10 or 40 digits. DVC's hashes and this project's own have 32.
            r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])(?:[0-9a-f]{7}|[0-9a-f]{10}|[0-9a-f]{40})\b",
            r"[Ss]econds",
            r"\d+ cores?\b",
            r"\b(?:torch|torchvision|opencv-python|numpy|facenet-pytorch) \d\S*",  # a package's version
            r"(?<![\w.:/<])/\w+/\w+",  # a path from the root of a file system
        ]
    )
)


def traces(file: Path) -> list[str]:
    """All traces in a text file; none in a file that is not UTF-8 text."""
    try:
        return TRACES.findall(file.read_text("utf-8"))
    except UnicodeDecodeError:
        return []
