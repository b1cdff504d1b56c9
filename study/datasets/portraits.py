"""Which photos are portraits (section 4.3), with a verdict and its reason for every photo looked at.

COCO, COCO-Stuff and VOC: exactly one person by the annotations, exactly one face, its box clipped to the
photo at least a tenth of it, and the face on that person's mask. PFCN: its own lists, less what is broken,
and less the training photos whose scene is a test or a validation photo's too.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bsn.disk import disk_errors, write_png
from bsn.errors import InputError, brief
from bsn.faces import Detector, Face, share_on_mask
from bsn.photos import read_photo
from bsn.workers import ordered_map
from study.datasets.candidates import Candidate
from study.datasets.index import PhotoRow, write_index
from study.datasets.margins import MARGINS
from study.datasets.pfcn import Scenes, views

# A face's box can be larger than its person's mask: of 608 COCO photos, asking for a mask as large as the
# smallest face lost a portrait, half of that lost none.
MASK_SLACK = 0.5

# Candidates that a worker takes at a time, photos among them that it looks at together, and the most bytes of those.
CHUNK = 128
TOGETHER = 16
MAX_BYTES = 2**28

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
    def widest_margin(self) -> float:
        """The widest margin at which photos are counted: the rule's own, or the last of the curve's."""
        return max(self.box_margin, *MARGINS)

    @property
    def min_mask(self) -> float:
        """Smallest share of the photo that a portrait's person can have, at any margin that is counted."""
        return MASK_SLACK * self.min_face / (1 + 2 * self.widest_margin) ** 2


def turned_down(candidate: Candidate, rule: PortraitRule) -> str | None:
    """Why the annotations alone say that this is no portrait, or None: its photo has to be looked at."""
    try:
        _annotated(candidate, _row(candidate), rule)
    except (_Rejected, InputError) as reason:
        return str(reason)
    return None


def judge_portraits(
    candidates: Sequence[Candidate], *, detector: Detector, rule: PortraitRule, workers: int = 1
) -> Iterator[Judged]:
    """The paper's rule on COCO, COCO-Stuff and VOC: cheap checks first, so that few photos are decoded.

    With several `workers` candidates and detector must be picklable.
    """
    chunks = [candidates[start : start + CHUNK] for start in range(0, len(candidates), CHUNK)]
    verdicts = partial(_judge, detector=detector, rule=rule)
    answers = ordered_map(verdicts, chunks, workers=workers, imports="bsn.mtcnn")
    for candidate, (row, mask) in zip(candidates, chain.from_iterable(answers), strict=True):
        yield candidate, row, mask


def judge_lists(candidates: Iterable[Candidate]) -> Iterator[Judged]:
    """PFCN: all that its lists name and that can be read, and no scene both in training and out of it.

    The test photos must come first, then those of validation. Of two test photos of one scene, which must not be
    dropped, the second one's row names the first in `reason`.
    """
    scenes = {"test": Scenes(), "validation": Scenes()}
    for candidate in candidates:
        row, mask = _row(candidate), None
        try:
            mask = candidate.load_mask()
            _check_content(mask, row)
            seen = views(_photo(candidate, mask, row))
            for split, known in scenes.items():
                if twins := ", ".join(known.like(seen)):
                    row.reason = f"one scene with {split} photo {twins}"
                    if candidate.split != split:
                        raise _Rejected(row.reason)
            if candidate.split in scenes:
                scenes[candidate.split].add(candidate.id, seen)
            row.kept = True
        except (_Rejected, InputError) as reason:
            row.reason = str(reason)
        yield candidate, row, mask if row.kept else None


def write_portraits(judged: Iterable[Judged], out: Path, *, total: int) -> list[PhotoRow]:
    """Write `images/` (the original bytes), `masks/` (PNG) and `index.csv` under `out`; return its rows.

    The index is written last and at once: a folder without one is not whole. Raises InputError when the disk is
    full or a photo goes away meanwhile.
    """
    index = out / "index.csv"
    index.unlink(missing_ok=True)
    for folder in (out / "images", out / "masks"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    rows = []
    for candidate, row, mask in tqdm(judged, total=total, desc=out.name, unit=" photos"):
        if mask is not None:
            row.image = f"images/{row.id}{candidate.photo.suffix.lower()}"
            row.mask = f"masks/{row.id}.png"
            with disk_errors(out / row.image):
                shutil.copyfile(candidate.photo, out / row.image)
                write_png(out / row.mask, mask)
        rows.append(row)
    write_index(index, rows)
    return rows


def _row(candidate: Candidate) -> PhotoRow:
    return PhotoRow(id=candidate.id, split=candidate.split, listed=candidate.listed)


def _judge(
    candidates: Sequence[Candidate], *, detector: Detector, rule: PortraitRule
) -> list[tuple[PhotoRow, np.ndarray | None]]:
    """Row and, where kept, mask of each candidate; the detector gets the photos that are left a few at a time."""
    rows, masks, opened = [_row(candidate) for candidate in candidates], {}, {}

    def look() -> None:
        for number, faces in zip(opened, _detect(detector, list(opened.values())), strict=True):
            try:
                _check_face(faces, masks[number], rows[number], rule)
                rows[number].kept = True
            except _Rejected as reason:
                rows[number].reason = str(reason)
        opened.clear()

    for number, (candidate, row) in enumerate(zip(candidates, rows, strict=True)):
        try:
            masks[number] = _annotated(candidate, row, rule)
            opened[number] = _photo(candidate, masks[number], row)
        except (_Rejected, InputError) as reason:
            row.reason = str(reason)
        if len(opened) == TOGETHER or sum(photo.size for photo in opened.values()) > MAX_BYTES:
            look()
    look()
    return [(row, masks[number] if row.kept else None) for number, row in enumerate(rows)]


def _detect(detector: Detector, photos: Sequence[np.ndarray]) -> list[list[Face] | InputError]:
    """The faces of each photo. If the detector fails on several together, it looks at one after the other."""
    try:
        return detector.detect_many(photos)
    except Exception as error:
        if len(photos) == 1:
            return [InputError(f"faces could not be looked for ({brief(error)})")]
        return [answer for photo in photos for answer in _detect(detector, [photo])]


def _annotated(candidate: Candidate, row: PhotoRow, rule: PortraitRule) -> np.ndarray:
    """The mask of the one person. Raises _Rejected or InputError when the annotations turn the photo down."""
    row.persons = candidate.count_persons()
    if candidate.rejection:
        raise _Rejected(candidate.rejection)
    if row.persons != 1:
        raise _Rejected(f"{row.persons} persons" if row.persons else "no person")
    mask = candidate.load_mask()
    _check_content(mask, row)
    share = float((mask == 1).mean())
    if share < rule.min_mask:
        raise _Rejected(f"person too small: {share:.1%} of the photo")
    return mask


def _check_content(mask: np.ndarray, row: PhotoRow) -> None:
    row.height, row.width = mask.shape
    if not (mask == 1).any():
        raise _Rejected("mask is empty")
    if (mask == 1).all():
        raise _Rejected("mask is full")


def _photo(candidate: Candidate, mask: np.ndarray, row: PhotoRow) -> np.ndarray:
    if not candidate.photo.is_file():
        raise _Rejected("photo missing")
    photo = read_photo(candidate.photo)
    row.height, row.width = photo.shape[:2]
    if mask.shape != photo.shape[:2]:
        sizes = f"mask is {mask.shape[0]}x{mask.shape[1]}, photo is {row.height}x{row.width}"
        raise _Rejected(sizes)
    return photo


def _check_face(faces: list[Face] | InputError, mask: np.ndarray, row: PhotoRow, rule: PortraitRule) -> None:
    if isinstance(faces, InputError):
        raise _Rejected(str(faces))
    row.faces = len(faces)
    if not faces:
        raise _Rejected("no face")
    fractions = [face.fraction(*mask.shape, margin=rule.box_margin) for face in faces]
    largest = int(np.argmax(fractions))
    face, row.face_fraction = faces[largest], fractions[largest]
    row.probability, row.box, row.points = face.probability, face.box, face.points
    row.on_mask = share_on_mask(face.box, mask)
    if row.face_fraction < rule.min_face:
        raise _Rejected(f"face too small: {row.face_fraction:.1%} of the photo")
    if len(faces) > 1:
        raise _Rejected(f"{len(faces)} faces")
    if row.on_mask < rule.min_on_mask:
        raise _Rejected("face is not on the person's mask")
