import math

import numpy as np
import pytest

from study.tables.seeds import crossed_mean

# Quantiles of the t distribution with 2 degrees of freedom are (2 p - 1) / sqrt(2 p (1 - p)).
T_2 = 0.95 / math.sqrt(2 * 0.975 * 0.025)


def mean_and_interval(values):
    found = crossed_mean(values)
    return found.mean, *found.interval()


def test_identical_gains_give_an_interval_of_width_0():
    assert mean_and_interval(np.full((3, 20), 0.1)) == (pytest.approx(0.1),) * 3
    # Zeros give exactly 0.
    assert mean_and_interval(np.zeros((3, 20))) == (0.0, 0.0, 0.0)


def test_if_only_seeds_vary_the_interval_is_the_t_interval_of_the_seeds_means():
    mean, low, high = mean_and_interval(np.repeat([[0.0], [3.0], [6.0]], 50, axis=1))
    # Standard deviation 3 and three seeds.
    assert (mean, low, high) == pytest.approx((3, 3 - T_2 * math.sqrt(3), 3 + T_2 * math.sqrt(3)))


def test_if_only_photos_vary_seeds_add_no_information():
    # Three photos under four identical seeds: standard deviation 1, not the smaller one of twelve values.
    mean, low, high = mean_and_interval(np.tile([1.0, 2.0, 3.0], (4, 1)))
    assert (mean, low, high) == pytest.approx((2, 2 - T_2 / math.sqrt(3), 2 + T_2 / math.sqrt(3)))


def test_variances_of_seeds_and_photos_add_up_and_share_their_degrees_of_freedom():
    # Seeds -1 and 1, photos -2 and 2, nothing else. Mean squares: 2 * 2 and 2 * 8; variance of the mean (4 + 16) / 4.
    found = crossed_mean(np.array([[-3.0, 1.0], [-1.0, 3.0]]))
    assert found.error == pytest.approx(math.sqrt(5))
    assert found.freedom == pytest.approx(20**2 / (4**2 + 16**2))


def test_seeds_that_differ_less_than_chance_count_as_chance():
    # Both seeds have the mean 0. The rest is 4 squares of 1, of 1 degree of freedom, and both mean squares count as 4.
    found = crossed_mean(np.array([[-1.0, 1.0], [1.0, -1.0]]))
    assert found.error == pytest.approx(1)
    assert found.freedom == pytest.approx(1 / 3)


@pytest.mark.parametrize(("seed_sd", "photo_sd"), [(0, 0), (0.1, 1.6), (0.3, 1.6), (1, 0)])
def test_without_a_true_gain_at_most_about_5_percent_of_the_intervals_exclude_0(seed_sd, photo_sd):
    random, excluded = np.random.default_rng(0), 0
    for _ in range(1000):
        gains = random.normal(0, seed_sd, (3, 1)) + random.normal(0, photo_sd, 100) + random.normal(0, 3, (3, 100))
        low, high = crossed_mean(gains).interval()
        excluded += low > 0 or high < 0
    # 5 % of 1000, and two standard deviations of that count.
    assert excluded <= 50 + 2 * math.sqrt(1000 * 0.05 * 0.95)


def test_a_photo_without_a_value_under_some_seed_is_left_out():
    values = np.array([[0.0, np.nan, 4.0, 9.0], [2.0, np.nan, 6.0, np.nan], [np.nan] * 4])
    assert crossed_mean(values) == crossed_mean(np.array([[0.0, 4.0], [2.0, 6.0]]))


@pytest.mark.parametrize("values", [np.ones((1, 9)), np.ones((9, 1)), [[1.0, 1.0], [np.nan, np.nan]]])
def test_one_seed_or_one_photo_gives_a_mean_but_no_interval(values):
    mean, low, high = mean_and_interval(values)
    assert mean == 1.0
    assert math.isnan(low)
    assert math.isnan(high)


def test_only_nan_cells_give_a_nan_mean_and_interval():
    assert all(math.isnan(value) for value in mean_and_interval(np.full((3, 3), np.nan)))


def test_detectable_mean_is_the_quantiles_of_level_and_power_in_standard_errors():
    # Only photos vary: standard error .1 / sqrt(400) = .005, with so many degrees of freedom that t is nearly normal.
    photos = np.random.default_rng(0).normal(0, 1, size=400)
    found = crossed_mean(np.tile((photos - photos.mean()) / photos.std(ddof=1) * 0.1, (3, 1)))
    # 1.960 + .842 at 95 %, and 2.576 + .842 at 99 %, which has half a per cent on each side.
    assert found.detectable() == pytest.approx(2.802 * 0.005, rel=0.01)
    assert found.detectable(0.99) == pytest.approx(3.418 * 0.005, rel=0.01)
    # Three seeds alone: (4.303 + 1.061) standard errors, of 1 / sqrt(3).
    seeds = crossed_mean(np.repeat([[1.0], [2.0], [3.0]], 50, axis=1))
    assert seeds.detectable() == pytest.approx((T_2 + 0.6 / math.sqrt(2 * 0.8 * 0.2)) / math.sqrt(3))
