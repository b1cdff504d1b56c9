"""Metrics of a set of photos: means and pooled counts over photos, with bootstrap intervals."""

from typing import Any

import numpy as np
import pandas as pd

from bsn.metrics.boundary import BAND_WIDTHS
from bsn.metrics.counts import Overlap, miou_two_class


def bootstrap(values: np.ndarray, *, seed: int, samples: int = 2000, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over photos.

    Args:
        values: (N,) float, one per photo; NaN is left out.
        seed: of the resampling.
        samples: number of resamples.
        level: coverage of the interval, 0..1.

    Returns:
        Lower and upper end; both NaN if fewer than two values are left.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(len(values), size=(samples, len(values)))
    means = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(values: np.ndarray, baseline: np.ndarray, *, seed: int) -> tuple[float, float, float]:
    """Mean of `values - baseline` and its bootstrap interval.

    Args:
        values: (N,) float, one per photo.
        baseline: (N,) float, of the same photos in the same order.
        seed: as in `bootstrap`.

    Returns:
        Mean, lower end and upper end.

    Raises:
        ValueError: the arrays differ in length.
    """
    if len(values) != len(baseline):
        raise ValueError(f"paired values need the same photos: {len(values)} against {len(baseline)}")
    difference = np.asarray(values, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    low, high = bootstrap(difference, seed=seed)
    known = difference[~np.isnan(difference)]
    return (float(known.mean()) if len(known) else float("nan")), low, high


def summarise(rows: pd.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Summarise the photos of one set: its entry in `metrics/methods/<method>.json`.

    Args:
        rows: one per photo, with the columns of `evaluate_photo`.
        seed: of the bootstrap.

    Returns:
        `mean_iou`, eq. (9), with its 95 % bootstrap interval over photos; `miou_two_class`, pooled over all pixels of
        the set; `boundary_iou`, `boundary_f` and `band` by width, means over photos; `photos`, their number. Rounded
        to six digits, None for NaN.

    Raises:
        ValueError: there are no rows.
    """
    if rows.empty:
        raise ValueError("there are no photos to summarise; say that the set is absent instead")
    low, high = bootstrap(rows["iou"].to_numpy(), seed=seed)
    return {
        "photos": len(rows),
        "mean_iou": _mean(rows, "iou"),
        "mean_iou_low": _rounded(low),
        "mean_iou_high": _rounded(high),
        "miou_two_class": _rounded(miou_two_class(pooled(rows))),
        "boundary_iou": _mean(rows, "boundary_iou"),
        "boundary_f": _mean(rows, "boundary_f"),
        "band": {str(width): _mean(rows, f"band_{width}") for width in BAND_WIDTHS},
    }


def pooled(rows: pd.DataFrame) -> Overlap:
    """Sum the pixel counts over photos, the rows as in `summarise`."""
    return Overlap(*(int(rows[name].to_numpy().sum()) for name in Overlap._fields))


def _mean(rows: pd.DataFrame, column: str) -> float | None:
    mean: Any = rows[column].mean()
    return _rounded(mean)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
