"""Face detection by MTCNN (facenet-pytorch), sped up by skipping scales at which no face would be large enough."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

if TYPE_CHECKING:
    from bsn.mtcnn import FastMTCNN
    from bsn.mtcnn_onnx import OnnxMTCNN

# PFCN's smallest tracked faces cover about 1 % of the photo.
MIN_FACE = 0.01
# The coarse pass runs on a photo shrunk until the smallest face that counts has COARSE_SIDE pixels. To miss none, it
# accepts faces of COARSE_SLACK times the required area, at lower thresholds than MTCNN's own .6, .7, .7. Measured on
# 287 real photos, with the required area set to that of each photo's face: it missed one, of low probability; with
# MTCNN's own thresholds three, with a side of 24 also three.
COARSE_SLACK = 0.7
COARSE_THRESHOLDS = [0.7, 0.5, 0.4]
COARSE_SIDE = 36.0
# Shrunken photos are detected in batches, on canvases whose sides are a multiple of this.
CANVAS = 32
# The close pass runs on the photo itself, on the levels of plain MTCNN's pyramid for faces of at least this share of
# the required area. On the same photos it missed none.
CLOSE_SLACK = 0.85
# facenet-pytorch's defaults: smallest face of plain MTCNN, scale step of its pyramid, window of its first network. It
# raises on a photo smaller than the window, or enlarges it.
EXACT_SIDE = 20.0
STEP = 0.709
WINDOW = 12


@dataclass(frozen=True)
class Face:
    """One detected face.

    Attributes:
        box: (4,) float32, x0, y0, x1, y1 in pixels of the photo.
        probability: of being a face, 0..1.
        points: (5, 2) float32, x, y in pixels of the photo: left and right eye, nose tip, left and right mouth
            corner; left and right are the picture's.
    """

    box: np.ndarray
    probability: float
    points: np.ndarray

    def fraction(self, height: int, width: int, *, margin: float = 0.0) -> float:
        """Area of the box, grown and clipped as in `clipped`, over the area of the photo."""
        x0, y0, x1, y1 = clipped(self.box, height, width, margin=margin)
        return float((x1 - x0) * (y1 - y0) / (height * width))


class Detector(Protocol):
    """Interface of a face detector. Photos are (H, W, 3) uint8 RGB."""

    def detect(self, photo: np.ndarray) -> list[Face]:
        """Detect the faces of one photo, the largest first."""
        ...

    def detect_many(self, photos: Sequence[np.ndarray]) -> list[list[Face]]:
        """Detect the faces of each photo, the largest first."""
        ...


class FaceDetector:
    """MTCNN in three passes, each only if the one before found a face that may count: coarse, close, plain MTCNN.

    A face counts if its box, grown by `margin` of its size on each side and clipped, covers `min_face_fraction` of
    the photo. Only the last pass, plain MTCNN on the full photo, decides which faces count. Nearly all photos of COCO
    and VOC have no such face and need only the coarse pass.

    Args:
        min_face_fraction: smallest share of the photo's area that counts, 0..1.
        min_probability: faces of this probability or less are dropped, 0..1.
        margin: share of the box's size by which it is grown on each side.
        networks: folder of the exported networks, which run without torch; None for facenet-pytorch's own.
    """

    def __init__(
        self,
        *,
        min_face_fraction: float,
        min_probability: float,
        margin: float = 0.0,
        networks: Path | None = None,
    ) -> None:
        self.min_face_fraction = min_face_fraction
        self.min_probability = min_probability
        self.margin = margin
        self.networks = networks

    # Built at the first photo: a process that only sends the detector to its workers need not import torch.
    @cached_property
    def _coarse(self) -> "FastMTCNN | OnnxMTCNN":
        return self._mtcnn(thresholds=COARSE_THRESHOLDS)

    @cached_property
    def _plain(self) -> "FastMTCNN | OnnxMTCNN":
        return self._mtcnn()

    def _mtcnn(self, **options: Any) -> "FastMTCNN | OnnxMTCNN":
        if self.networks:
            from bsn.mtcnn_onnx import OnnxMTCNN

            return OnnxMTCNN(self.networks, **options)
        from bsn.mtcnn import FastMTCNN

        return FastMTCNN(**options)

    def detect(self, photo: np.ndarray) -> list[Face]:
        """Detect the faces of one photo, (H, W, 3) uint8 RGB.

        Returns:
            The largest first: if a face may count, all that plain MTCNN finds; otherwise those of the last pass.
        """
        return self.detect_many([photo])[0]

    def detect_many(self, photos: Sequence[np.ndarray]) -> list[list[Face]]:
        """Detect the faces of each photo; the coarse pass batches photos of similar shape, which halves its time.

        Batching changes the coarse pass by rounding only, and that pass decides, with slack, only which photos get a
        closer one. So the faces of a photo do not depend on the other photos.
        """
        found = [self._closer(photo, faces) for photo, faces in zip(photos, self._coarse_pass(photos), strict=True)]
        return [[face for face in faces if face.probability > self.min_probability] for faces in found]

    def _coarse_pass(self, photos: Sequence[np.ndarray]) -> list[list[Face]]:
        batches: dict[tuple[int, int, float], list[tuple[int, np.ndarray]]] = defaultdict(list)
        for number, photo in enumerate(photos):
            if min(photo.shape[:2]) < WINDOW:
                continue  # no face fits; a photo of 1x20000 would be enlarged twelve times
            side = self._smallest_side(photo, COARSE_SLACK)
            small = _shrunken(photo, COARSE_SIDE / side)
            height, width = (-(-length // CANVAS) * CANVAS for length in small.shape[:2])
            batches[height, width, min(side, COARSE_SIDE)].append((number, small))
        found: list[list[Face]] = [[] for _ in photos]
        for (height, width, side), batch in batches.items():
            canvas = np.zeros((len(batch), height, width, 3), np.uint8)
            for place, (_, small) in zip(canvas, batch, strict=True):
                place[: small.shape[0], : small.shape[1]] = small
            for (number, small), faces in zip(batch, _detect(self._coarse, canvas, min_side=side), strict=True):
                scale = np.divide(photos[number].shape[1::-1], small.shape[1::-1], dtype=np.float32)
                found[number] = [
                    Face(face.box * np.tile(scale, 2), face.probability, face.points * scale) for face in faces
                ]
        return found

    def _closer(self, photo: np.ndarray, faces: list[Face]) -> list[Face]:
        """Faces after the close and the plain pass, given those of the coarse pass."""
        if self._could_count(photo, faces, COARSE_SLACK):
            levels = math.log(self._smallest_side(photo, CLOSE_SLACK) / EXACT_SIDE) / math.log(1 / STEP)
            if levels >= 1:
                (faces,) = _detect(self._plain, photo[None], min_side=EXACT_SIDE / STEP ** int(levels))
            if self._could_count(photo, faces, CLOSE_SLACK):
                (faces,) = _detect(self._plain, photo[None], min_side=EXACT_SIDE)
        return faces

    def _could_count(self, photo: np.ndarray, faces: list[Face], slack: float) -> bool:
        wanted = slack * self.min_face_fraction
        return any(face.fraction(*photo.shape[:2], margin=self.margin) >= wanted for face in faces)

    def _smallest_side(self, photo: np.ndarray, slack: float) -> float:
        """Side in pixels of the smallest box that could count; clipping only makes a grown box smaller."""
        height, width = photo.shape[:2]
        side = math.sqrt(slack * self.min_face_fraction * height * width) / (1 + 2 * self.margin)
        return min(max(side, EXACT_SIDE), height, width)


def _shrunken(photo: np.ndarray, factor: float) -> np.ndarray:
    """The photo scaled by `factor` if that is below 1: halved as often as possible, which is fast, then resized."""
    height, width = (max(1, round(length * factor)) for length in photo.shape[:2])
    if factor >= 1:
        return photo
    while min(photo.shape[0] / height, photo.shape[1] / width) >= 2:
        even = photo[: photo.shape[0] // 2 * 2, : photo.shape[1] // 2 * 2]
        photo = cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR)


def _detect(mtcnn: "FastMTCNN | OnnxMTCNN", photos: np.ndarray, *, min_side: float) -> list[list[Face]]:
    """Faces of at least `min_side` pixels in each of the photos (N, H, W, 3)."""
    if min(photos.shape[1:3]) * WINDOW / min_side < WINDOW:
        return [[] for _ in photos]
    return [
        []
        if boxes is None
        else [
            Face(np.asarray(box, np.float32), float(probability), np.asarray(five, np.float32))
            for box, probability, five in zip(boxes, probabilities, points, strict=True)
        ]
        for boxes, probabilities, points in zip(*mtcnn.faces(photos, min_side), strict=True)
    ]


def clipped(box: np.ndarray, height: int, width: int, *, margin: float = 0.0) -> np.ndarray:
    """Grow a box by `margin` of its width and height on each side, and clip it to the photo.

    Args:
        box: (4,), x0, y0, x1, y1 in pixels.
        height: of the photo, pixels.
        width: of the photo, pixels.
        margin: share of the box's size.

    Returns:
        (4,) float.
    """
    x0, y0, x1, y1 = box
    grow = margin * np.array([x0 - x1, y0 - y1, x1 - x0, y1 - y0])
    return np.clip(np.asarray(box) + grow, 0, [width, height, width, height])


def share_on_mask(box: np.ndarray, mask: np.ndarray) -> float:
    """Share of portrait pixels among the labelled pixels in a face's box.

    Args:
        box: (4,), x0, y0, x1, y1 in pixels; clipped to the mask.
        mask: (H, W) uint8 {0, 1, 255 = ignored}.

    Returns:
        Fraction in 0..1; 0 if no pixel is labelled.
    """
    x0, y0, x1, y1 = np.rint(clipped(box, *mask.shape)).astype(int)
    inside = mask[y0:y1, x0:x1]
    counted = (inside != 255).sum()
    return float((inside == 1).sum() / counted) if counted else 0.0
