"""python -m benchmarks.kernels [FOLDER]: speed of the individual kernels, eq. (1)-(3), relative to OpenCV and scipy.

Per photo of 800x600 on one core: mask -> contour -> distances in the band -> codes -> PNG in memory, for drawn
portraits or the masks (PNG) of a folder. The peers compute the exact distance transform of the whole photo and share
the rest; all three give the same codes.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from bsn.kernels import code_distances, contour, encode_codes, label_codes
from bsn.photos import read_palette
from drawn.catalog import picture_of

WIDTH, PHOTOS, ROUNDS = 10, 40, 5


def by_opencv(mask: np.ndarray) -> np.ndarray:
    """Compute codes by OpenCV's exact distance transform of the whole photo."""
    return _codes(mask, cv2.distanceTransform(1 - contour(mask), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def by_scipy(mask: np.ndarray) -> np.ndarray:
    """Compute codes by scipy's exact distance transform of the whole photo."""
    return _codes(mask, distance_transform_edt(contour(mask) == 0))


def ours(mask: np.ndarray) -> np.ndarray:
    """Compute codes as the pipeline does."""
    return label_codes(mask, width=WIDTH)


def _codes(mask: np.ndarray, distance: np.ndarray) -> np.ndarray:
    squared = np.rint(distance * distance).astype(np.int64)
    known = np.rint(code_distances(WIDTH) ** 2)
    inside, outside = np.full(WIDTH**2, 254, np.uint8), np.zeros(WIDTH**2, np.uint8)
    for code in np.flatnonzero(~np.isnan(known)):
        (inside if code >= 128 else outside)[int(known[code])] = code
    squared = np.minimum(squared, WIDTH**2 - 1)
    return np.where(mask == 1, inside[squared], outside[squared])


def photos_per_second(method: Callable[[np.ndarray], np.ndarray], masks: list[np.ndarray]) -> float:
    """Return the best of ROUNDS rounds over all masks."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for mask in masks:
            encode_codes(method(mask))
        seconds.append((time.perf_counter() - started) / len(masks))
    return 1 / min(seconds)


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    if len(sys.argv) > 1:
        masks = [read_palette(file) for file in sorted(Path(sys.argv[1]).glob("*.png"))]
        masks = masks[:PHOTOS]
    else:
        masks = [picture_of("pfcn", index, 1).people[0].astype(np.uint8) for index in range(PHOTOS)]
    for mask in masks[:5]:
        assert (by_opencv(mask) == ours(mask)).all()
        assert (by_scipy(mask) == ours(mask)).all()
    sizes = [len(encode_codes(ours(mask))) for mask in masks]
    speeds = {method.__name__: photos_per_second(method, masks) for method in (ours, by_opencv, by_scipy)}
    print(f"{len(masks)} masks of {masks[0].shape[0]}x{masks[0].shape[1]}, band of {WIDTH} px, one core")
    print("| method | photos/s | ours is faster by |\n|---|---|---|")
    for name, speed in speeds.items():
        print(f"| {name} | {speed:.0f} | {speeds['ours'] / speed:.1f} x |")
    print(
        f"PNG: median {statistics.median(sizes) / 1024:.1f} KB per photo, largest {max(sizes) / 1024:.1f} KB;", end=" "
    )
    print(f"as float32 labels {masks[0].size * 12 / 1024:.0f} KB")


if __name__ == "__main__":
    main()
