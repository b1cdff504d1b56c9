"""Crossed ("pigeonhole") bootstrap over seeds and photos: interval of a mean, and the smallest detectable mean."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

POWER = 0.8  # share of studies in which a true gain of the `detectable` size is significant


@dataclass(frozen=True)
class CrossedMean:
    """Mean of a table of seeds by photos, with its bootstrap distribution."""

    mean: float
    draws: np.ndarray
    """Means of the bootstrap draws, float64 (samples,), or (0,) if there is no interval."""

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Percentile interval; NaN twice without draws."""
        if not len(self.draws):
            return float("nan"), float("nan")
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def detectable(self, level: float = 0.95) -> float:
        """Smallest true mean whose interval excludes 0 in 80 % of such studies; NaN without draws.

        It is (z_level + z_power) standard errors, where the draws' standard deviation is the standard error of a normal
        distribution.
        """
        normal = NormalDist()
        factor = normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(POWER)
        return factor * float(self.draws.std()) if len(self.draws) else float("nan")


def crossed_bootstrap(values: np.ndarray, *, seed: int, samples: int = 10_000) -> CrossedMean:
    """Bootstrap the mean of `values` over seeds and photos, both drawn with replacement.

    Every seed is tested on the same photos, so a draw takes whole rows and whole columns (Owen, "The pigeonhole
    bootstrap", Annals of Applied Statistics 1(2), 2007). Drawing single cells would treat one photo under
    two seeds as two photos, and the interval would be too narrow.

    Args:
        values: float (S, N), one row per seed and one column per photo, such as gains over the baseline with the
            same seed. NaN cells are ignored.
        seed: of the draws.
        samples: number of draws.

    Returns:
        The mean (NaN without values) and the draws (none with fewer than two seeds or two photos).
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)
    rows, columns = known.any(axis=1), known.any(axis=0)
    values, known = values[rows][:, columns], known[rows][:, columns]
    mean = float(values[known].mean()) if known.any() else float("nan")
    if min(values.shape) < 2:
        return CrossedMean(mean, np.empty(0))
    random = np.random.default_rng(seed)
    # Number of times each seed and each photo is drawn: (samples, S) and (samples, N).
    of_seeds, of_photos = (random.multinomial(size, np.full(size, 1 / size), size=samples) for size in values.shape)
    # Deviations from the mean: equal values then give an interval of width 0, to the last bit.
    deviations = np.where(known, values - mean, 0)
    sums = ((of_seeds @ deviations) * of_photos).sum(axis=1)
    counts = ((of_seeds @ known.astype(np.float64)) * of_photos).sum(axis=1)
    # A draw without any known cell has no mean.
    return CrossedMean(mean, mean + sums[counts > 0] / counts[counts > 0])
