"""How long a method takes per photo: one photo after another, in one process, without reading and writing files."""

import time
from collections.abc import Sequence
from statistics import median

import numpy as np

from bsn.methods.prediction import Method, PhotoFile
from bsn.photos import read_photo

PHOTOS = 8


def seconds_per_photo(method: Method, files: Sequence[PhotoFile]) -> float:
    """Median seconds over at most PHOTOS of the photos, evenly spread over them; the first is segmented before too.

    That one warms up. files: at least one.
    """
    places = np.unique(np.linspace(0, len(files) - 1, PHOTOS).round().astype(int))
    method(read_photo(files[0].photo), files[0].affine)
    return median(_seconds(method, files[place]) for place in places)


def _seconds(method: Method, file: PhotoFile) -> float:
    photo = read_photo(file.photo)
    started = time.perf_counter()
    method(photo, file.affine)
    return time.perf_counter() - started
