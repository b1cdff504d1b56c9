"""Methods that segment a photo: their interface, networks, baselines; and the prediction of many files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch

from bsn import models
from bsn.alignment import warp_to_photo
from bsn.disk import disk_errors, write_png
from bsn.errors import InputError, brief
from bsn.inputs import network_input, prior_channels, working_photo
from bsn.methods.graph_cut import graph_cut
from bsn.model_format import ModelDescription
from bsn.models.layers import Network, foreground_score, upsample
from bsn.photos import read_photo
from bsn.workers import cores, ordered_map


class Method(Protocol):
    """A row of Table 1.

    Attributes:
        parameters: number of trained parameters.
        parallel: whether many photos are predicted in several processes; the method must then be picklable.
    """

    parameters: int
    parallel: bool

    def __call__(self, photo: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
        """Segment one photo.

        Args:
            photo: (H, W, 3) uint8 RGB.
            affine: (2, 3) from its pixels to the frame; None if no face was found.

        Returns:
            (H, W) uint8 {0, 1}.
        """
        ...


def load_method(folder: Path, *, aligned_mean_mask: np.ndarray) -> Method:
    """Load a method, on the GPU if there is one.

    Args:
        folder: `models/<method>`.
        aligned_mean_mask: (800, 600) float32 in 0..1, of the training set.

    Raises:
        InputError, FileNotFoundError, ValueError, KeyError, TypeError: as `bsn.model_format.ModelDescription.read`.
        RuntimeError, safetensors.SafetensorError: the weights are damaged, or do not fit model.json.
    """
    description = ModelDescription.read(folder)
    if description.network == "graph_cut":
        return GraphCut(aligned_mean_mask=aligned_mean_mask, **description.options)
    if description.network == "mean_mask":
        return MeanMask(aligned_mean_mask=aligned_mean_mask)
    if description.size is None:
        raise ValueError(f"{folder} does not say at which size its network was trained")
    return Segmenter(
        models.load(folder),
        size=description.size,
        aligned_mean_mask=aligned_mean_mask,
        device="cuda" if torch.cuda.is_available() else "cpu",
    )


@dataclass(frozen=True, kw_only=True)
class PhotoFile:
    """A photo to segment, and the file for its mask.

    Attributes:
        photo: file of the photo.
        affine: (2, 3) from its pixels to the frame; None without a face.
        mask: PNG to write, with 0 for background and 255 for portrait.
    """

    photo: Path
    affine: np.ndarray | None
    mask: Path


def predict_files(files: Sequence[PhotoFile], *, method: Method) -> Iterator[Path]:
    """Predict photos and write their masks; the bytes do not depend on the number of processes.

    Args:
        files: photos and mask files.
        method: to predict with.

    Yields:
        The file of each mask, in order, once it is written.

    Raises:
        InputError: a photo cannot be read or segmented, a mask cannot be written, or a worker was killed.
    """
    predict = partial(_predict_file, method=method)
    return ordered_map(predict, files, workers=cores() if method.parallel else 1, imports="bsn.methods.prediction")


def _predict_file(file: PhotoFile, *, method: Method) -> Path:
    photo = read_photo(file.photo)
    try:
        mask = method(photo, file.affine)
    except Exception as error:
        raise InputError(f"{file.photo} could not be segmented ({brief(error)})") from error
    with disk_errors(file.mask):
        write_png(file.mask, mask * 255)
    return file.mask


class MeanMask:
    """Baseline that predicts the aligned mean mask, stretched over the whole photo if there is no face.

    Args:
        aligned_mean_mask: (800, 600) float32 in 0..1, of the training set.
    """

    parameters = 0
    parallel = False  # all photos together take less time than starting a process

    def __init__(self, *, aligned_mean_mask: np.ndarray) -> None:
        self.aligned_mean_mask = aligned_mean_mask

    def prior(self, photo: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
        """Probability of portrait at each pixel, (H, W) float32; arguments as in `Method`."""
        height, width = photo.shape[:2]
        if affine is None:
            return cv2.resize(self.aligned_mean_mask, (width, height))
        return warp_to_photo(self.aligned_mean_mask, affine, height=height, width=width)

    def __call__(self, photo: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
        """As in `Method`."""
        return (self.prior(photo, affine) > 0.5).astype(np.uint8)


class GraphCut(MeanMask):
    """Graph-cut baseline with the mean mask as the prior.

    Args:
        aligned_mean_mask: (800, 600) float32 in 0..1, of the training set.
        smoothness: as in `bsn.methods.graph_cut.graph_cut`, like `contrast` and `height`.
    """

    parallel = True  # scipy's maximum flow runs on one core

    def __init__(self, *, aligned_mean_mask: np.ndarray, smoothness: float, contrast: float, height: int) -> None:
        super().__init__(aligned_mean_mask=aligned_mean_mask)
        self.smoothness, self.contrast, self.height = smoothness, contrast, height

    def __call__(self, photo: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
        """As in `Method`."""
        prior = self.prior(photo, affine)
        return graph_cut(photo, prior, smoothness=self.smoothness, contrast=self.contrast, height=self.height)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Output of a network for one photo.

    Attributes:
        score: (H, W) float32, foreground logit minus background logit at the photo's own size.
        attributes: class of each attribute; [] for a network without the branch.
    """

    score: np.ndarray
    attributes: list[int]

    @property
    def mask(self) -> np.ndarray:
        """(H, W) uint8 {0, 1}, the portrait."""
        return (self.score > 0).astype(np.uint8)


class Segmenter:
    """A trained network for photos of any size.

    Args:
        model: with six input channels.
        size: (height, width) of a PFCN photo's working copy, as in training.
        aligned_mean_mask: (800, 600) float32 in 0..1, of the training set.
        device: of the network.
    """

    parallel = False  # one process: torch has threads of its own, or the GPU

    def __init__(
        self,
        model: Network,
        *,
        size: tuple[int, int],
        aligned_mean_mask: np.ndarray,
        device: torch.device | str = "cpu",
    ) -> None:
        self.model = model.to(device).eval()
        self.size = size
        self.aligned_mean_mask = aligned_mean_mask
        self.device = device
        self.parameters = sum(parameter.numel() for parameter in model.parameters())

    @torch.inference_mode()
    def predict(self, photo: np.ndarray, affine: np.ndarray | None) -> Prediction:
        """Run the network once on a photo. Arguments as in `Method`."""
        small = working_photo(photo, affine, self.size)
        prior = prior_channels(small.to_frame, self.aligned_mean_mask, small.image.shape[:2])
        image = torch.from_numpy(small.image.transpose(2, 0, 1)[None]).to(self.device)
        output = self.model(network_input(image, torch.from_numpy(prior[None]).to(self.device)))
        score = foreground_score(output.fused)[:, None].float()
        logits = output.attributes
        # Mean over the classifiers of all scales; there is one, or one per scale.
        classes = [] if logits is None else logits[:, 0].float().softmax(dim=-1).mean(dim=0).argmax(dim=-1).tolist()
        return Prediction(
            score=upsample(score, photo.shape[:2], align_corners=output.align_corners)[0, 0].cpu().numpy(),
            attributes=classes,
        )

    def score(self, photo: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
        """Foreground logit minus background logit, (H, W) float32; arguments as in `Method`."""
        return self.predict(photo, affine).score

    def __call__(self, photo: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
        """As in `Method`."""
        return self.predict(photo, affine).mask
