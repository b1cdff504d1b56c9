"""Figures that the paper does not have: band curves, scatter, extremes and error map."""

import numpy as np
import pandas as pd
import pytest

from bsn.metrics import BAND_WIDTHS
from study.figures import differences, plots, samples
from study.figures.material import Missing

SAME = np.array([[1.0, 0, 0], [0, 1.0, 0]])


def test_band_mean_ignores_photos_without_that_band():
    scores = pd.DataFrame({f"band_{width}": [0.2, 0.4, np.nan] for width in BAND_WIDTHS})
    scores["band_40"] = [0.5, 0.6, 0.7]
    means = plots.band_means(scores)
    assert means[:-1] == pytest.approx([0.3] * (len(BAND_WIDTHS) - 1))
    assert means[-1] == pytest.approx(0.6)


def test_band_interval_is_the_95_percent_interval_of_the_mean_over_photos():
    scores = pd.DataFrame({f"band_{width}": np.linspace(0.2, 0.8, 25) for width in BAND_WIDTHS})
    low, high = plots.band_intervals(scores, seed=0)
    assert low.shape == high.shape == (len(BAND_WIDTHS),)
    # The mean of 25 evenly spread numbers has a standard error of .6 / 12**.5 / 5 = .035.
    assert low == pytest.approx(0.5 - 1.96 * 0.036, abs=0.01)
    assert high == pytest.approx(0.5 + 1.96 * 0.036, abs=0.01)


def test_scatter_counts_photos_above_and_below_the_diagonal():
    ours = pd.Series({"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.5, "only ours": 0.1})
    theirs = pd.Series({"d": 0.6, "c": 0.7, "b": 0.6, "a": 0.85, "only theirs": 1.0})
    seen = differences.pair_scores(ours, theirs, seed=0)
    assert (seen.above, seen.below, len(seen.pairs)) == (2, 1, 4)
    assert seen.mean == pytest.approx((0.05 + 0.2 + 0 - 0.1) / 4)
    assert -0.1 <= seen.low < seen.mean < seen.high <= 0.2
    assert differences.extremes(seen.pairs["gain"]) == ["b", "d"]


def test_extremes_omit_the_largest_gain_or_loss_if_there_is_none():
    assert differences.extremes(pd.Series({"a": 0.0, "b": 0.0})) == []
    assert differences.extremes(pd.Series({"a": 0.1, "b": 0.2})) == ["b"]


def test_scatter_caption_gives_the_counts(material):
    # BSN's masks are shifted by fewer pixels than the baseline's, on each of the four photos.
    caption = differences.draw_scatter(material)[1]
    assert "BSN is better on 4 of 4 and worse on 0" in caption


def test_best_and_worst_photos_are_sorted_and_disjoint():
    scores = pd.Series({"a": 0.5, "b": 0.9, "c": 0.7, "d": 0.8, "e": 0.6})
    assert samples.best_and_worst(scores, 2) == (["b", "d"], ["a", "e"])
    assert samples.best_and_worst(scores, 5) == (["b", "d", "c"], ["a", "e"])
    assert samples.best_and_worst(scores[:1], 5) == (["a"], [])


def test_with_one_photo_only_the_best_is_drawn(material, run):
    file = run / "metrics/photos/bsn.csv"
    file.write_text("".join(file.read_text("utf-8").splitlines(keepends=True)[:2]), "utf-8")
    picture, caption = samples.draw_extremes(material)
    assert caption == "The PFCN test photos that BSN segments best (00002), of all 1, by IoU."
    assert picture.height < 2 * 480


def test_errors_mark_misclassified_pixels_and_keep_ignored_ones():
    prediction = np.uint8([[0, 1, 0, 1]])
    mask = np.uint8([[0, 0, 1, 255]])
    assert differences.errors(prediction, mask).tolist() == [[0, 1, 1, 255]]


def test_error_map_applies_the_affine_of_each_photo():
    wrong = np.zeros((400, 300), np.uint8)
    wrong[100:110, 50:60] = 1
    twice_and_down = np.array([[2.0, 0, 0], [0, 2.0, 30]])
    seen = differences.error_map([wrong], [twice_and_down])
    assert seen.shape == (800, 600)
    assert np.isnan(seen[:29]).all()  # Outside the photo.
    assert (seen[232:248, 102:118] == 1).all()
    assert np.nansum(seen) == pytest.approx(20 * 20, abs=2 * 20)


def test_error_map_averages_over_the_photos_with_a_label_at_the_pixel():
    whole = np.zeros((800, 600), np.uint8)
    wrong = np.ones((800, 600), np.uint8)
    half = np.ones((400, 600), np.uint8)
    half[:100] = 255
    seen = differences.error_map([whole, wrong, half], [SAME] * 3)
    assert seen[50, 300] == pytest.approx(1 / 2)  # The third photo is ignored here.
    assert seen[200, 300] == pytest.approx(2 / 3)
    assert seen[600, 300] == pytest.approx(1 / 2)  # Outside the third photo.


def test_error_map_is_nan_where_fewer_than_a_tenth_of_the_photos_have_a_label():
    short = np.zeros((400, 600), np.uint8)
    whole = np.zeros((800, 600), np.uint8)
    assert np.isnan(differences.error_map([short] * 10 + [whole], [SAME] * 11)[600, 300])
    assert differences.error_map([short] * 9 + [whole], [SAME] * 10)[600, 300] == 0


def test_error_map_is_missing_if_no_photo_has_a_face(material, run):
    (run / "data/faces/pfcn.csv").unlink()
    with pytest.raises(Missing, match="No PFCN test photo has a face to align it by"):
        differences.draw_error_map(material)


def test_error_map_counts_the_photos_that_have_a_face(material):
    _, caption = differences.draw_error_map(material)
    assert "share of the 3 test photos" in caption  # The fourth photo has no face.
