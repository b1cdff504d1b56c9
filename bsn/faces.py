"""Faces by MTCNN (facenet-pytorch), at the detection scale that the rule on the face's size asks for."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

# The coarse look must never lose a face that the rule would keep: it asks for half of the area, and takes
# what MTCNN's own last threshold (.7) lets through.
AREA_SLACK = 0.5
# MTCNN's last network looks at 48 x 48 pixels: a photo shrunk until the smallest wanted face has this side
# loses none of what that network sees.
COARSE_SIDE = 48.0
# facenet-pytorch's own default, the scale at which a verdict counts.
EXACT_SIDE = 20.0
# The first network's window; MTCNN raises on a photo smaller than that.
WINDOW = 12


@dataclass(frozen=True)
class Face:
    """One detected face: `box` float (4,) x0, y0, x1, y1 and `points` float (5, 2) x, y in photo pixels.

    The points are: eye at image left, eye at image right, nose tip, mouth corner at image left and right.
    """

    box: np.ndarray
    probability: float
    points: np.ndarray

    def fraction(self, height: int, width: int, *, margin: float = 0.0) -> float:
        """Area of the box, grown and clipped as in `clipped`, over the photo's."""
        x0, y0, x1, y1 = clipped(self.box, height, width, margin=margin)
        return float((x1 - x0) * (y1 - y0) / (height * width))


class Detector(Protocol):
    """Whatever finds the faces of a uint8 (H, W, 3) RGB photo, the largest first."""

    def detect(self, photo: np.ndarray) -> list[Face]: ...


class FaceDetector:
    """MTCNN with two looks: a coarse one for faces that could reach `min_face_fraction`, then plain MTCNN.

    The verdict on "one face of at least min_face_fraction" is that of plain MTCNN on the full photo; a photo
    without a large face, which is nearly every one, costs only the coarse look.
    """

    def __init__(self, *, min_face_fraction: float, min_probability: float) -> None:
        from facenet_pytorch import MTCNN

        self.min_face_fraction = min_face_fraction
        self.min_probability = min_probability
        self._mtcnn = MTCNN(keep_all=True)

    def detect(self, photo: np.ndarray) -> list[Face]:
        """Faces with a probability above `min_probability`, the largest first.

        All that plain MTCNN finds when one of them may cover `min_face_fraction` of the photo; otherwise only
        what the coarse look saw.
        """
        height, width = photo.shape[:2]
        wanted = self.min_face_fraction * AREA_SLACK
        side = min(np.sqrt(wanted * height * width), height, width)
        shrink = min(1.0, COARSE_SIDE / side)
        small = photo
        if shrink < 1:
            small = cv2.resize(photo, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        scale = np.array([width / small.shape[1], height / small.shape[0]], dtype=np.float32)
        faces = self._look(small, min_side=side * shrink, scale=scale)
        if any(face.fraction(height, width) >= wanted for face in faces):
            faces = self._look(photo, min_side=EXACT_SIDE, scale=np.ones(2, np.float32))
        return [face for face in faces if face.probability > self.min_probability]

    def _look(self, photo: np.ndarray, *, min_side: float, scale: np.ndarray) -> list[Face]:
        if min(photo.shape[:2]) * WINDOW / min_side < WINDOW:
            return []
        self._mtcnn.min_face_size = min_side
        boxes, probabilities, points = self._mtcnn.detect(photo, landmarks=True)
        if boxes is None:
            return []
        return [
            Face(np.float32(box) * np.tile(scale, 2), float(probability), np.float32(five) * scale)
            for box, probability, five in zip(boxes, probabilities, points, strict=True)
        ]


def clipped(box: np.ndarray, height: int, width: int, *, margin: float = 0.0) -> np.ndarray:
    """`box` x0, y0, x1, y1, grown by `margin` of its width and height on each side, clipped to the photo."""
    x0, y0, x1, y1 = box
    grow = margin * np.array([x0 - x1, y0 - y1, x1 - x0, y1 - y0])
    return np.clip(np.asarray(box) + grow, 0, [width, height, width, height])


def share_on_mask(box: np.ndarray, mask: np.ndarray) -> float:
    """Share of portrait (1) among the counted pixels (not 255) in the clipped box; 0 when none counts."""
    x0, y0, x1, y1 = np.rint(clipped(box, *mask.shape)).astype(int)
    inside = mask[y0:y1, x0:x1]
    counted = (inside != 255).sum()
    return float((inside == 1).sum() / counted) if counted else 0.0
