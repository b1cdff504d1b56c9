"""MTCNN (Zhang et al. 2016) by onnxruntime and numpy: the faces of facenet-pytorch, without loading torch.

`bsn.export.export_face_networks` writes the three networks. The study's stages detect with bsn/mtcnn.py.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from bsn.errors import InputError, brief
from bsn.exported import BROKEN, open_network
from bsn.faces import STEP, WINDOW

NETWORKS = ("pnet.onnx", "rnet.onnx", "onet.onnx")
THRESHOLDS = (0.6, 0.7, 0.7)  # facenet-pytorch's
_STRIDE = 2  # pixels between the windows of the first network
_BATCH = 512  # crops at once


class OnnxMTCNN:
    """Drop-in for `bsn.mtcnn.FastMTCNN`; boxes and points differ from its own by less than 1e-3 pixels.

    Args:
        folder: holds NETWORKS.
        thresholds: smallest probability of a face after each network.

    Raises:
        InputError: a network is missing or damaged.
    """

    def __init__(self, folder: Path, *, thresholds: Sequence[float] = THRESHOLDS) -> None:
        try:
            self.pnet, self.rnet, self.onet = (open_network(folder / name, threads=1) for name in NETWORKS)
        except BROKEN as error:
            raise InputError(f"{folder} has no networks of the face detector ({brief(error)}); train again") from None
        self.thresholds = thresholds

    def faces(self, photos: np.ndarray, min_side: float) -> tuple[list, list, list]:
        """Detect faces, as `bsn.mtcnn.FastMTCNN.faces` does. Safe in threads."""
        found = [self._detect(photo, min_side) for photo in photos]
        boxes, probabilities, points = zip(*found, strict=True)
        return list(boxes), list(probabilities), list(points)

    def _detect(
        self, photo: np.ndarray, min_side: float
    ) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
        sums = cv2.integral(photo)  # (H + 1, W + 1, 3) int32; differences are right even where it wraps
        boxes = self._proposals(sums, min_side)
        if len(boxes):
            boxes = self._refined(sums, boxes)
        if len(boxes):
            boxes, points = self._faces(sums, boxes)
        if not len(boxes):
            return None, None, None
        order = np.argsort((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))[::-1]
        return boxes[order, :4], boxes[order, 4], points[order]

    def _proposals(self, sums: np.ndarray, min_side: float) -> np.ndarray:
        """First stage: square boxes (n, 5), x0, y0, x1, y1 and probability, from an image pyramid."""
        height, width = sums.shape[0] - 1, sums.shape[1] - 1
        found = []
        scale = WINDOW / min_side
        shorter = min(height, width) * scale
        while shorter >= WINDOW:
            size = int(height * scale + 1), int(width * scale + 1)
            level = _area_mean(sums, np.array([[0, 0, width, height]]), size)
            shifts, probabilities = _run(self.pnet, level)
            rows, columns = np.nonzero(probabilities[0, 1] >= self.thresholds[0])
            corners = _STRIDE * np.stack([columns, rows], axis=1).astype(np.float32)
            start = np.floor((corners + 1) / np.float32(scale))
            end = np.floor((corners + WINDOW) / np.float32(scale))
            score = probabilities[0, 1, rows, columns, None]
            boxes = np.concatenate([start, end, score, shifts[0, :, rows, columns]], axis=1)
            found.append(boxes[_suppressed(boxes, 0.5)])
            scale, shorter = scale * STEP, shorter * STEP
        boxes = np.concatenate(found) if found else np.empty((0, 9), np.float32)
        boxes = boxes[_suppressed(boxes, 0.7)]
        sides = np.tile(boxes[:, 2:4] - boxes[:, :2], 2)
        return _square(np.concatenate([boxes[:, :4] + boxes[:, 5:] * sides, boxes[:, 4:5]], axis=1))

    def _refined(self, sums: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Second stage: fewer and better boxes (n, 5)."""
        shifts, probabilities = _run(self.rnet, _crops(sums, boxes, 24))
        kept = probabilities[:, 1] > self.thresholds[1]
        boxes, shifts = np.column_stack([boxes[kept, :4], probabilities[kept, 1]]), shifts[kept]
        best = _suppressed(boxes, 0.7)
        return _square(_shifted(boxes[best], shifts[best]))

    def _faces(self, sums: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Third stage: boxes (n, 5) and points (n, 5, 2)."""
        shifts, points, probabilities = _run(self.onet, _crops(sums, boxes, 48))
        kept = probabilities[:, 1] > self.thresholds[2]
        boxes, shifts = np.column_stack([boxes[kept, :4], probabilities[kept, 1]]), shifts[kept]
        sides = boxes[:, None, 2:4] - boxes[:, None, :2] + 1
        points = points[kept].reshape(-1, 2, 5).transpose(0, 2, 1) * sides + boxes[:, None, :2] - 1
        boxes = _shifted(boxes, shifts)
        best = _suppressed(boxes, 0.7, by_smaller=True)
        return boxes[best], points[best]


def _run(network: onnxruntime.InferenceSession, images: np.ndarray) -> list[np.ndarray]:
    """Outputs of a network for (N, h, w, 3) means of pixels in 0..255."""
    images = np.ascontiguousarray(((images - np.float32(127.5)) * np.float32(0.0078125)).transpose(0, 3, 1, 2))
    batches = [network.run(None, {"image": images[at : at + _BATCH]}) for at in range(0, len(images), _BATCH)]
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def _area_mean(sums: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mean colour of `size` overlapping windows of each box, as torch's `interpolate(mode="area")`.

    Args:
        sums: integral image, (H + 1, W + 1, 3) int32.
        boxes: (n, 4) integers, x0, y0, x1, y1 in pixels, ends excluded.
        size: (rows, columns).

    Returns:
        (n, rows, columns, 3) float32.
    """
    top, bottom = _windows(boxes[:, 1], boxes[:, 3], size[0])
    left, right = _windows(boxes[:, 0], boxes[:, 2], size[1])
    pixels = ((bottom - top)[:, :, None] * (right - left)[:, None]).astype(np.float32)
    if len(boxes) == 1:  # a whole photo: first over its rows, whose sums lie side by side
        rows = sums.take(bottom[0], axis=0) - sums.take(top[0], axis=0)
        total = (rows.take(right[0], axis=1) - rows.take(left[0], axis=1))[None]
    else:
        places, width = sums.reshape(-1, sums.shape[2]), sums.shape[1]
        upper, lower, left, right = top[:, :, None] * width, bottom[:, :, None] * width, left[:, None], right[:, None]
        total = places.take(lower + right, axis=0) - places.take(upper + right, axis=0)
        total += places.take(upper + left, axis=0) - places.take(lower + left, axis=0)
    return total.astype(np.float32) / pixels[..., None]


def _windows(start: np.ndarray, end: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last + 1 pixel, (n, number), of each window between start and end (n,)."""
    steps, length, start = np.arange(number), (end - start)[:, None], start[:, None]
    return start + steps * length // number, start - (-(steps + 1) * length // number)


def _crops(sums: np.ndarray, boxes: np.ndarray, side: int) -> np.ndarray:
    """The parts of the photo in boxes (n, 5), clipped to it, (n, side, side, 3) float32."""
    corners = boxes[:, :4].astype(np.int64)
    height, width = sums.shape[0] - 1, sums.shape[1] - 1
    # facenet-pytorch counts pixels from one. A box beside the photo, which it fails on, gets the nearest pixel.
    start = np.clip(corners[:, :2] - 1, 0, [width - 1, height - 1])
    end = np.maximum(np.minimum(corners[:, 2:], [width, height]), start + 1)
    return _area_mean(sums, np.concatenate([start, end], axis=1), (side, side))


def _square(boxes: np.ndarray) -> np.ndarray:
    """Boxes grown to squares about their centres, in place."""
    sides = boxes[:, 2:4] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True, initial=0)
    boxes[:, :2] += sides * np.float32(0.5) - longer * np.float32(0.5)
    boxes[:, 2:4] = boxes[:, :2] + longer
    return boxes


def _shifted(boxes: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Boxes moved by shifts (n, 4), which are shares of their sides, in place."""
    boxes[:, :4] += shifts * np.tile(boxes[:, 2:4] - boxes[:, :2] + 1, 2)
    return boxes


def _suppressed(boxes: np.ndarray, threshold: float, *, by_smaller: bool = False) -> np.ndarray:
    """Non-maximum suppression by intersection over union: indices of the boxes kept, the most probable first.

    With `by_smaller`, over the smaller box's area, and a box's last pixel counts as its own: facenet-pytorch's rule
    for the last stage.
    """
    edge = np.float32(by_smaller)
    scores = boxes[:, 4]
    # Of equally probable boxes, torchvision takes the first and facenet-pytorch the last.
    order = np.argsort(scores)[::-1] if by_smaller else np.argsort(-scores, kind="stable")
    x0, y0, x1, y1 = np.ascontiguousarray(boxes[order, :4].T)
    area = (x1 - x0 + edge) * (y1 - y0 + edge)
    alive = np.arange(len(order))
    kept = []
    while len(alive):
        best, alive = alive[0], alive[1:]
        kept.append(order[best])
        across = np.minimum(x1[best], x1[alive]) - np.maximum(x0[best], x0[alive]) + edge
        down = np.minimum(y1[best], y1[alive]) - np.maximum(y0[best], y0[alive]) + edge
        common = np.maximum(across, 0) * np.maximum(down, 0)
        others = area[alive]
        total = np.minimum(area[best], others) if by_smaller else area[best] + others - common
        alive = alive[~(common / total > threshold)]
    return np.array(kept, np.int64)
