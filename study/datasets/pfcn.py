"""PFCN (Shen et al. 2016): the release's photos, masks, lists and 49-point face trackers.

The tree is `data/images_data_crop/NNNNN.jpg`, `data/images_mask/NNNNN_mask.mat` (`mask`, {0, 1}),
`data/images_tracker/NNNNN.mat` (`tracker`), `trainlist.mat` and `testlist.mat` beside them or one folder up.
"""

import re
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bsn.errors import InputError
from bsn.matlab import read_leaves, read_matrix
from study.datasets.candidates import Candidate

# Of the release's 1.2 million pairs of photos those that are one scene (identical, in grey, a moment later, cropped
# otherwise) correlate by at least .89. The next pair has .871, and no photo has more than .882 with a mirrored other.
SAME_SCENE = 0.885
SOMEWHAT_ALIKE = 0.4
# Views of a photo, as shares of its sides, at 3 x 3 places each: among them is a scene that was cropped otherwise.
VIEWS = (1.0, 0.93, 0.86, 0.78)
SMALL, TINY = (96, 128), (24, 32)  # pixels, width and height, of the photo that views are cut from, and of a view
POINTS = 49
FAR = 2000  # pixels; the photos are 600 wide and 800 high
# 1, 1.0, 00001 or 00001.jpg: numbers and names as lists have them.
_NUMBER = re.compile(r"\s*(\d{1,9})(?:\.0|\.jpg)?\s*", re.ASCII | re.IGNORECASE)


def candidates(root: Path, *, validation: Collection[int] = ()) -> Iterator[Candidate]:
    """The photos of the test list, the validation photos, and the others of the training list, each with `id` NNNNN.

    validation: numbers of photos in the training list that are kept out of training, to choose settings on.
    Raises InputError when one of them is not in the training list.
    """
    data = _data(root)
    listed = {name: _numbers(root, data, f"{name}list") for name in ("test", "train")}
    strangers = sorted(set(validation) - set(listed["train"]))
    if strangers:
        raise InputError(
            f"data.validation names {', '.join(map(str, strangers))}, which the training list does not; leave them out"
        )
    chosen = [number for number in listed["train"] if number in set(validation)]
    rest = [number for number in listed["train"] if number not in set(validation)]
    for split, numbers in (("test", listed["test"]), ("validation", chosen), ("train", rest)):
        for number in numbers:
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


def views(photo: np.ndarray) -> np.ndarray:
    """What `same_scene` compares: the whole photo and 27 crops of it, float32 (28, 2304), each of mean 0 and length 1.

    photo: (H, W, 3) uint8 RGB.
    """
    small = cv2.resize(photo, SMALL, interpolation=cv2.INTER_AREA)
    found = []
    for share in VIEWS:
        width, height = (round(side * share) for side in SMALL)
        places = 1 if share == 1 else 3
        for top in np.linspace(0, SMALL[1] - height, places).astype(int):
            for left in np.linspace(0, SMALL[0] - width, places).astype(int):
                view = cv2.resize(small[top : top + height, left : left + width], TINY, interpolation=cv2.INTER_AREA)
                centred = view.ravel().astype(np.float32)
                centred -= centred.mean()
                found.append(centred / max(float(np.linalg.norm(centred)), 1e-6))
    return np.stack(found)


class Scenes:
    """Photos by name, each known by its `views`."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._views = np.empty((0, 28, 3 * TINY[0] * TINY[1]), np.float32)

    def add(self, name: str, seen: np.ndarray) -> None:
        """Add a photo."""
        self._names.append(name)
        if len(self._names) > len(self._views):
            self._views = np.concatenate([self._views, np.empty((256, *seen.shape), np.float32)])
        self._views[len(self._names) - 1] = seen

    def like(self, seen: np.ndarray) -> list[str]:
        """Names of the photos of one scene with this: a view of one correlates with the whole other by SAME_SCENE."""
        known = self._views[: len(self._names)]
        if not len(known):
            return []
        # Views share most of what they show, so that photos without likeness need no closer look.
        near = np.flatnonzero(known[:, 0] @ seen[0] > SOMEWHAT_ALIKE)
        closer = known[near]
        best = np.maximum((closer[:, 0] @ seen.T).max(axis=1), (closer @ seen[0]).max(axis=1))
        return [self._names[number] for number, value in zip(near, best, strict=True) if value >= SAME_SCENE]


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
