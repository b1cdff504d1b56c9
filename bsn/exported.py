"""Run networks that bsn/export.py wrote, by onnxruntime: photos are segmented without loading torch."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors  # pyright: ignore[reportAttributeAccessIssue]

from bsn.inputs import MEAN, STD, prior_channels, working_photo
from bsn.model_format import CELLS, FACES, INPUT, NETWORK, ModelDescription

# From a photo, (H, W, 3) uint8 RGB, and its affine to the frame, (2, 3) or None, to a mask, (H, W) uint8 {0, 1}.
Segment = Callable[[np.ndarray, np.ndarray | None], np.ndarray]

_MEAN, _STD = np.array(MEAN, np.float32), np.array(STD, np.float32)
# What onnxruntime raises for a file that is damaged or something else.
BROKEN = (errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf, errors.NoSuchFile)
# Of NVIDIA's driver, on Linux and on Windows' Linux. With a GPU, torch is faster than onnxruntime on the CPU.
_DRIVERS = ("/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1")


def runs_exported(folder: Path) -> bool:
    """Whether a model folder is run by onnxruntime: it holds the exported networks, and the machine has no GPU."""
    exported = (folder / NETWORK).is_file() and (folder / FACES).is_dir()
    return exported and not any(map(os.path.exists, _DRIVERS))


def open_network(file: Path, *, threads: int = 0) -> onnxruntime.InferenceSession:
    """Open an ONNX file for the CPU. threads: 0 for one per core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads sleep, as those of OpenMP (bsn/environment.py).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


class ExportedSegmenter:
    """`bsn.methods.prediction.Segmenter` by onnxruntime: its masks, but for pixels whose score rounds to zero.

    Args:
        folder: a model folder with network.onnx.
        aligned_mean_mask: (800, 600) float32 in 0..1, of the training set.
    """

    def __init__(self, folder: Path, *, aligned_mean_mask: np.ndarray) -> None:
        self.session = open_network(folder / NETWORK)
        size = ModelDescription.read(folder).size
        if size is None:
            raise ValueError(f"{folder} does not say at which size its network was trained")
        self.size = size
        self.align_corners: bool = json.loads(self.session.get_modelmeta().custom_metadata_map["align_corners"])
        self.aligned_mean_mask = aligned_mean_mask

    def score(self, photo: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
        """Foreground logit minus background logit, (H, W) float32; arguments as in `Segment`."""
        small = working_photo(photo, affine, self.size)
        prior = prior_channels(small.to_frame, self.aligned_mean_mask, small.image.shape[:2])
        colours = (small.image.astype(np.float32) / np.float32(255) - _MEAN) / _STD
        channels = np.concatenate([colours.transpose(2, 0, 1), prior])[None]
        (cells,) = self.session.run([CELLS], {INPUT: channels})
        return enlarged(np.asarray(cells)[0], photo.shape[:2], align_corners=self.align_corners)

    def __call__(self, photo: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
        """As in `Segment`."""
        return (self.score(photo, affine) > 0).astype(np.uint8)


def enlarged(cells: np.ndarray, size: tuple[int, int], *, align_corners: bool) -> np.ndarray:
    """`bsn.models.layers.upsample` of one map (rows, columns) float32 to `size`, with torch's rounding of positions."""
    upper, lower, down = _between(cells.shape[0], size[0], align_corners)
    left, right, across = _between(cells.shape[1], size[1], align_corners)
    wide = cells[:, left] * (1 - across) + cells[:, right] * across
    score = wide[lower]
    score *= down[:, None]
    rest = wide[upper]
    rest *= 1 - down[:, None]
    score += rest
    return score


def _between(cells: int, pixels: int, align_corners: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells on either side of each pixel, and the share of the second one, float32."""
    number = np.arange(pixels, dtype=np.float32)
    if align_corners:
        position = number * np.float32((cells - 1) / (pixels - 1) if pixels > 1 else 0)
    else:
        scale = np.float32(cells) / np.float32(pixels)
        position = np.maximum(scale * (number + np.float32(0.5)) - np.float32(0.5), 0)
    first = np.minimum(position.astype(np.int64), cells - 1)
    return first, np.minimum(first + 1, cells - 1), (position - first).astype(np.float32)
