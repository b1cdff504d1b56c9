"""PFCN (Shen et al. 2016): the release's photos, masks, lists and 49-point face trackers.

The tree is `data/images_data_crop/NNNNN.jpg`, `data/images_mask/NNNNN_mask.mat` (`mask`, {0, 1}),
`data/images_tracker/NNNNN.mat` (`tracker`), `trainlist.mat` and `testlist.mat` beside them or one folder up.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bsn.data.matlab import read_leaves, read_matrix
from bsn.errors import InputError
from bsn.sets.candidates import Candidate

# Of the release's 1290 x 264 pairs, the five that are one scene (three identical, one in grey, one a moment
# later) differ by at most 7.7 grey levels on average, the next by 16.5.
SAME_PHOTO = 10.0
THUMBNAIL = (16, 16)
POINTS = 49
FAR = 2000  # pixels; the photos are 600 wide and 800 high
# 1, 1.0, 00001 or 00001.jpg: numbers and names as lists have them.
_NUMBER = re.compile(r"\s*(\d{1,9})(?:\.0|\.jpg)?\s*", re.ASCII | re.IGNORECASE)


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
    leaves = read_leaves(_data(root) / "images_tracker" / f"{name}.mat", "tracker")
    matrices = [leaf for leaf in leaves if isinstance(leaf, np.ndarray) and leaf.size]
    if not matrices:
        return None
    # A tracker's struct has other fields, such as the pose.
    points = [matrix for matrix in matrices if matrix.shape[1:] == (2,) and len(matrix) % POINTS == 0]
    if not points:
        raise InputError(f"the tracker of {name} is {matrices[0].shape}, not a multiple of {POINTS} points x, y")
    faces = [face for matrix in points for face in matrix.reshape(-1, POINTS, 2) if _is_face(face)]
    if not faces:
        raise InputError(f"the tracker of {name} has points that are no numbers, outside of the photo or all in one")
    return max(faces, key=lambda face: np.prod(np.ptp(face, axis=0))).astype(np.float32)


def _is_face(points: np.ndarray) -> bool:
    """Whether an affine map can be fitted to the points; comparisons with NaN are false."""
    return bool((np.abs(points) < FAR).all() and np.ptp(points, axis=0).min() >= 1)


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
    entries = [entry for leaf in read_leaves(file, name) for entry in np.ravel(leaf).tolist() if str(entry).strip()]
    numbers = [_NUMBER.fullmatch(str(entry)) for entry in entries]
    if None in numbers:
        refused = entries[numbers.index(None)]
        raise InputError(f"{file.name} lists {refused!r}, not a photo's number or name, such as 1 or 00001.jpg")
    return sorted({int(number[1]) for number in numbers})


def _mask(file: Path) -> np.ndarray:
    mask = read_matrix(file, "mask")
    if not np.isin(mask, (0, 1)).all():
        raise InputError(f"{file.name} holds something else than a {{0, 1}} mask")
    return mask.astype(np.uint8)
