"""How long a method takes for a photo: one photo after another, in one process, without reading and writing files."""

import time
from collections.abc import Sequence
from statistics import median

from bsn.data.photos import read_photo
from bsn.methods.prediction import Method, PhotoFile


def seconds_a_photo(method: Method, files: Sequence[PhotoFile]) -> float:
    """Median seconds over the photos, of which there must be one; the first is segmented once before, to warm up."""
    method(read_photo(files[0].photo), files[0].affine)
    return median(_seconds(method, file) for file in files)


def _seconds(method: Method, file: PhotoFile) -> float:
    photo = read_photo(file.photo)
    started = time.perf_counter()
    method(photo, file.affine)
    return time.perf_counter() - started
