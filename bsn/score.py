"""`bsn score`: measure masks of any method against true masks, and compare two methods.

bsn score PREDICTIONS TRUTH     # means with 95 % intervals over photos
bsn score OURS THEIRS TRUTH     # both, and their paired difference
"""

import math
import sys
from collections.abc import Mapping, Sequence
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

SHOWN = 5  # at most so many names in the message about missing masks
# Rows of the summary: column of `evaluate_photo`, and title.
_MEASURES = {
    "iou": "Mean IoU",
    "boundary_iou": "Boundary IoU",
    "boundary_f": "Boundary F",
    **{f"band_{width}": f"Band {width} px" for width in BAND_WIDTHS},
}


def read_mask(file: Path) -> np.ndarray:
    """Read a mask by the rules of `bsn score --help`.

    Args:
        file: a picture, or a .mat file with the variable `mask`.

    Returns:
        (H, W) uint8: 0 background, 1 portrait, 255 ignored.

    Raises:
        InputError: the file cannot be read as a mask.
    """
    if file.suffix.lower() == ".mat":
        mask = _matrix(file)
        if not np.isin(mask, (0, 1)).all():
            raise InputError(f"{file} holds other values than 0 and 1; save the mask as those")
        return mask.astype(np.uint8)
    picture = read_upright(file)
    if picture.opacity is not None:
        return (picture.opacity >= 128).astype(np.uint8)
    brightest = picture.pixels.max(axis=2)  # masks may be coloured
    values = np.unique(brightest)
    if 1 in values and np.isin(values, (0, 1, 255)).all():
        return brightest
    if len(values) == 2 and values[1] < 128:
        raise InputError(f"{file} holds {values[0]} and {values[1]}, which are both background; save it as 0 and 255")
    return (brightest >= 128).astype(np.uint8)


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
    measure = partial(_measure, predictions=predictions, truth=truth)
    rows = tqdm(threaded_map(measure, names), total=len(names), desc=title, unit=" masks")
    return pd.DataFrame([{"id": name, **row} for name, row in zip(names, rows, strict=True)])


def _measure(name: str, *, predictions: Mapping[str, Path], truth: Mapping[str, Path]) -> dict[str, float]:
    found, wanted = read_mask(predictions[name]), read_mask(truth[name])
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
        raise InputError(f"PREDICTIONS are {len(predictions)} folders; allowed: one or two")
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
            shown = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
            print(f"score: {title} has no mask of {len(missing)} of {len(true_masks)} photos: {shown}", file=sys.stderr)
            status = 1
    return status


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
