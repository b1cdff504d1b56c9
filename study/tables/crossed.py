"""Crossed ("pigeonhole") bootstrap over seeds and photos: interval of a mean, and the smallest gain it can show."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

POWER = 0.8


@dataclass(frozen=True)
class CrossedMean:
    """Mean of a table of seeds by photos, and the means of its bootstrap draws, (samples,); () without an interval."""

    mean: float
    draws: np.ndarray

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Percentile interval; NaN twice without draws."""
        if not len(self.draws):
            return float("nan"), float("nan")
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def detectable(self, level: float = 0.95) -> float:
        """Smallest true mean whose interval leaves out 0 in 80 % of such studies, (z_level + z_power) standard errors.

        The standard error is the draws' standard deviation, which a normal distribution is taken to have; NaN without
        draws.
        """
        normal = NormalDist()
        factor = normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(POWER)
        return factor * float(self.draws.std()) if len(self.draws) else float("nan")


def crossed_bootstrap(values: np.ndarray, *, seed: int, samples: int = 10_000) -> CrossedMean:
    """Mean of `values` and its bootstrap distribution, seeds and photos both drawn with replacement.

    Every seed is tested on the same photos, so a draw takes whole rows and whole columns (Owen, "The pigeonhole
    bootstrap", Annals of Applied Statistics 1(2), 2007). Drawing single cells would take the photos of two seeds for
    different photos, and the interval would come out too narrow.

    Args:
        values: float (S, N), one row per seed and one column per photo, such as the gains over a baseline of the same
            seed. NaN cells are left out.
        seed: of the draws.
        samples: number of draws.

    Returns:
        The mean, NaN without any value, and the draws, none with fewer than two seeds or two photos.
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)
    rows, columns = known.any(axis=1), known.any(axis=0)
    values, known = values[rows][:, columns], known[rows][:, columns]
    mean = float(values[known].mean()) if known.any() else float("nan")
    if min(values.shape) < 2:
        return CrossedMean(mean, np.empty(0))
    random = np.random.default_rng(seed)
    # How often each seed and each photo is drawn: (samples, S) and (samples, N).
    of_seeds, of_photos = (random.multinomial(size, np.full(size, 1 / size), size=samples) for size in values.shape)
    # As deviations from the mean, so that values which do not differ give an interval without width.
    deviations = np.where(known, values - mean, 0)
    sums = ((of_seeds @ deviations) * of_photos).sum(axis=1)
    counts = ((of_seeds @ known.astype(np.float64)) * of_photos).sum(axis=1)
    # A draw that met no value has no mean.
    return CrossedMean(mean, mean + sums[counts > 0] / counts[counts > 0])
