"""A trained network as a tool for photos of any size.

portrait = bsn.Portrait.load("models/bsn")
mask = portrait.segment("me.jpg")          # or a uint8 RGB array
cutout = portrait.cut_out("me.jpg")        # .trimap, .alpha, .foreground, .background
"""

import os
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from bsn.alignment import FRAME
from bsn.cutout.cutout import BAND, Cutout
from bsn.cutout.faces import face_detector, look_for_face
from bsn.errors import InputError, brief
from bsn.faces.detector import Detector
from bsn.methods.prediction import Method, load_method
from bsn.photos import read_upright

MODEL, MEAN_MASK = Path("models/bsn"), Path("data/mean_mask/aligned.npy")


class Portrait:
    """`method` (bsn.methods.prediction) with the face detector that tells it where the face is.

    Of several faces the largest is the one that the network is told of, as the paper's photos have one face; without
    a face it is told of none. What belongs to the portrait is the network's word in either case.
    """

    def __init__(self, method: Method, *, detector: Detector) -> None:
        self.method = method
        self.detector = detector

    @classmethod
    def load(cls, model: Path | str = MODEL, *, mean_mask: Path | str = MEAN_MASK) -> "Portrait":
        """A trained folder of `models/`, on the GPU if there is one, and the training set's aligned mean mask.

        Raises InputError, with the command that makes them, when they are not there or are something else.
        """
        folder = Path(model)
        prior = _load_mean_mask(Path(mean_mask), folder)
        if not os.path.isfile(folder / "model.json"):
            raise InputError(_untrained(folder / "model.json", folder))
        try:
            method = load_method(folder, aligned_mean_mask=prior)
        except FileNotFoundError:
            raise InputError(_untrained(folder / "weights.safetensors", folder)) from None
        # A damaged or foreign folder: which of these depends on what is in it.
        except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise InputError(
                f"{folder} is not a network that this code trained ({brief(error)}); "
                f"`dvc repro {_stage(folder)}` makes one"
            ) from None
        return cls(method, detector=face_detector())

    def segment(self, photo: np.ndarray | Path | str) -> np.ndarray:
        """The portrait's mask, (H, W) uint8 {0, 1}, at the photo's own size.

        photo: (H, W, 3) uint8 RGB, upright; or a file, which is turned as its EXIF says. Raises InputError for a file
        that can't be read and ValueError for another array.
        """
        return self.cut_out(photo).mask

    def cut_out(self, photo: np.ndarray | Path | str, *, band: float = BAND) -> Cutout:
        """The photo with its mask, and with trimap, matte and layers as they are asked for.

        Arguments as in `segment` and `Cutout`; what is transparent in a file stays so.
        """
        pixels, opacity = (photo, None) if isinstance(photo, np.ndarray) else read_upright(photo)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ValueError(f"photo is {pixels.dtype} {pixels.shape}; give uint8 (height, width, 3) RGB")
        faces, affine = look_for_face(pixels, detector=self.detector)
        return Cutout(photo=pixels, mask=self.method(pixels, affine), faces=faces, band=band, opacity=opacity)


def _load_mean_mask(file: Path, folder: Path) -> np.ndarray:
    if not os.path.isfile(file):
        raise InputError(_untrained(file, folder))
    try:
        prior = np.load(file)
    # What numpy raises depends on what the file is instead.
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{file} is not a readable .npy file ({brief(error)})") from None
    if prior.shape != FRAME or prior.dtype != np.float32:
        raise InputError(f"{file} holds {prior.dtype} {prior.shape}; the aligned mean mask is float32 {FRAME}")
    return prior


def _untrained(missing: Path, folder: Path) -> str:
    return f"{missing} is not there, and nothing is trained here; `dvc repro {_stage(folder)}` makes it"


def _stage(folder: Path) -> str:
    # data/phase_one/ holds first phases, which no stage makes a method of that name from.
    name = MODEL.name if folder.parent.name == "base" else folder.name or MODEL.name
    return f"baselines@{name}" if name in ("graph_cut", "mean_mask") else f"train@{name}"
