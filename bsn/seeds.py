"""What holds over seeds as well as over photos: intervals of a mean over a table of seeds by photos."""

import numpy as np


def crossed_bootstrap(
    values: np.ndarray, *, seed: int, samples: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean of `values` and its percentile interval, seeds and photos both drawn with replacement.

    Every seed is tested on the same photos, so a draw takes whole rows and whole columns: the "pigeonhole bootstrap"
    (Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007). Drawing the cells one by one would
    take the photos of two seeds for different photos, and the interval would come out too narrow.

    values: float (S, N), a row a seed, a column a photo, such as the gains over a baseline of the same seed; NaN cells
    are left out. seed: of the draws. The interval is NaN twice when fewer than two seeds or two photos have a value,
    for one says nothing of others; the mean is NaN as well when there is no value.
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)
    rows, columns = known.any(axis=1), known.any(axis=0)
    values, known = values[rows][:, columns], known[rows][:, columns]
    mean = float(values[known].mean()) if known.any() else float("nan")
    if min(values.shape) < 2:
        return mean, float("nan"), float("nan")
    random = np.random.default_rng(seed)
    # How often each seed and each photo is drawn: (samples, S) and (samples, N).
    of_seeds, of_photos = (random.multinomial(size, np.full(size, 1 / size), size=samples) for size in values.shape)
    # As deviations from the mean, so that values which do not differ give an interval without width.
    deviations = np.where(known, values - mean, 0)
    sums = ((of_seeds @ deviations) * of_photos).sum(axis=1)
    counts = ((of_seeds @ known.astype(np.float64)) * of_photos).sum(axis=1)
    # A draw that met no value has no mean.
    means = mean + sums[counts > 0] / counts[counts > 0]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return mean, float(low), float(high)
