"""A drawn portrait whose alpha and colours are known, and stand-ins for the network and the face detector."""

import numpy as np

from bsn.cutout.matting import frame_scale
from bsn.faces import Face

GREEN = np.float32([40, 200, 60])
SKIN = np.float32([200, 120, 110])


class Disc:
    """A drawn portrait on green: photo (H, W, 3) uint8, its true alpha (H, W) and the hard mask of it."""

    def __init__(self, height, width):
        y, x = np.mgrid[:height, :width].astype(np.float32)
        scale = frame_scale(height, width)
        waves = 6 * scale * np.sin(24 * np.arctan2(y - height / 2, x - width / 2))
        inside = 0.3 * min(height, width) + waves - np.hypot(y - height / 2, x - width / 2)
        # Three pixels of an 800x600 photo out of focus.
        self.alpha = np.clip(inside / (3 * scale) + 0.5, 0, 1)
        self.mask = (self.alpha > 0.5).astype(np.uint8)
        share = self.alpha[..., None]
        noise = np.random.default_rng(0).normal(0, 2, (height, width, 1))
        self.photo = np.rint(np.clip(share * SKIN + (1 - share) * GREEN + noise, 0, 255)).astype(np.uint8)


class RedPart:
    """A stand-in for a trained method: what is more red than green is the portrait. Keeps the affines it was given."""

    parameters = 0
    parallel = False

    def __init__(self):
        self.affines = []

    def __call__(self, photo, affine):
        self.affines.append(affine)
        return (photo[..., 0] > photo[..., 1]).astype(np.uint8)


class Told:
    """A detector that finds the faces it was told of, and keeps the shapes of the photos it saw."""

    def __init__(self, *faces):
        self.faces = list(faces)
        self.shapes = []

    def detect(self, photo):
        self.shapes.append(photo.shape)
        return self.faces

    def detect_many(self, photos):
        return [self.detect(photo) for photo in photos]


def face(points):
    points = np.float32(points)
    return Face(box=np.float32([*points.min(axis=0), *points.max(axis=0)]), probability=1.0, points=points)
