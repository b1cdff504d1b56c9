"""Traces of a machine or a moment in a file: what the outs of a stage, whose hashes git tracks, must not hold."""

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
    """All that the file's text holds; nothing of a file that is no text."""
    try:
        return TRACES.findall(file.read_text("utf-8"))
    except UnicodeDecodeError:
        return []
