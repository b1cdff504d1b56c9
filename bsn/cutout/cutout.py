"""A photo, its mask, and what follows from both: trimap, matte and layers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bsn.cutout import matting

BAND = 10.0  # section 4.4.3, in pixels of an 800x600 photo


@dataclass(frozen=True, kw_only=True)
class Cutout:
    """A photo and what is known of it; the rest is made when it is asked for.

    photo: (H, W, 3) uint8 RGB, upright. mask: (H, W) uint8 {0, 1}. faces: how many were found. band: width of the
    trimap's unknown area, in pixels of an 800x600 photo. opacity: the photo's own, (H, W) uint8, 255 opaque; None where
    all of it is.

    Raises ValueError for a band that is no width. What is made raises InputError where the photo is too small to be
    matted, or the matte can't be solved.
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
        return matting.trimap(self.mask, band=self.band * matting.frame_scale(*self.mask.shape))

    @cached_property
    def matte(self) -> np.ndarray:
        """Share of portrait in the colour of each pixel, (H, W) float32 in 0..1."""
        return matting.matte(self.photo, self.trimap)

    @cached_property
    def alpha(self) -> np.ndarray:
        """Opacity of the portrait at each pixel, (H, W) float32 in 0..1: the matte, times the photo's own opacity."""
        return self.matte if self.opacity is None else self.matte * (self.opacity / np.float32(255))

    @property
    def foreground(self) -> np.ndarray:
        """The portrait's own colours, (H, W, 3) uint8 RGB, with nothing of the background in them."""
        return self._layers[0]

    @property
    def background(self) -> np.ndarray:
        """The background's own colours, (H, W, 3) uint8 RGB; made up where the portrait hides it."""
        return self._layers[1]

    @cached_property
    def _layers(self) -> tuple[np.ndarray, np.ndarray]:
        return matting.layers(self.photo, self.matte)
