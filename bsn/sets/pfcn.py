"""PFCN (Shen et al. 2016): the release's photos, masks, lists and 49-point face trackers.

The tree is `data/images_data_crop/NNNNN.jpg`, `data/images_mask/NNNNN_mask.mat` (`mask`, {0, 1}),
`data/images_tracker/NNNNN.mat` (`tracker`), `trainlist.mat` and `testlist.mat` beside them or one folder up.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bsn.data.photos import read_variable
from bsn.errors import InputError
from bsn.sets.candidates import Candidate

# Of the release's 1290 x 264 pairs, the five that are one scene (three identical, one in grey, one a moment
# later) differ by at most 7.7 grey levels on average, the next by 16.5.
SAME_PHOTO = 10.0
THUMBNAIL = (16, 16)
POINTS = 49


def candidates(root: Path) -> Iterator[Candidate]:
    """The photos of the test list, then those of the training list, each with `id` NNNNN."""
    data = _data(root)
    for split in ("test", "train"):
        for number in _numbers(root, data, f"{split}list"):
            name = f"{number:05d}"
            yield Candidate(
                id=name,
                split=split,
                photo=data / "images_data_crop" / f"{name}.jpg",
                count_persons=lambda: None,
                load_mask=partial(_mask, data / "images_mask" / f"{name}_mask.mat"),
            )


def tracker(root: Path, name: str) -> np.ndarray | None:
    """The 49 points of photo `name`, float32 (49, 2) x, y in photo pixels; None where no face was found.

    Where the tracker holds two faces it is the one with the larger spread of points: in all 16 such photos of
    the release the other one is a pendant, a pet, a doll, a cup or somebody far behind, and the pendants and
    cups lie on the person's mask, so that the mask cannot tell.
    """
    points = read_variable(_data(root) / "images_tracker" / f"{name}.mat", "tracker").astype(np.float32)
    if points.size == 0:
        return None
    if points.ndim != 2 or points.shape[1] != 2 or len(points) % POINTS:
        raise InputError(f"the tracker of {name} is {points.shape}, not a multiple of {POINTS} points x, y")
    return max(points.reshape(-1, POINTS, 2), key=lambda face: np.prod(np.ptp(face, axis=0)))


def thumbnail(photo: np.ndarray) -> np.ndarray:
    """What `same_photo` compares: float32 (16, 16) grey levels of an RGB photo."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)


def same_photo(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two thumbnails are of one scene: their mean absolute difference is below SAME_PHOTO."""
    return float(np.abs(one - other).mean()) < SAME_PHOTO


def _data(root: Path) -> Path:
    for data in (root / "data", root):
        if (data / "images_mask").is_dir():
            return data
    raise InputError(f"{root} is no PFCN release: neither data/images_mask nor images_mask is in it")


def _numbers(root: Path, data: Path, name: str) -> list[int]:
    file = next((f for f in (data / f"{name}.mat", root / f"{name}.mat") if f.is_file()), data / f"{name}.mat")
    return sorted({int(number) for number in read_variable(file, name).ravel()})


def _mask(file: Path) -> np.ndarray:
    mask = read_variable(file, "mask")
    if mask.ndim != 2 or not np.isin(mask, (0, 1)).all():
        raise InputError(f"{file.name} holds something else than a {{0, 1}} mask")
    return mask.astype(np.uint8)
