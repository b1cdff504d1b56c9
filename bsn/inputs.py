"""The six input channels of a network: the photo at working size, and position x, y and mean mask (Shen et al.).

Position and mean mask are given in the face's frame (bsn/alignment.py). Without a face these three channels are zero,
as in the release of Shen et al.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from bsn.alignment import FRAME, REFERENCE_POINTS

if TYPE_CHECKING:
    from torch import Tensor

CHANNELS = 6
# ImageNet's mean and standard deviation, RGB in 0..1, with which torchvision's weights were trained.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_FACE_X, _FACE_Y = (float(value) for value in REFERENCE_POINTS.mean(axis=0))
# In the frame: mirrors left and right about the face's centre.
_MIRROR = np.array([[-1.0, 0, 2 * _FACE_X], [0, 1, 0], [0, 0, 1]])


@dataclass(frozen=True, kw_only=True)
class WorkingPhoto:
    """A photo at working size.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        to_frame: (3, 3), homogeneous, from its pixels to the frame's; None without a face.
    """

    image: np.ndarray
    to_frame: np.ndarray | None


def scaling(size: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """Map from the pixels of an image to those of its resized copy, as cv2.resize does.

    Pixel centres are at whole numbers, so besides the scale there is a shift: x' = s (x + 1/2) - 1/2.

    Args:
        size: (height, width) of the image.
        target: (height, width) of the copy.

    Returns:
        (3, 3) float64, homogeneous, on (x, y, 1).
    """
    scale_y, scale_x = target[0] / size[0], target[1] / size[1]
    return np.array([[scale_x, 0, scale_x / 2 - 0.5], [0, scale_y, scale_y / 2 - 0.5], [0, 0, 1]])


def working_size(photo: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Size of a photo's working copy: the photo's aspect ratio, and as many pixels as `size` has.

    Args:
        photo: (height, width) of the photo.
        size: (height, width) of a PFCN photo's working copy.

    Returns:
        (height, width), each at least 2, so that the network's branch at half the size has a pixel.
    """
    scale = (size[0] * size[1] / (photo[0] * photo[1])) ** 0.5
    return max(2, round(photo[0] * scale)), max(2, round(photo[1] * scale))


def working_photo(photo: np.ndarray, affine: np.ndarray | None, size: tuple[int, int]) -> WorkingPhoto:
    """Resize a photo to working size.

    Args:
        photo: (H, W, 3) uint8 RGB.
        affine: (2, 3) from its pixels to the frame; None without a face.
        size: (height, width) of a PFCN photo's working copy.

    Returns:
        The photo at `working_size`, and the map from its pixels to the frame.
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
    """Position x, position y and mean mask of each pixel, in the face's frame.

    Positions are distances from the face's centre, divided by the frame's width and height. Beyond the frame positions
    continue, and the mean mask keeps the value of its edge.

    Args:
        to_frame: (3, 3) from the pixels to the frame; None gives zeros.
        aligned_mean_mask: (800, 600) float32, 0..1.
        size: (h, w) of the pixels.
        mirrored: whether the pixels show the mirrored photo; the frame is then mirrored, too.

    Returns:
        (3, h, w) float32: x, y (0 at the face's centre), mean mask in 0..1.
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


def network_input(image: "Tensor", prior: "Tensor") -> "Tensor":
    """Normalise photos by ImageNet's mean and standard deviation, and append the prior channels.

    Args:
        image: (N, 3, h, w) uint8 RGB.
        prior: (N, 3, h, w) float32, of `prior_channels`.

    Returns:
        (N, 6, h, w) float32.
    """
    import torch  # late: `bsn segment` runs an exported network without it

    # Plain numbers, because tensors made here would synchronise the GPU with the CPU in every step.
    photo = [
        (image[:, c : c + 1].float() / 255 - mean) / std for c, (mean, std) in enumerate(zip(MEAN, STD, strict=True))
    ]
    return torch.cat([*photo, prior], dim=1)
