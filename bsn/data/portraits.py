"""Which photos are portraits (section 4.3), with a verdict and its reason for every photo looked at.

COCO, COCO-Stuff and VOC: exactly one person by the annotations, exactly one face, its box clipped to the
photo at least a tenth of it, and the face on that person's mask. PFCN: its own lists, less what is broken,
and less the training photos that are test photos as well.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from bsn.data.candidates import Candidate
from bsn.data.pfcn import same_photo, thumbnail
from bsn.data.photos import read_photo
from bsn.data.tables import PhotoRow, write_index
from bsn.errors import InputError
from bsn.faces import Detector, share_on_mask

# A face's box can be larger than its person's mask: of 608 COCO photos, asking for a mask as large as the
# smallest face lost a portrait, half of that lost none.
MASK_SLACK = 0.5

# One photo's verdict and, when it is kept, its mask.
Judged = tuple[Candidate, PhotoRow, np.ndarray | None]


class _Rejected(Exception):
    """The reason why a photo is no portrait."""


@dataclass(frozen=True, kw_only=True)
class PortraitRule:
    """What the filter asks of a photo; all three are fractions.

    `min_face`: smallest share of the photo that the face's box covers, once the box has grown by `box_margin`
    of its size on each side and been clipped. `min_on_mask`: smallest share of the box that is the person.
    """

    min_face: float
    min_on_mask: float
    box_margin: float

    @property
    def min_detected(self) -> float:
        """Smallest share of the photo that a box can have before it grows."""
        return self.min_face / (1 + 2 * self.box_margin) ** 2


def judge_portraits(candidates: Iterable[Candidate], *, detector: Detector, rule: PortraitRule) -> Iterator[Judged]:
    """The paper's rule on COCO, COCO-Stuff and VOC: cheap checks first, so that few photos are decoded."""
    for candidate in candidates:
        row, mask = PhotoRow(id=candidate.id, split=candidate.split), None
        try:
            _check_persons(candidate, row)
            mask = candidate.load_mask()
            _check_area(mask, row, rule)
            photo = _photo(candidate, mask, row)
            _check_face(photo, mask, row, detector, rule)
            row.kept = True
        except (_Rejected, InputError) as reason:
            row.reason = str(reason)
        yield candidate, row, mask if row.kept else None


def judge_lists(candidates: Iterable[Candidate]) -> Iterator[Judged]:
    """PFCN: all that its lists name and that can be read. The test photos must come first."""
    tests: list[tuple[str, np.ndarray]] = []
    for candidate in candidates:
        row, mask = PhotoRow(id=candidate.id, split=candidate.split), None
        try:
            mask = candidate.load_mask()
            _check_content(mask, row)
            small = thumbnail(_photo(candidate, mask, row))
            if candidate.split == "test":
                tests.append((candidate.id, small))
            elif twins := [name for name, test in tests if same_photo(small, test)]:
                raise _Rejected(f"also in the test list: {', '.join(twins)}")
            row.kept = True
        except (_Rejected, InputError) as reason:
            row.reason = str(reason)
        yield candidate, row, mask if row.kept else None


def write_portraits(judged: Iterable[Judged], out: Path, *, total: int) -> list[PhotoRow]:
    """Write `images/` (the original bytes), `masks/` (PNG) and `index.csv` under `out`; return its rows."""
    for folder in (out / "images", out / "masks"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    rows = []
    for candidate, row, mask in tqdm(judged, total=total, desc=out.name, unit=" photos"):
        if mask is not None:
            row.image = f"images/{row.id}{candidate.photo.suffix.lower()}"
            row.mask = f"masks/{row.id}.png"
            shutil.copyfile(candidate.photo, out / row.image)
            cv2.imwrite(str(out / row.mask), mask)
        rows.append(row)
    write_index(out / "index.csv", rows)
    return rows


def _check_persons(candidate: Candidate, row: PhotoRow) -> None:
    row.persons = candidate.count_persons()
    if candidate.rejection:
        raise _Rejected(candidate.rejection)
    if row.persons != 1:
        raise _Rejected(f"{row.persons} persons" if row.persons else "no person")


def _check_content(mask: np.ndarray, row: PhotoRow) -> None:
    row.height, row.width = mask.shape
    if not (mask == 1).any():
        raise _Rejected("mask is empty")
    if (mask == 1).all():
        raise _Rejected("mask is full")


def _check_area(mask: np.ndarray, row: PhotoRow, rule: PortraitRule) -> None:
    _check_content(mask, row)
    share = float((mask == 1).mean())
    if share < MASK_SLACK * rule.min_detected:
        raise _Rejected(f"person too small: {share:.1%} of the photo")


def _photo(candidate: Candidate, mask: np.ndarray, row: PhotoRow) -> np.ndarray:
    if not candidate.photo.is_file():
        raise _Rejected("photo missing")
    photo = read_photo(candidate.photo)
    row.height, row.width = photo.shape[:2]
    if mask.shape != photo.shape[:2]:
        sizes = f"mask is {mask.shape[0]}x{mask.shape[1]}, photo is {row.height}x{row.width}"
        raise _Rejected(sizes)
    return photo


def _check_face(photo: np.ndarray, mask: np.ndarray, row: PhotoRow, detector: Detector, rule: PortraitRule) -> None:
    faces = detector.detect(photo)
    row.faces = len(faces)
    if not faces:
        raise _Rejected("no face")
    fractions = [face.fraction(*mask.shape, margin=rule.box_margin) for face in faces]
    largest = int(np.argmax(fractions))
    face, row.face_fraction = faces[largest], fractions[largest]
    row.probability, row.box, row.points = face.probability, face.box, face.points
    if row.face_fraction < rule.min_face:
        raise _Rejected(f"face too small: {row.face_fraction:.1%} of the photo")
    if len(faces) > 1:
        raise _Rejected(f"{len(faces)} faces")
    if share_on_mask(face.box, mask) < rule.min_on_mask:
        raise _Rejected("face is not on the person's mask")
