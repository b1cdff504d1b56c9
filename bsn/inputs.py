"""What a network is shown: the photo at working size, and the three channels that Shen et al. add to it.

Position and mean mask are told in the face's own frame (bsn/alignment.py). Where no face was found the three added
channels are zero, as in the release of Shen et al.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from bsn.alignment import FRAME, REFERENCE_POINTS

CHANNELS = 6
# ImageNet's, in RGB: what torchvision's weights were trained with.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_FACE_X, _FACE_Y = (float(value) for value in REFERENCE_POINTS.mean(axis=0))
# Left and right swapped about the face's own middle, in the frame.
_MIRROR = np.array([[-1.0, 0, 2 * _FACE_X], [0, 1, 0], [0, 0, 1]])


@dataclass(frozen=True, kw_only=True)
class WorkingPhoto:
    """A photo at working size. image: (h, w, 3) uint8 RGB. to_frame: (3, 3) from its pixels to the frame's, or None."""

    image: np.ndarray
    to_frame: np.ndarray | None


def scaling(size: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """3x3 map from the pixels of an image of `size` (height, width) to those of its resized copy of `target`.

    Pixel centres are at whole numbers, so that the map also moves the origin by the change of half a pixel.
    """
    scale_y, scale_x = target[0] / size[0], target[1] / size[1]
    return np.array([[scale_x, 0, scale_x / 2 - 0.5], [0, scale_y, scale_y / 2 - 0.5], [0, 0, 1]])


def working_size(photo: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a photo's working copy: its own shape, with as many pixels as `size` has.

    A side has two pixels at least, so that a network's branch at half the size sees something of any photo.
    """
    scale = (size[0] * size[1] / (photo[0] * photo[1])) ** 0.5
    return max(2, round(photo[0] * scale)), max(2, round(photo[1] * scale))


def working_photo(photo: np.ndarray, affine: np.ndarray | None, size: tuple[int, int]) -> WorkingPhoto:
    """Shrink (or enlarge) a photo to working size.

    photo: (H, W, 3) uint8 RGB. affine: (2, 3) from its pixels to the frame, None without a face. size: of a PFCN
    photo's working copy, (height, width).
    """
    target = working_size(photo.shape[:2], size)
    shrinks = target[0] < photo.shape[0]
    image = cv2.resize(photo, target[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if affine is None:
        return WorkingPhoto(image=image, to_frame=None)
    return WorkingPhoto(image=image, to_frame=np.vstack([affine, [0, 0, 1]]) @ scaling(target, photo.shape[:2]))


def prior_channels(
    to_frame: np.ndarray | None,
    aligned_mean_mask: np.ndarray,
    size: tuple[int, int],
    *,
    mirrored: bool = False,
) -> np.ndarray:
    """Position x, position y and mean mask at each pixel, in the face's frame. (3, h, w) float32.

    Positions are distances from the face's centre over the frame's width and height; the mean mask is from 0 to 1.
    Beyond the frame positions go on, and the mean mask keeps its edge's value. to_frame: (3, 3) from the pixels to the
    frame, None gives zeros. mirrored: the pixels show the photo swapped left for right, so the frame is swapped too.
    """
    if to_frame is None:
        return np.zeros((3, *size), np.float32)
    matrix = _MIRROR @ to_frame if mirrored else to_frame
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    mean_mask = cv2.warpAffine(aligned_mean_mask, matrix[:2], size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    columns, rows = np.arange(size[1], dtype=np.float32), np.arange(size[0], dtype=np.float32)[:, None]
    x = matrix[0, 0] * columns + matrix[0, 1] * rows + (matrix[0, 2] - _FACE_X)
    y = matrix[1, 0] * columns + matrix[1, 1] * rows + (matrix[1, 2] - _FACE_Y)
    channels = np.empty((3, *size), np.float32)
    channels[0], channels[1], channels[2] = x / FRAME[1], y / FRAME[0], mean_mask
    return channels


def network_input(image: Tensor, prior: Tensor) -> Tensor:
    """The six channels. image: (N, 3, h, w) uint8 RGB; prior: (N, 3, h, w) float32. Returns (N, 6, h, w) float32."""
    # Plain numbers: tensors made here would have a GPU wait for the processor at every step.
    photo = [
        (image[:, c : c + 1].float() / 255 - mean) / std for c, (mean, std) in enumerate(zip(MEAN, STD, strict=True))
    ]
    return torch.cat([*photo, prior], dim=1)
