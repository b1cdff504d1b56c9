"""Photos are opened in one module only: bsn/photos.py."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
THE_READER = "bsn/photos.py"
OPENS_PICTURES = {"imread", "imdecode", "imreadmulti", "decode_jpeg", "decode_image", "read_image"}
# They open no photos: a figure that matplotlib drew in memory, and the size of a figure for the page.
OTHER_PICTURES = {"study/figures/plots.py", "study/page/document.py"}


def opened_pictures(code: str) -> list[int]:
    """Numbers of the lines that name a function which reads picture files, such as `Image.open` or `cv2.imread`."""
    calls = []
    for node in ast.walk(ast.parse(code)):
        # Attributes, not calls, so that partial(cv2.imread, ...) is found.
        if isinstance(node, ast.Attribute):
            image = getattr(node.value, "id", getattr(node.value, "attr", None)) == "Image"
            if node.attr in OPENS_PICTURES or (image and node.attr == "open"):
                calls.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} & OPENS_PICTURES:
            calls.append(node.lineno)
    return calls


@pytest.mark.parametrize(
    "line", ["cv2.imread(f)", "partial(cv2.imread, f)", "Image.open(f)", "PIL.Image.open(f)", "from cv2 import imread"]
)
def test_a_line_that_opens_a_picture_is_found(line):
    assert opened_pictures(line) == [1]


def test_no_other_module_opens_photos():
    files = [
        file
        for folder in ("bsn", "study", "drawn", "stages", "experiments", "benchmarks")
        for file in (ROOT / folder).rglob("*.py")
    ]
    found = {file.relative_to(ROOT).as_posix() for file in files if opened_pictures(file.read_text())}
    assert found == {THE_READER, *OTHER_PICTURES}
