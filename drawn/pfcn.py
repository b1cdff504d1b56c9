"""Write drawn portraits in the layout of the PFCN release."""

from functools import partial
from pathlib import Path

import numpy as np

from bsn.disk import write_png
from drawn.catalog import scene_of
from drawn.files import draw_all, encode_jpeg, write_lines, write_mat
from drawn.painter import paint
from drawn.scene import Hair

# As in the release, where 74 of 1829 photos have no points (no face found) and 16 have the points of two faces.
EMPTY_EVERY, EMPTY_AT = 25, 11
DOUBLE_EVERY, DOUBLE_AT = 100, 17


def number_of(index: int) -> int:
    """Release number of the picture at an index; every fourth number is left out, for the release has gaps too."""
    return index + index // 3 + 1


def index_of(number: int) -> int:
    """Inverse of `number_of`.

    Raises:
        ValueError: the number is one of those that are left out.
    """
    group, place = divmod(number - 1, 4)
    if place == 3:
        raise ValueError(f"number {number} is not in the drawn release: every fourth number is missing")
    return 3 * group + place


def hair_truth(number: int, *, seed: int) -> Hair:
    """Return whether the person of photo `number` has long hair (past the chin) or short, without painting."""
    return scene_of("pfcn", index_of(number), seed).people[0].look.hair


def write_pfcn(folder: Path, *, train: int, test: int, seed: int, processes: int = 2) -> None:
    """Write `train` + `test` portraits under `folder/data` in the release's layout.

    images_data_crop/NNNNN.jpg (600 x 800), images_mask/NNNNN_mask.mat (`mask` uint8 800 x 600, {0, 1}),
    images_tracker/NNNNN.mat (`tracker` float32 49 x 2; uint8 0 x 0: no face; 98 x 2: two faces), trainlist.mat and
    testlist.mat (uint16 1 x n), meanmask.png, alldata_urls.txt, crop.txt.

    Args:
        folder: of the set, made if missing.
        train: number of training photos.
        test: number of test photos.
        seed: of the whole drawn data.
        processes: that draw in parallel; their number changes no byte.
    """
    data = folder / "data"
    for name in ("images_data_crop", "images_mask", "images_tracker"):
        (data / name).mkdir(parents=True, exist_ok=True)
    count = train + test
    numbers = np.array([number_of(index) for index in range(count)], np.uint16)
    masks = draw_all(partial(_write_portrait, data, seed), range(count), label="pfcn", processes=processes)
    rng = np.random.default_rng([seed, 1, count, test])
    tested = np.zeros(count, bool)
    tested[rng.permutation(count)[:test]] = True
    write_mat(data / "trainlist.mat", {"trainlist": numbers[~tested][None]})
    write_mat(data / "testlist.mat", {"testlist": numbers[tested][None]})
    total = sum((np.unpackbits(m).astype(np.uint32) for m, t in zip(masks, tested, strict=True) if not t), np.zeros(1))
    mean = np.broadcast_to(total, 800 * 600).reshape(800, 600) / max(train, 1)
    write_png(data / "meanmask.png", np.rint(255 * mean).astype(np.uint8))
    # `.invalid` never resolves (RFC 2606). The release also has photos without an address.
    address = [f"https://sketch.invalid/{n:05d}.jpg" if n % 16 else "None" for n in numbers]
    write_lines(data / "alldata_urls.txt", [f"{n:05d}.jpg {url}" for n, url in zip(numbers, address, strict=True)])
    write_lines(data / "crop.txt", [f"{n:05d}.jpg 0 1024 {n % 9} {768 + n % 9}" for n in numbers])


def _write_portrait(data: Path, seed: int, index: int) -> np.ndarray:
    """Draw one portrait and write its three files; return its mask, packed to bits, for the mean mask."""
    number = number_of(index)
    scene = scene_of("pfcn", index, seed)
    picture = paint(scene)
    mask = picture.people[0].astype(np.uint8)
    (data / "images_data_crop" / f"{number:05d}.jpg").write_bytes(encode_jpeg(picture.rgb))
    write_mat(data / "images_mask" / f"{number:05d}_mask.mat", {"mask": mask})
    rng = np.random.default_rng([scene.seed, 49])
    write_mat(data / "images_tracker" / f"{number:05d}.mat", {"tracker": _tracker(picture.points[0], index, rng)})
    return np.packbits(mask)


def _tracker(points: np.ndarray, index: int, rng: np.random.Generator) -> np.ndarray:
    """Points as a face tracker would find them: a pixel off, sometimes none, sometimes those of a second face."""
    if index % EMPTY_EVERY == EMPTY_AT:
        return np.zeros((0, 0), np.uint8)
    found = points + rng.normal(0, 0.8, points.shape)
    if index % DOUBLE_EVERY == DOUBLE_AT:
        corner = np.array([rng.choice([90.0, 510.0]), rng.uniform(90, 200)])
        ghost = (points - points.mean(0)) * rng.uniform(0.25, 0.4) + corner
        pair = [found, ghost] if rng.random() < 0.5 else [ghost, found]
        found = np.vstack(pair)
    return found.astype(np.float32)
