"""Python API for a user's own photos: segment a photo with a trained network, and cut its portrait out.

portrait = bsn.Portrait.load("models/bsn", mean_mask="data/mean_mask/aligned.npy")
mask = portrait.segment("me.jpg")          # or a uint8 RGB array
cutout = portrait.cut_out("me.jpg")        # .trimap, .alpha, .foreground, .background
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from safetensors import SafetensorError

from bsn.alignment import FRAME, similarity_to_frame
from bsn.cutout import matting
from bsn.cutout.matting import frame_scale, shrunk_size
from bsn.errors import InputError, brief
from bsn.exported import BROKEN, ExportedSegmenter, Segment, runs_exported
from bsn.faces import MIN_FACE, Detector, FaceDetector
from bsn.inputs import scaling
from bsn.model_format import DESCRIPTION, FACES, WEIGHTS
from bsn.photos import read_upright
from bsn.workers import cores

MODEL, MEAN_MASK = Path("models/bsn"), Path("data/mean_mask/aligned.npy")
_TRAINED = f"name the folder of a trained network: `dvc repro train@bsn` makes {MODEL}"
BAND = 10.0  # section 4.4.3, in pixels of an 800x600 photo
_MIN_PROBABILITY = 0.9  # as in params.yaml


@dataclass(frozen=True, kw_only=True)
class Cutout:
    """A photo with its mask; trimap, matte and layers are computed when first used.

    Attributes:
        photo: (H, W, 3) uint8 RGB, upright.
        mask: (H, W) uint8 {0, 1}.
        faces: number of faces found.
        band: width of the trimap's unknown area, in pixels of an 800x600 photo.
        opacity: (H, W) uint8, the photo's own, 255 opaque; None for an opaque photo.

    Raises:
        ValueError: `band` is not a finite number above 0.
        InputError: from `matte`, `alpha`, `foreground` and `background`, if the photo is too small for matting or the
            matte has no solution.
    """

    photo: np.ndarray
    mask: np.ndarray
    faces: int
    band: float = BAND
    opacity: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not 0 < self.band < float("inf"):
            raise ValueError(f"band is {self.band}; give a number of pixels above 0")

    @cached_property
    def trimap(self) -> np.ndarray:
        """(H, W) uint8: 0 background, 128 unknown, 255 foreground."""
        return matting.trimap(self.mask, band=self.band * frame_scale(*self.mask.shape))

    @cached_property
    def matte(self) -> np.ndarray:
        """Share of the portrait in each pixel's colour, (H, W) float32 in 0..1."""
        return matting.matte(self.photo, self.trimap)

    @cached_property
    def alpha(self) -> np.ndarray:
        """Opacity of the portrait at each pixel, (H, W) float32 in 0..1: the matte times the photo's own opacity."""
        return self.matte if self.opacity is None else self.matte * (self.opacity / np.float32(255))

    @property
    def foreground(self) -> np.ndarray:
        """Colours of the portrait without any background in them, (H, W, 3) uint8 RGB."""
        return self._layers[0]

    @property
    def background(self) -> np.ndarray:
        """Colours of the background, (H, W, 3) uint8 RGB; extrapolated where the portrait hides it."""
        return self._layers[1]

    @cached_property
    def _layers(self) -> tuple[np.ndarray, np.ndarray]:
        return matting.layers(self.photo, self.matte)


class Portrait:
    """A segmentation method, with the face detector that gives the network its position and mean-mask channels.

    Of several faces the largest sets these channels; without a face they are zero.

    Args:
        method: a row of Table 1, see `bsn.methods.prediction.Method`.
        detector: of faces.
        threads: photos that may be segmented at once.
    """

    def __init__(self, method: Segment, *, detector: Detector, threads: int = 1) -> None:
        self.method = method
        self.detector = detector
        self.threads = threads

    @classmethod
    def load(cls, model: Path | str = MODEL, *, mean_mask: Path | str = MEAN_MASK) -> "Portrait":
        """Load a trained method: on the GPU if there is one, else by onnxruntime if its network is exported.

        Args:
            model: a folder of `models/`, as `train` writes it.
            mean_mask: aligned mean mask of the training set, a .npy file of (800, 600) float32.

        Raises:
            InputError: a file is missing (with the command that makes it) or invalid.
        """
        folder = Path(model)
        if not os.path.isfile(folder / DESCRIPTION):
            raise InputError(f"{folder / DESCRIPTION} is not there; {_TRAINED}")
        prior = _load_mean_mask(Path(mean_mask))
        try:
            method, detector = load_method(folder, aligned_mean_mask=prior), face_detector(folder)
        except InputError:
            raise
        except FileNotFoundError:
            raise InputError(f"{folder / WEIGHTS} is not there; {_TRAINED}") from None
        # Which of these a damaged or foreign folder raises depends on its content.
        except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError, *BROKEN) as error:
            raise InputError(f"{folder} is not a network of this code ({brief(error)}); {_TRAINED}") from None
        # torch uses all cores for one photo, and its detector keeps state.
        return cls(method, detector=detector, threads=cores() if runs_exported(folder) else 1)

    def segment(self, photo: np.ndarray | Path | str) -> np.ndarray:
        """Segment the portrait of one photo.

        Args:
            photo: (H, W, 3) uint8 RGB, upright; or a file, which is turned as its EXIF says.

        Returns:
            (H, W) uint8 {0, 1} at the photo's own size.

        Raises:
            InputError: the file cannot be read.
            ValueError: the array has another shape or type.
        """
        return self.cut_out(photo).mask

    def cut_out(self, photo: np.ndarray | Path | str, *, band: float = BAND) -> Cutout:
        """Segment one photo; the result computes trimap, matte and layers when they are first used.

        Args:
            photo: as in `segment`. Transparent pixels of a file stay transparent.
            band: width of the trimap's unknown area, in pixels of an 800x600 photo.

        Raises:
            InputError: the file cannot be read.
            ValueError: the array has another shape or type, or `band` is not a finite number above 0.
        """
        pixels, opacity = (photo, None) if isinstance(photo, np.ndarray) else read_upright(photo)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ValueError(f"photo is {pixels.dtype} {pixels.shape}; give uint8 (height, width, 3) RGB")
        faces, affine = find_face(pixels, detector=self.detector)
        return Cutout(photo=pixels, mask=self.method(pixels, affine), faces=faces, band=band, opacity=opacity)


def load_method(folder: Path, *, aligned_mean_mask: np.ndarray) -> Segment:
    """Load a method by its exported network, or else by `bsn.methods.prediction.load_method`."""
    if runs_exported(folder):
        return ExportedSegmenter(folder, aligned_mean_mask=aligned_mean_mask)
    from bsn.methods import prediction  # late: it loads torch

    return prediction.load_method(folder, aligned_mean_mask=aligned_mean_mask)


def face_detector(folder: Path) -> FaceDetector:
    """Build the face detector with the study's settings for PFCN's photos, by the model folder's exported networks."""
    networks = folder / FACES if runs_exported(folder) else None
    return FaceDetector(min_face_fraction=MIN_FACE, min_probability=_MIN_PROBABILITY, networks=networks)


def find_face(photo: np.ndarray, *, detector: Detector) -> tuple[int, np.ndarray | None]:
    """Detect faces, and align the largest one to the reference frame.

    Larger photos are shrunk to the area of 800x600 first: faces that count are large enough there, and detection takes
    time in proportion to the pixels.

    Args:
        photo: (H, W, 3) uint8 RGB.
        detector: finds the faces of the shrunken photo.

    Returns:
        Number of faces; and the affine (2, 3) from the photo's pixels to the frame, None without a face.
    """
    height, width = photo.shape[:2]
    small = cv2.resize(photo, shrunk_size(height, width), interpolation=cv2.INTER_AREA)
    faces = detector.detect(small)
    if not faces:
        return 0, None
    to_frame = np.vstack([similarity_to_frame(faces[0].points), [0, 0, 1]]) @ scaling((height, width), small.shape[:2])
    return len(faces), to_frame[:2]


def _load_mean_mask(file: Path) -> np.ndarray:
    if not os.path.isfile(file):
        raise InputError(
            f"{file} is not there; name the training set's aligned mean mask: `dvc repro mean_mask` makes {MEAN_MASK}"
        )
    try:
        prior = np.load(file)
    # What numpy raises depends on what the file is instead, and its advice is to unpickle it.
    except Exception:
        raise InputError(f"{file} is not a readable .npy file") from None
    if not isinstance(prior, np.ndarray):
        raise InputError(f"{file} is an .npz file; the aligned mean mask is an .npy file")
    if prior.shape != FRAME or prior.dtype != np.float32:
        raise InputError(f"{file} holds {prior.dtype} {prior.shape}; the aligned mean mask is float32 {FRAME}")
    if not ((prior >= 0) & (prior <= 1)).all():
        raise InputError(f"{file} holds values outside of 0..1; the aligned mean mask is a share")
    return prior
