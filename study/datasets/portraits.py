"""The portrait filter (section 4.3): which photos are portraits, why the others are rejected, and the portraits' faces.

COCO, COCO-Stuff and VOC: exactly one person by the annotations, exactly one face, its box clipped to the photo at least
a tenth of it, and the face on that person's mask. PFCN: its own lists without broken photos and without training photos
that show the scene of a test or a validation photo.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bsn.alignment import five_points, similarity_to_frame
from bsn.disk import disk_errors, write_png
from bsn.errors import InputError, brief
from bsn.faces import Detector, Face, share_on_mask
from bsn.photos import read_photo
from bsn.workers import ordered_map
from study.datasets.index import Candidate, FaceRow, PhotoRow, write_index
from study.datasets.pfcn import Scenes, tracker, views

# Shares of a face box's size added on each side, at which Table 2 counts the portraits as well: the paper's detector is
# unnamed, and detectors draw their boxes more or less tightly (MTCNN's are tight).
MARGINS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)

# A face's box can be larger than its person's mask: of 608 COCO photos, asking for a mask as large as the
# smallest face lost a portrait, half of that lost none.
MASK_SLACK = 0.5

# Candidates per task of a worker, and photos per batch of the detector, with the most bytes of a batch.
CHUNK = 128
BATCH = 16
MAX_BYTES = 2**28

# A candidate, its row of the index and, if it is kept, its mask.
Verdict = tuple[Candidate, PhotoRow, np.ndarray | None]


class _Rejected(Exception):
    """Why a photo is no portrait."""


@dataclass(frozen=True, kw_only=True)
class PortraitRule:
    """What the filter requires of a photo.

    Attributes:
        min_face: smallest share of the photo, 0 to 1, that the face's box covers once it has been grown and clipped.
        min_on_mask: smallest share of the box, 0 to 1, that is on the person's mask.
        box_margin: share of the box's size that is added on each side before it is measured.
    """

    min_face: float
    min_on_mask: float
    box_margin: float

    @property
    def widest_margin(self) -> float:
        """The widest margin at which photos are counted: the rule's own, or the last of MARGINS."""
        return max(self.box_margin, *MARGINS)

    @property
    def min_mask(self) -> float:
        """Smallest share of the photo that a portrait's mask can cover, at any margin that is counted."""
        return MASK_SLACK * self.min_face / (1 + 2 * self.widest_margin) ** 2


def annotated_rejection(candidate: Candidate, rule: PortraitRule) -> str | None:
    """Why the annotations alone reject the candidate; None when its photo has to be looked at."""
    try:
        _check_annotations(candidate, _row(candidate), rule)
    except (_Rejected, InputError) as reason:
        return str(reason)
    return None


def possible_portraits(candidates: Iterable[Candidate], rule: PortraitRule, *, label: str) -> list[Candidate]:
    """The candidates that their annotations do not reject: only their photos have to be downloaded."""
    return [found for found in tqdm(candidates, desc=label, unit=" photos") if annotated_rejection(found, rule) is None]


def filter_portraits(
    candidates: Sequence[Candidate], *, detector: Detector, rule: PortraitRule, workers: int = 1
) -> Iterator[Verdict]:
    """Apply the paper's rule to COCO, COCO-Stuff or VOC: cheap checks first, so that few photos are decoded.

    Args:
        candidates: what the set's reader yields; picklable with several workers.
        detector: finds the faces; picklable with several workers.
        rule: the thresholds.
        workers: number of processes.

    Returns:
        One verdict per candidate, in their order.
    """
    chunks = [candidates[start : start + CHUNK] for start in range(0, len(candidates), CHUNK)]
    filter_chunk = partial(_filter_chunk, detector=detector, rule=rule)
    answers = ordered_map(filter_chunk, chunks, workers=workers, imports="bsn.mtcnn")
    for candidate, (row, mask) in zip(candidates, chain.from_iterable(answers), strict=True):
        yield candidate, row, mask


def filter_pfcn(candidates: Iterable[Candidate]) -> Iterator[Verdict]:
    """Keep PFCN's photos that can be read, and no scene in more than one split.

    The test photos must come first, then those of validation. Test photos are never dropped: where two show one scene,
    the `reason` of the second names the first.
    """
    scenes = {"test": Scenes(), "validation": Scenes()}
    for candidate in candidates:
        row, mask = _row(candidate), None
        try:
            mask = candidate.load_mask()
            _check_mask(mask, row)
            seen = views(_read_photo(candidate, mask, row))
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


def write_portraits(verdicts: Iterable[Verdict], out: Path, *, total: int) -> list[PhotoRow]:
    """Write `images/` (the original bytes), `masks/` (PNG) and `index.csv` under `out`; return the index's rows.

    The index is written last: a folder without one is incomplete.

    Args:
        verdicts: of `filter_portraits` or `filter_pfcn`.
        out: `data/portraits/<set>`.
        total: number of verdicts, for the progress bar.

    Raises:
        InputError: the disk is full, or a photo has disappeared.
    """
    index = out / "index.csv"
    index.unlink(missing_ok=True)
    for folder in (out / "images", out / "masks"):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    rows = []
    for candidate, row, mask in tqdm(verdicts, total=total, desc=out.name, unit=" photos"):
        if mask is not None:
            row.image = f"images/{row.id}{candidate.photo.suffix.lower()}"
            row.mask = f"masks/{row.id}.png"
            with disk_errors(out / row.image):
                shutil.copyfile(candidate.photo, out / row.image)
                write_png(out / row.mask, mask)
        rows.append(row)
    write_index(index, rows)
    return rows


def portraits_by_margin(rows: Iterable[PhotoRow], *, min_face: float, min_on_mask: float) -> dict[float, int]:
    """For each of MARGINS, how many photos of an index the rule keeps when it grows the face box by that margin."""
    faces = [
        (Face(row.box, row.probability or 0.0, np.empty((5, 2))), row.height, row.width)
        for row in rows
        if row.persons == 1 and row.faces == 1 and row.on_mask is not None and row.on_mask >= min_on_mask
        if row.box is not None and row.height is not None and row.width is not None
    ]
    return {
        margin: sum(face.fraction(height, width, margin=margin) >= min_face for face, height, width in faces)
        for margin in MARGINS
    }


def pfcn_faces(rows: Iterable[PhotoRow], *, root: Path, portraits: Path, detector: Detector) -> Iterator[FaceRow]:
    """Find and align the faces of PFCN's kept photos, by the release's tracker or else by the detector.

    Args:
        rows: the kept photos.
        root: the release.
        portraits: the index's folder, with the photos.
        detector: for photos without a usable tracker.

    Yields:
        One row per photo, in order.
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
    """Align the faces of another set's kept photos, which are in its index."""
    for row in rows:
        yield FaceRow(id=row.id, source="none") if row.points is None else _aligned(row.id, "mtcnn", row.points)


def _row(candidate: Candidate) -> PhotoRow:
    return PhotoRow(id=candidate.id, split=candidate.split, listed=candidate.listed)


def _filter_chunk(
    candidates: Sequence[Candidate], *, detector: Detector, rule: PortraitRule
) -> list[tuple[PhotoRow, np.ndarray | None]]:
    """Row and, where kept, mask of each candidate; the detector gets batches of the photos that are still possible."""
    rows, masks, batch = [_row(candidate) for candidate in candidates], {}, {}

    def detect_batch() -> None:
        for number, faces in zip(batch, _detect(detector, list(batch.values())), strict=True):
            try:
                _check_faces(faces, masks[number], rows[number], rule)
                rows[number].kept = True
            except _Rejected as reason:
                rows[number].reason = str(reason)
        batch.clear()

    for number, (candidate, row) in enumerate(zip(candidates, rows, strict=True)):
        try:
            masks[number] = _check_annotations(candidate, row, rule)
            batch[number] = _read_photo(candidate, masks[number], row)
        except (_Rejected, InputError) as reason:
            row.reason = str(reason)
        if len(batch) == BATCH or sum(photo.size for photo in batch.values()) > MAX_BYTES:
            detect_batch()
    detect_batch()
    return [(row, masks[number] if row.kept else None) for number, row in enumerate(rows)]


def _detect(detector: Detector, photos: Sequence[np.ndarray]) -> list[list[Face] | InputError]:
    """The faces of each photo. If the detector fails on a batch, it gets the photos one by one."""
    try:
        return [*detector.detect_many(photos)]
    except Exception as error:
        if len(photos) == 1:
            return [InputError(f"face detection failed ({brief(error)})")]
        return [answer for photo in photos for answer in _detect(detector, [photo])]


def _check_annotations(candidate: Candidate, row: PhotoRow, rule: PortraitRule) -> np.ndarray:
    """The mask of the one person. Raises _Rejected or InputError when the annotations reject it."""
    row.persons = candidate.count_persons()
    if candidate.rejection:
        raise _Rejected(candidate.rejection)
    if row.persons != 1:
        raise _Rejected(f"{row.persons} persons" if row.persons else "no person")
    mask = candidate.load_mask()
    _check_mask(mask, row)
    share = float((mask == 1).mean())
    if share < rule.min_mask:
        raise _Rejected(f"person too small: {share:.1%} of the photo")
    return mask


def _check_mask(mask: np.ndarray, row: PhotoRow) -> None:
    row.height, row.width = mask.shape
    if not (mask == 1).any():
        raise _Rejected("mask is empty")
    if (mask == 1).all():
        raise _Rejected("mask is full")


def _read_photo(candidate: Candidate, mask: np.ndarray, row: PhotoRow) -> np.ndarray:
    if not candidate.photo.is_file():
        raise _Rejected("photo missing")
    photo = read_photo(candidate.photo)
    row.height, row.width = photo.shape[:2]
    if mask.shape != photo.shape[:2]:
        raise _Rejected(f"mask is {mask.shape[0]}x{mask.shape[1]}, photo is {row.height}x{row.width}")
    return photo


def _check_faces(faces: list[Face] | InputError, mask: np.ndarray, row: PhotoRow, rule: PortraitRule) -> None:
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


def _aligned(name: str, source: str, points: np.ndarray) -> FaceRow:
    return FaceRow(id=name, source=source, points=points, affine=similarity_to_frame(points))
