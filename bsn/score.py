"""`bsn score`: measure masks of any method against true masks, and compare two methods.

bsn score PREDICTIONS TRUTH     # means with 95 % intervals over photos
bsn score OURS THEIRS TRUTH     # both, and their paired difference
"""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from bsn.cutout.photo_files import folder_files
from bsn.disk import disk_errors, write_atomically
from bsn.errors import InputError
from bsn.matlab import read_matrix
from bsn.metrics import BAND_WIDTHS, bootstrap, evaluate_photo, miou_two_class, pooled
from bsn.photos import read_upright
from bsn.workers import threaded_map

SHOWN = 5  # at most so many names in a message
FEW = 8  # values of a picture that is no soft mask
BESIDE = 8  # grey levels by which a lossy format changes black and white
LABELS = (0, 1, 255)
# Rows of the summary: column of `evaluate_photo`, and title.
_MEASURES = {
    "iou": "Mean IoU",
    "boundary_iou": "Boundary IoU",
    "boundary_f": "Boundary F",
    **{f"band_{width}": f"Band {width} px" for width in BAND_WIDTHS},
}


def read_mask(file: Path, *, labels: bool = False) -> np.ndarray:
    """Read a mask by the rules of `bsn score --help`.

    Args:
        file: a picture, or a .mat file with the variable `mask`.
        labels: whether the pictures of its folder hold labels (`hold_labels`).

    Returns:
        (H, W) uint8: 0 background, 1 portrait, 255 ignored.

    Raises:
        InputError: the file cannot be read as a mask, or which of its pixels are portrait is unclear.
    """
    if file.suffix.lower() == ".mat":
        mask = _matrix(file)
        if not np.isin(mask, (0, 1)).all():
            raise InputError(f"{file} holds other values than 0 and 1; save the mask as those")
        return mask.astype(np.uint8)
    picture = read_upright(file)
    if picture.opacity is not None:
        return (picture.opacity >= 128).astype(np.uint8)
    brightest, values = _brightest(picture.pixels)
    if labels and np.isin(values, LABELS).all():
        return brightest
    low, high = values[0], values[-1]
    if len(values) <= FEW:
        shown = ", ".join(map(str, values))
        if ((values > low + BESIDE) & (values < high - BESIDE)).any():
            raise InputError(f"{file} holds {shown}: which of them are portrait is unclear; save it as 0 and 255")
        if 0 < high < 128:
            raise InputError(f"{file} holds {shown}, which are all background; save it as 0 and 255")
        if low >= 128 and (picture.pixels != picture.pixels[0, 0]).any():
            raise InputError(f"{file} holds {shown}, which are all portrait; save it as 0 and 255")
    return (brightest >= 128).astype(np.uint8)


def hold_labels(masks: Iterable[Path]) -> bool:
    """Whether the pictures of a folder hold 0, 1 and 255 = ignored: one that holds a 1, and no other value, says so.

    Raises:
        InputError: a picture cannot be read.
    """
    return any(threaded_map(_holds_labels, [file for file in masks if file.suffix.lower() != ".mat"]))


def _holds_labels(file: Path) -> bool:
    picture = read_upright(file)
    values = _brightest(picture.pixels)[1]
    return picture.opacity is None and 1 in values and bool(np.isin(values, LABELS).all())


def _brightest(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The brightest channel of each pixel, as masks may be coloured, and its values in the picture, ascending."""
    brightest = pixels.max(axis=2)
    return brightest, np.flatnonzero(np.bincount(brightest.ravel(), minlength=256))


def _matrix(file: Path) -> np.ndarray:
    try:
        return read_matrix(file, "mask")
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def score(
    predictions: Mapping[str, Path], truth: Mapping[str, Path], names: Sequence[str], *, title: str
) -> pd.DataFrame:
    """Measure the masks of one method.

    Args:
        predictions: file of each predicted mask by photo name.
        truth: file of each true mask by photo name.
        names: of the photos to measure, keys of both.
        title: of the progress bar.

    Returns:
        One row per photo: `id`, and the metrics of `bsn.metrics.evaluate_photo`.

    Raises:
        InputError: a mask cannot be read, or its size is not that of the true mask.
    """
    labels = hold_labels(predictions[name] for name in names), hold_labels(truth[name] for name in names)
    measure = partial(_measure, predictions=predictions, truth=truth, labels=labels)
    rows = tqdm(threaded_map(measure, names), total=len(names), desc=title, unit=" masks")
    return pd.DataFrame([{"id": name, **row} for name, row in zip(names, rows, strict=True)])


def _measure(
    name: str, *, predictions: Mapping[str, Path], truth: Mapping[str, Path], labels: tuple[bool, bool]
) -> dict[str, float]:
    found, wanted = read_mask(predictions[name], labels=labels[0]), read_mask(truth[name], labels=labels[1])
    if found.shape != wanted.shape:
        sizes = " and ".join(f"{mask.shape[1]}x{mask.shape[0]}" for mask in (found, wanted))
        raise InputError(f"{predictions[name]} and {truth[name]} are {sizes} pixels; resize the first")
    return evaluate_photo(found == 1, wanted)


def _masks(folder: Path) -> dict[str, Path]:
    """File of each mask in a folder by photo name. Raises InputError if there is none, or two have the same name."""
    try:
        files = folder_files(folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}; name a folder of masks") from None
    masks: dict[str, Path] = {}
    for file in files:
        name = file.stem.removesuffix("_mask")
        if name in masks:
            raise InputError(f"{folder} has two masks of {name}, {masks[name].name} and {file.name}; keep one of them")
        masks[name] = file
    if not masks:
        raise InputError(f"{folder} holds no masks")
    return masks


def compare(predictions: Sequence[Path], truth: Path, *, csv: Path | None = None) -> int:
    """Print the metrics of one or two folders of masks, and the difference of two.

    Args:
        predictions: one or two folders of masks.
        truth: folder of true masks.
        csv: file to write, with one row per photo and folder; None for none.

    Returns:
        Exit status: 0, or 1 if the masks of some photos are missing.

    Raises:
        InputError: as in `score`; or there are more than two folders, no names match, or `csv` cannot be written.
    """
    if len(predictions) > 2:
        raise InputError(f"{len(predictions)} folders of PREDICTIONS; give one or two")
    true_masks = _masks(truth)
    found = [_masks(folder) for folder in predictions]
    names = [name for name in true_masks if all(name in masks for masks in found)]
    titles = [str(folder) for folder in predictions]
    if not names:
        raise InputError(f"no mask of {truth} has the name of one in {' and '.join(titles)}")
    if csv and any(csv.resolve().is_relative_to(folder.resolve()) for folder in (*predictions, truth)):
        raise InputError(f"--csv {csv} is in a folder that is measured; name a file elsewhere")
    if csv and csv.is_dir():
        raise InputError(f"--csv {csv} is a folder; name a file")
    if csv and not csv.absolute().parent.is_dir():
        raise InputError(f"--csv {csv}: there is no folder {csv.absolute().parent}; make it first")
    tables = [
        score(masks, true_masks, names, title=folder.name) for folder, masks in zip(predictions, found, strict=True)
    ]
    if csv:
        labelled = [table.assign(predictions=title) for title, table in zip(titles, tables, strict=True)]
        content = pd.concat(labelled).to_csv(index=False, float_format="%.6g").encode()
        with disk_errors(csv):
            if csv.exists() and not csv.is_file():  # /dev/stdout or a pipe
                csv.write_bytes(content)
            else:
                write_atomically(csv.resolve(), [content])  # of a link, the target
    print(summary(titles, tables), end="")
    status = 0
    for title, masks in zip(titles, found, strict=True):
        missing = [name for name in true_masks if name not in masks]
        if missing:
            told = f"{title} has no mask of {len(missing)} of {len(true_masks)} photos: {_some(missing)}"
            print(f"score: {told}", file=sys.stderr)
            status = 1
        if extra := [name for name in masks if name not in true_masks]:
            told = f"{truth} has no mask of {len(extra)} photos of {title}, which were left out: {_some(extra)}"
            print(f"score: {told}", file=sys.stderr)
    return status


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def summary(titles: Sequence[str], tables: Sequence[pd.DataFrame]) -> str:
    """Format the means for a terminal, in per cent.

    Args:
        titles: one per table.
        tables: one or two, of `score`, with the same photos in the same order.

    Returns:
        Lines with one column per table, and one for the difference of two.
    """
    heads = [*titles, "difference"] if len(tables) == 2 else list(titles)
    lines = [["", *heads], ["Photos", *[str(len(table)) for table in tables]]]
    for key, title in _MEASURES.items():
        columns = [table[key].to_numpy() for table in tables]
        if len(columns) == 2:
            columns.append(columns[0] - columns[1])
        lines.append([title, *[_cell(values, signed=place == 2) for place, values in enumerate(columns)]])
    lines.append(["Two-class mIoU", *[f"{100 * miou_two_class(pooled(table)):.1f}" for table in tables]])
    widths = [max(len(line[place]) for line in lines if place < len(line)) for place in range(len(heads) + 1)]
    return "".join(
        "  ".join(cell.ljust(widths[place]) for place, cell in enumerate(line)).rstrip() + "\n" for line in lines
    )


def _cell(values: np.ndarray, *, signed: bool) -> str:
    """Mean and 95 % bootstrap interval over photos, in per cent; a star if the interval of a difference excludes 0."""
    known = values[~np.isnan(values)]
    if not len(known):
        return "-"
    form = "+.1f" if signed else ".1f"
    low, high = bootstrap(values, seed=0)
    if math.isnan(low):
        return f"{100 * known.mean():{form}}"
    star = " *" if signed and (low > 0 or high < 0) else ""
    return f"{100 * known.mean():{form}} ({100 * low:{form}} to {100 * high:{form}}){star}"
