"""How sure a mean over photos is: bootstrap intervals."""

import numpy as np


def bootstrap(values: np.ndarray, *, seed: int, samples: int = 2000, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over photos; NaN photos are left out.

    `values` float (N,); NaN twice when fewer than two are left, for one photo says nothing of others.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(len(values), size=(samples, len(values)))
    means = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(
    values: np.ndarray, baseline: np.ndarray, *, seed: int, samples: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean of `values - baseline` over the same photos in the same order, and its bootstrap interval."""
    if len(values) != len(baseline):
        raise ValueError(f"paired values need the same photos: {len(values)} against {len(baseline)}")
    difference = np.asarray(values, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    low, high = bootstrap(difference, seed=seed, samples=samples, level=level)
    known = difference[~np.isnan(difference)]
    return (float(known.mean()) if len(known) else float("nan")), low, high
