"""python -m benchmarks.faces [FOLDER]: speed of face detection at 640x480 on two cores, relative to facenet-pytorch.

Detects faces in drawn photos, or in those of FOLDER/coco and FOLDER/voc (official trees), and compares the verdicts.
"""

# Plain: `MTCNN(keep_all=True).detect(photo, landmarks=True)` with two torch threads. Ours: the detector of
# stages.portraits in two worker processes, timed once they have started. Both read the same arrays from disk, so
# decoding is not timed; they take turns, and the best of five rounds counts. A photo with a face that could count at
# some margin costs ours as much as plain, so the share of such photos is printed too.
# Verdicts are compared at the photos' own sizes: of the faces alone, then of the whole rule with the annotations. Ours
# rejects small masks before it opens a photo; plain has no such check.

import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN

from bsn.faces import Detector, Face, FaceDetector
from bsn.photos import read_photo
from bsn.workers import ordered_map
from drawn.catalog import OTHERS, scene_of
from drawn.painter import paint
from study.datasets import coco, voc
from study.datasets.index import Candidate
from study.datasets.portraits import BATCH, MARGINS, PortraitRule, filter_portraits, portraits_by_margin

SIZE = (640, 480)
RULE = PortraitRule(min_face=0.1, min_on_mask=0.5, box_margin=0.0)
PROBABILITY, CORES, ROUNDS = 0.9, 2, 5
# Drawn photos of 640x480: portraits as often as in real COCO, and others without a large face.
DRAWN_PORTRAITS, DRAWN_OTHERS, OTHER_KINDS = 3, 97, ("small", "nobody", "back")
READERS = {"coco": coco, "voc": voc}


class Plain:
    """facenet-pytorch, used as in its README."""

    def __init__(self) -> None:
        self.mtcnn = MTCNN(keep_all=True)

    def detect(self, photo: np.ndarray) -> list[Face]:
        """Return all faces above the rule's probability, the largest first."""
        boxes, probabilities, points = self.mtcnn.detect(photo, landmarks=True)
        if boxes is None:
            return []
        found = zip(boxes, probabilities, points, strict=True)
        return [Face(np.float32(box), p, np.float32(five)) for box, p, five in found if p > PROBABILITY]

    def detect_many(self, photos: Sequence[np.ndarray]) -> list[list[Face]]:
        """Detect photo by photo."""
        return [self.detect(photo) for photo in photos]


class Recorded:
    """A detector that returns faces found before."""

    def __init__(self) -> None:
        self.found: dict[bytes, list[Face]] = {}

    def record(self, photo: np.ndarray, faces: list[Face]) -> None:
        """Remember the faces of a photo."""
        self.found[photo.tobytes()] = faces

    def detect(self, photo: np.ndarray) -> list[Face]:
        """Return the faces recorded for this photo."""
        return self.found[photo.tobytes()]

    def detect_many(self, photos: Sequence[np.ndarray]) -> list[list[Face]]:
        """Return the faces recorded for these photos."""
        return [self.detect(photo) for photo in photos]


class AnyMask(PortraitRule):
    """The rule without its check of the mask's size."""

    min_mask = 0.0


def ours() -> FaceDetector:
    """Return the detector that stages.portraits uses."""
    return FaceDetector(min_face_fraction=RULE.min_face, margin=RULE.widest_margin, min_probability=PROBABILITY)


def detect_files(files: Sequence[Path], *, detector: Detector) -> list[list[Face]]:
    """Detect the faces of photos saved as .npy."""
    return detector.detect_many([np.load(file) for file in files])


def verdict(faces: Sequence[Face], height: int, width: int) -> tuple:
    """Return per margin whether there is exactly one face, large enough."""
    return tuple(len(faces) == 1 and faces[0].fraction(height, width, margin=m) >= RULE.min_face for m in MARGINS)


def drawn() -> list[np.ndarray]:
    """Draw photos of the drawn COCO set."""
    portraits = (scene_of("coco", index, 1) for index in count())
    others = (scene_of("coco", index, 1) for index in count(OTHERS))
    chosen = [
        *islice((scene for scene in portraits if scene.width > scene.height), DRAWN_PORTRAITS),
        *islice((s for s in others if s.kind in OTHER_KINDS and s.width > s.height), DRAWN_OTHERS),
    ]
    return [paint(scene).rgb for scene in chosen]


def at_size(photo: np.ndarray) -> np.ndarray:
    """Crop the centre of the photo to the aspect ratio of SIZE, and resize it to SIZE."""
    height, width = photo.shape[:2]
    across, down = min(width, height * SIZE[0] // SIZE[1]), min(height, width * SIZE[1] // SIZE[0])
    left, top = (width - across) // 2, (height - down) // 2
    cut = photo[top : top + down, left : left + across]
    return cv2.resize(cut, SIZE, interpolation=cv2.INTER_AREA if across > SIZE[0] else cv2.INTER_LINEAR)


def speed(name: str, photos: Sequence[np.ndarray]) -> str:
    """Return a row of the speed table. A round of plain takes a fifth of the photos, a round of ours all of them."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.npy" for number in range(len(photos))]
        for file, photo in zip(files, photos, strict=True):
            np.save(file, at_size(photo))
        chunks = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
        plain, answers, rounds = Plain(), {}, []
        torch.set_num_threads(CORES)
        plain.detect(np.load(files[0]))
        for turn in range(ROUNDS):
            part = files[turn::ROUNDS]
            started = time.perf_counter()
            answers |= dict(zip(part, detect_files(part, detector=plain), strict=True))
            theirs = (time.perf_counter() - started) / len(part)
            # Five times all photos; the first time starts the workers and is not timed.
            look = partial(detect_files, detector=ours())
            stream = ordered_map(look, chunks * 5, workers=CORES, imports="bsn.mtcnn")
            found = [faces for _ in chunks for faces in next(stream)]
            started = time.perf_counter()
            looked_at = sum(len(chunk) for chunk in stream)
            rounds.append((theirs, (time.perf_counter() - started) / looked_at))
    size = SIZE[::-1]
    differ = sum(
        verdict(answers[file], *size) != verdict(faces, *size) for file, faces in zip(files, found, strict=True)
    )
    large = sum(any(f.fraction(*size, margin=RULE.widest_margin) >= RULE.min_face for f in a) for a in answers.values())
    theirs, mine = (min(seconds) for seconds in zip(*rounds, strict=True))
    ratios = ", ".join(f"{a / b:.1f}" for a, b in rounds)
    return (
        f"| {name} | {len(files)} | {large / len(files):.0%} | {1 / theirs:.1f} | {1 / mine:.0f} | "
        f"{theirs / mine:.1f} x | {ratios} | {differ} |"
    )


def verdicts(name: str, found: list[Candidate]) -> str:
    """Return a row: different verdicts at the photos' own sizes, and portraits per margin by the whole rule."""
    mine, plain, recorded = ours(), Plain(), Recorded()
    differ = 0
    for candidate in found:
        photo = read_photo(candidate.photo)
        recorded.record(photo, faces := plain.detect(photo))
        differ += verdict(faces, *photo.shape[:2]) != verdict(mine.detect(photo), *photo.shape[:2])
    any_mask = AnyMask(min_face=RULE.min_face, min_on_mask=RULE.min_on_mask, box_margin=RULE.box_margin)
    counts = [_counts(found, mine, RULE), _counts(found, recorded, any_mask)]
    return f"| {name} | {len(found)} | {differ} | {' | '.join(', '.join(map(str, c)) for c in counts)} |"


def _counts(found: list[Candidate], detector: Detector, rule: PortraitRule) -> list[int]:
    rows = [row for _, row, _ in filter_portraits(found, detector=detector, rule=rule)]
    return list(portraits_by_margin(rows, min_face=rule.min_face, min_on_mask=rule.min_on_mask).values())


def main() -> None:
    """Print the tables."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    found = {}
    if folder is None:
        photos = {"drawn": drawn()}
    else:
        for name, reader in READERS.items():
            found[name] = [candidate for candidate in reader.candidates(folder / name) if candidate.photo.is_file()]
        photos = {name: [read_photo(candidate.photo) for candidate in chosen] for name, chosen in found.items()}
    print(
        "| photos | number | large face | plain, photos/s | ours, photos/s | ratio | by round | different decisions |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name, pictures in photos.items():
        print(speed(name, pictures), flush=True)
    if found:
        margins = ", ".join(f"{margin:g}" for margin in MARGINS)
        print(f"\n| photos at own size | number | different decisions | kept at margins {margins} | by plain MTCNN |")
        print("|---|---|---|---|---|", flush=True)
        for name, chosen in found.items():
            print(verdicts(name, chosen), flush=True)


if __name__ == "__main__":
    main()
