"""Small files whose bytes depend on nothing but their content."""

import io
import json
from pathlib import Path

import numpy as np
import scipy.io

# scipy writes the time of day into the header's text of 116 bytes.
MAT_HEADER = b"MATLAB 5.0 MAT-file, Platform: drawn".ljust(116)


def write_mat(file: Path, variables: dict[str, np.ndarray | str]) -> None:
    """A compressed MATLAB 5 file with a constant header."""
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, variables, do_compression=True)
    file.write_bytes(MAT_HEADER + buffer.getvalue()[len(MAT_HEADER) :])


def write_json(file: Path, content: dict) -> None:
    """Compact JSON, as COCO's own files are."""
    file.write_text(json.dumps(content, separators=(", ", ": ")), "utf-8")


def write_lines(file: Path, lines: list[str]) -> None:
    """Lines of text, each ended by a line feed."""
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
