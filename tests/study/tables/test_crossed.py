import math

import numpy as np
import pytest

from bsn.metrics import bootstrap
from study.tables.seeds import crossed_bootstrap


def mean_and_interval(values, samples=2000):
    found = crossed_bootstrap(values, seed=1, samples=samples)
    return found.mean, *found.interval()


def test_identical_gains_give_an_interval_of_width_0():
    assert mean_and_interval(np.full((3, 20), 0.1)) == (pytest.approx(0.1),) * 3
    # Zeros give exactly 0.
    assert mean_and_interval(np.zeros((3, 20))) == (0.0, 0.0, 0.0)


def test_if_only_seeds_vary_the_interval_is_that_of_the_seeds():
    # Two seeds: a quarter of the draws have only the first, a quarter only the second.
    assert mean_and_interval(np.repeat([[0.0], [1.0]], 50, axis=1)) == (0.5, 0.0, 1.0)
    # Three seeds: 1 of 27 draws, 3.7 %, has only the lowest, which is more than the 2.5 % below the interval.
    assert mean_and_interval(np.repeat([[0.0], [3.0], [6.0]], 50, axis=1)) == (3.0, 0.0, 6.0)


def test_if_only_photos_vary_the_interval_is_that_of_a_bootstrap_over_photos():
    photos = np.random.default_rng(0).normal(0.02, 0.1, size=200)
    mean, low, high = mean_and_interval(np.tile(photos, (3, 1)), samples=20000)
    assert mean == pytest.approx(photos.mean())
    # The mean of 200 has a standard error of .1 / sqrt(200) = .007; its quantiles from 20000 draws, a fiftieth of that.
    assert (low, high) == pytest.approx(bootstrap(photos, seed=2, samples=20000), abs=5e-4)


def test_one_photo_under_several_seeds_does_not_count_as_several_photos():
    photos = np.random.default_rng(0).normal(0, 0.1, size=100)
    same = np.tile(photos, (4, 1))
    _, low, high = mean_and_interval(same)
    alone = bootstrap(same.ravel(), seed=1)
    # Four identical seeds add no information; counted as 400 photos, they would halve the interval.
    assert (high - low) / (alone[1] - alone[0]) == pytest.approx(2, rel=0.15)


def test_nan_cells_are_ignored():
    values = np.array([[0.0, np.nan, 4.0], [2.0, np.nan, np.nan], [np.nan] * 3])
    mean, low, high = mean_and_interval(values)
    assert mean == 2.0
    assert 0.0 <= low < 2.0 < high <= 4.0


@pytest.mark.parametrize("values", [np.ones((1, 9)), np.ones((9, 1)), [[1.0, 1.0], [np.nan, np.nan]]])
def test_one_seed_or_one_photo_gives_a_mean_but_no_interval(values):
    mean, low, high = mean_and_interval(values)
    assert mean == 1.0
    assert math.isnan(low)
    assert math.isnan(high)


def test_only_nan_cells_give_a_nan_mean_and_interval():
    assert all(math.isnan(value) for value in mean_and_interval(np.full((3, 3), np.nan)))


def test_detectable_mean_is_2_8_standard_errors_at_95_percent_and_3_4_at_99_percent():
    # Gains that vary by photo only: the standard error of 400 photos is .1 / sqrt(400) = .005.
    photos = np.random.default_rng(0).normal(0, 1, size=400)
    found = crossed_bootstrap(np.tile((photos - photos.mean()) / photos.std() * 0.1, (3, 1)), seed=1)
    # 1.960 + .842 at 95 %, and 2.576 + .842 at 99 %, which has half a per cent on each side.
    assert found.detectable() == pytest.approx(2.802 * 0.005, rel=0.03)
    assert found.detectable(0.99) == pytest.approx(3.418 * 0.005, rel=0.03)
