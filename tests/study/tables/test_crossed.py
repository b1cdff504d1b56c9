import math

import numpy as np
import pytest

from bsn.metrics import bootstrap
from study.tables.seeds import crossed_bootstrap


def mean_and_interval(values, samples=2000):
    found = crossed_bootstrap(values, seed=1, samples=samples)
    return found.mean, *found.interval()


def test_gains_that_do_not_differ_have_an_interval_without_width():
    assert mean_and_interval(np.full((3, 20), 0.1)) == (pytest.approx(0.1),) * 3
    # None at all is no gain, to the last bit.
    assert mean_and_interval(np.zeros((3, 20))) == (0.0, 0.0, 0.0)


def test_where_only_the_seeds_differ_the_interval_is_that_of_the_seeds():
    # Two seeds: a draw has either one alone in a quarter of the draws.
    assert mean_and_interval(np.repeat([[0.0], [1.0]], 50, axis=1)) == (0.5, 0.0, 1.0)
    # Three seeds: one of 27 draws, 3.7 %, is of the lowest alone, which is more than the 2.5 % below the interval.
    assert mean_and_interval(np.repeat([[0.0], [3.0], [6.0]], 50, axis=1)) == (3.0, 0.0, 6.0)


def test_where_only_the_photos_differ_the_interval_is_that_of_the_photos():
    photos = np.random.default_rng(0).normal(0.02, 0.1, size=200)
    mean, low, high = mean_and_interval(np.tile(photos, (3, 1)), samples=20000)
    assert mean == pytest.approx(photos.mean())
    # The mean of 200 deviates by .1 / sqrt(200) = .007; its quantiles from 20000 draws by a fiftieth of that.
    assert (low, high) == pytest.approx(bootstrap(photos, seed=2, samples=20000), abs=5e-4)


def test_photos_that_all_seeds_find_hard_are_not_taken_for_different_photos():
    photos = np.random.default_rng(0).normal(0, 0.1, size=100)
    same = np.tile(photos, (4, 1))
    _, low, high = mean_and_interval(same)
    alone = bootstrap(same.ravel(), seed=1)
    # Four seeds that say the same tell no more than one; as 400 photos they would look twice as sure.
    assert (high - low) / (alone[1] - alone[0]) == pytest.approx(2, rel=0.15)


def test_cells_without_a_value_are_left_out():
    values = np.array([[0.0, np.nan, 4.0], [2.0, np.nan, np.nan], [np.nan] * 3])
    mean, low, high = mean_and_interval(values)
    assert mean == 2.0
    assert 0.0 <= low < 2.0 < high <= 4.0


@pytest.mark.parametrize("values", [np.ones((1, 9)), np.ones((9, 1)), [[1.0, 1.0], [np.nan, np.nan]]])
def test_one_seed_or_one_photo_has_a_mean_and_no_interval(values):
    mean, low, high = mean_and_interval(values)
    assert mean == 1.0
    assert math.isnan(low)
    assert math.isnan(high)


def test_no_value_at_all_has_no_mean():
    assert all(math.isnan(value) for value in mean_and_interval(np.full((3, 3), np.nan)))


def test_the_detectable_mean_is_2_8_standard_errors_and_more_at_a_stricter_level():
    # Gains that differ by photo alone: the standard error of 400 photos is .1 / sqrt(400) = .005.
    photos = np.random.default_rng(0).normal(0, 1, size=400)
    found = crossed_bootstrap(np.tile((photos - photos.mean()) / photos.std() * 0.1, (3, 1)), seed=1)
    # 1.960 + .842, and 2.576 + .842 for ten comparisons' half a per cent on each side.
    assert found.detectable() == pytest.approx(2.802 * 0.005, rel=0.03)
    assert found.detectable(0.99) == pytest.approx(3.418 * 0.005, rel=0.03)
