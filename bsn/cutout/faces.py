"""Where the face is in a photo of any size: what the network is told beside the photo."""

import cv2
import numpy as np

from bsn.alignment import alignment
from bsn.cutout.matting import shrunk_size
from bsn.faces.detector import MIN_FACE, Detector, FaceDetector
from bsn.inputs import scaling

_MIN_PROBABILITY = 0.9  # as in params.yaml


def face_detector() -> FaceDetector:
    """The detector that looks for faces as the study does in PFCN's photos."""
    return FaceDetector(min_face_fraction=MIN_FACE, min_probability=_MIN_PROBABILITY)


def look_for_face(photo: np.ndarray, *, detector: Detector) -> tuple[int, np.ndarray | None]:
    """How many faces, and the affine (2, 3) of the largest from the photo's pixels to the frame; None without one.

    photo: (H, W, 3) uint8 RGB. Seen at the size of PFCN's photos at most: a face that counts is large enough there,
    and twenty times as many pixels take twenty times as long.
    """
    height, width = photo.shape[:2]
    small = cv2.resize(photo, shrunk_size(height, width), interpolation=cv2.INTER_AREA)
    faces = detector.detect(small)
    if not faces:
        return 0, None
    to_frame = np.vstack([alignment(faces[0].points), [0, 0, 1]]) @ scaling((height, width), small.shape[:2])
    return len(faces), to_frame[:2]
