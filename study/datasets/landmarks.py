"""Five points and the alignment of each kept photo: by PFCN's own trackers, else by MTCNN."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from bsn.alignment import five_points, similarity_to_frame
from bsn.errors import InputError, brief
from bsn.faces import Detector
from bsn.photos import read_photo
from study.datasets.index import FaceRow, PhotoRow
from study.datasets.pfcn import tracker


def pfcn_faces(rows: Iterable[PhotoRow], *, root: Path, portraits: Path, detector: Detector) -> Iterator[FaceRow]:
    """Find the faces of PFCN's kept photos, by the tracker or else by the detector.

    Args:
        rows: the kept photos.
        root: the release.
        portraits: the index's folder, with the photos.
        detector: for photos without a usable tracker.
    """
    for row in rows:
        try:
            points = tracker(root, row.id)
        except InputError:
            points = None
        if points is not None:
            yield _aligned(row.id, "tracker", five_points(points))
            continue
        photo = read_photo(portraits / row.image)
        try:
            faces = detector.detect(photo)
        except Exception as error:
            print(
                f"{row.image}: face detection failed ({brief(error)}): taken as without a face",
                file=sys.stderr,
            )
            faces = []
        yield _aligned(row.id, "mtcnn", faces[0].points) if faces else FaceRow(id=row.id, source="none")


def indexed_faces(rows: Iterable[PhotoRow]) -> Iterator[FaceRow]:
    """The faces of another set's kept photos, which the filter has found already."""
    for row in rows:
        yield FaceRow(id=row.id, source="none") if row.points is None else _aligned(row.id, "mtcnn", row.points)


def _aligned(name: str, source: str, points: np.ndarray) -> FaceRow:
    return FaceRow(id=name, source=source, points=points, affine=similarity_to_frame(points))
