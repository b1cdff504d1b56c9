"""Training patches and batches. A patch of a given sampler depends only on (iteration, slot).

Crop, flip, scale and rotation are one affine map from patch pixels to photo pixels. The photo, its labels and the
global kernel are warped by it. Position and mean mask are computed through it, and in a mirrored patch are those of the
mirrored person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from bsn.inputs import WorkingPhoto, prior_channels, scaling
from bsn.kernels import soft_label_table
from bsn.training.recipe import Augmentation
from bsn.workers import end_with_parent


@dataclass(frozen=True, kw_only=True)
class TrainingPhoto:
    """One training photo at working size, in memory.

    Attributes:
        id: of the photo in its data set.
        photo: image, and map to the reference frame.
        labels: (h, w, 3) float16, soft labels [l_fg, l_bdry, l_bg], zero where ignored.
        attributes: (A,) int64, class of each attribute, -1 where unknown.
    """

    id: str
    photo: WorkingPhoto
    labels: np.ndarray
    attributes: np.ndarray


def working_labels(codes: np.ndarray, size: tuple[int, int], *, width: float, reading: str) -> np.ndarray:
    """Expand label codes to soft labels, averaged over the photo pixels under each working pixel.

    Averaging after expansion keeps `width` in pixels of the 800x600 frame at any working size: a band thinner than a
    working pixel becomes a partial label, not an aliased line.

    Args:
        codes: (H, W) uint8, of `bsn.kernels.label_codes`.
        size: (h, w) of the working copy.
        width: of the band that the codes were made for, pixels.
        reading: of eq. (1), see `bsn.kernels.soft_labels`.

    Returns:
        (h, w, 3) float16 in 0..1, [l_fg, l_bdry, l_bg]; zero where ignored.
    """
    table = soft_label_table(codes, width=width, reading=reading)
    planes = [cv2.resize(row[codes], size[::-1], interpolation=cv2.INTER_AREA) for row in table]
    return np.stack(planes, axis=2).astype(np.float16)


class PatchSampler:
    """Draws random patches of a training set.

    Args:
        photos: the training set.
        crop: (h, w) of a patch, pixels.
        batch: patches per iteration.
        seed: of all draws.
        augmentation: random changes of a patch.
        aligned_mean_mask: (800, 600) float32.
        kernel: (800, 600) float32, the global kernel of eq. (6), or ones.

    Raises:
        ValueError: a value of the augmentation is invalid.
    """

    def __init__(
        self,
        photos: Sequence[TrainingPhoto],
        *,
        crop: tuple[int, int],
        batch: int,
        seed: int,
        augmentation: Augmentation,
        aligned_mean_mask: np.ndarray,
        kernel: np.ndarray,
    ) -> None:
        augmentation.check()
        self.photos = photos
        self.crop = crop
        self.batch = batch
        self.seed = seed
        self.augmentation = augmentation
        self.aligned_mean_mask = aligned_mean_mask
        self.kernel = kernel

    def load(self, iteration: int, slots: Sequence[int] | None = None) -> dict[str, np.ndarray]:
        """Make the batch of one iteration.

        Args:
            iteration: counted from 0.
            slots: indices in the batch, for a process that computes a share of it; None for all.

        Returns:
            image (B, 3, h, w) uint8 RGB; prior (B, 3, h, w) float32, see `prior_channels`; labels (B, 3, h, w)
            float32; kernel (B, h, w) float32; attributes (B, A) int64.
        """
        patches = [self.patch(iteration, slot) for slot in (range(self.batch) if slots is None else slots)]
        return {key: np.stack([patch[key] for patch in patches]) for key in patches[0]}

    def settings(self) -> dict[str, Any]:
        """All settings that the patches depend on, as JSON types; `arrays` has the rest."""
        return {"crop": self.crop, "batch": self.batch, "seed": self.seed, **asdict(self.augmentation)}

    def arrays(self) -> Iterator[np.ndarray]:
        """Every array that the patches depend on."""
        yield self.aligned_mean_mask
        yield self.kernel
        for sample in self.photos:
            yield from (sample.photo.image, sample.labels, sample.attributes)
            yield np.zeros(0) if sample.photo.to_frame is None else sample.photo.to_frame

    def photo_index(self, iteration: int, slot: int) -> int:
        """Index of the photo in a slot. Every epoch has each photo once, in a random order of its own."""
        epoch, place = divmod(iteration * self.batch + slot, len(self.photos))
        return int(_order(self.seed, epoch, len(self.photos))[place])

    def patch(self, iteration: int, slot: int) -> dict[str, np.ndarray]:
        """Make one patch; keys and arrays as in `load`, without the batch axis."""
        sample = self.photos[self.photo_index(iteration, slot)]
        photo = sample.photo
        rng = np.random.default_rng([self.seed, iteration, slot])
        to_photo, mirrored, gamma = self._draw_map(rng, photo.image.shape[:2])
        # Outside of the photo labels are zero, which is ignored, and the image repeats its border.
        image = _warp(photo.image, to_photo, self.crop, cv2.BORDER_REPLICATE)
        if gamma != 1:
            image = cv2.LUT(image, np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8))
        to_kernel = scaling(photo.image.shape[:2], self.kernel.shape)
        labels = _warp(_float32(sample.labels), to_photo, self.crop, cv2.BORDER_CONSTANT)
        return {
            "image": np.stack(cv2.split(image)),
            "prior": prior_channels(
                None if photo.to_frame is None else photo.to_frame @ to_photo,
                self.aligned_mean_mask,
                self.crop,
                mirrored=mirrored,
            ),
            "labels": _normalised(np.stack(cv2.split(labels))),
            "kernel": _warp(self.kernel, to_kernel @ to_photo, self.crop, cv2.BORDER_REPLICATE),
            "attributes": sample.attributes,
        }

    def _draw_map(self, rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, bool, float]:
        """A random 3x3 map from patch pixels to photo pixels, whether it mirrors, and a gamma."""
        (height, width), (crop_height, crop_width) = size, self.crop
        scale, rotation, gamma = self.augmentation.change(rng)
        angle = np.deg2rad(rotation)
        mirrored = bool(rng.random() < self.augmentation.flip)
        # Whole pixels, so that without scale and rotation the patch is a plain crop, not interpolated.
        room_y, room_x = height - round(crop_height / scale), width - round(crop_width / scale)
        top, left = (int(rng.integers(min(room, 0), max(room, 0) + 1)) for room in (room_y, room_x))
        cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
        centre_x, centre_y = (crop_width - 1) / 2, (crop_height - 1) / 2
        to_photo = np.array(
            [
                [cosine, -sine, left + (crop_width / scale - 1) / 2],
                [sine, cosine, top + (crop_height / scale - 1) / 2],
                [0, 0, 1],
            ]
        ) @ np.array([[1, 0, -centre_x], [0, 1, -centre_y], [0, 0, 1]])
        if mirrored:
            to_photo = to_photo @ np.array([[-1, 0, crop_width - 1], [0, 1, 0], [0, 0, 1.0]])
        return to_photo, mirrored, gamma


def _warp(image: np.ndarray, to_source: np.ndarray, size: tuple[int, int], border: int) -> np.ndarray:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, to_source[:2], size[::-1], flags=flags, borderMode=border)


def _float32(labels: np.ndarray) -> np.ndarray:
    """Convert float16 to float32 by torch, whose conversion is vectorised, unlike NumPy's."""
    return torch.from_numpy(labels).float().numpy()


def _normalised(labels: np.ndarray) -> np.ndarray:
    """Make resampled labels (3, h, w) sum to one again; a pixel that is mostly ignored is ignored."""
    total = labels[0] + labels[1] + labels[2]
    return labels / np.where(total >= 0.5, total, np.float32(np.inf))


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, photos: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(photos)


def batches(
    sampler: PatchSampler, iterations: range, *, slots: Sequence[int], workers: int
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Make batches in order, with workers ahead of the training step.

    The bytes do not depend on the number of workers.

    Args:
        sampler: draws the patches.
        iterations: of the batches.
        slots: indices in each batch that this process computes.
        workers: processes that prepare batches; 0 prepares them in this one.

    Returns:
        Iterator over (iteration, batch as by `PatchSampler.load`), in order.
    """
    loader: DataLoader[dict[str, np.ndarray]] = DataLoader(
        _Batches(sampler, slots),
        sampler=iterations,
        batch_size=None,
        num_workers=workers,
        collate_fn=_unchanged,
        worker_init_fn=_start_worker,
    )
    return zip(iterations, loader, strict=True)


class _Batches(Dataset[dict[str, np.ndarray]]):
    """Data set whose index is an iteration."""

    def __init__(self, sampler: PatchSampler, slots: Sequence[int]) -> None:
        self.sampler = sampler
        self.slots = slots

    def __getitem__(self, iteration: int) -> dict[str, np.ndarray]:
        return self.sampler.load(iteration, self.slots)


def _unchanged(batch: Any) -> Any:
    return batch


def _start_worker(_: int) -> None:
    end_with_parent()
