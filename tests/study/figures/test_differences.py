"""The figures beyond the paper: band curves, scatter, extremes and error map."""

import cv2
import numpy as np
import pandas as pd
import pytest

from bsn.metrics import BAND_WIDTHS
from study.figures import differences, plots, samples
from study.figures.material import Missing

SAME = np.array([[1.0, 0, 0], [0, 1.0, 0]])


def test_a_band_s_mean_leaves_out_the_photos_that_do_not_have_it():
    scores = pd.DataFrame({f"band_{width}": [0.2, 0.4, np.nan] for width in BAND_WIDTHS})
    scores["band_40"] = [0.5, 0.6, 0.7]
    means = plots.band_means(scores)
    assert means[:-1] == pytest.approx([0.3] * (len(BAND_WIDTHS) - 1))
    assert means[-1] == pytest.approx(0.6)


def test_a_band_s_interval_lies_around_its_mean_within_the_photos():
    scores = pd.DataFrame({f"band_{width}": np.linspace(0.2, 0.8, 25) for width in BAND_WIDTHS})
    low, high = plots.band_intervals(scores, seed=0)
    assert low.shape == high.shape == (len(BAND_WIDTHS),)
    # The mean of 25 evenly spread numbers has a standard error of .6 / 12**.5 / 5 = .035.
    assert low == pytest.approx(0.5 - 1.96 * 0.036, abs=0.01)
    assert high == pytest.approx(0.5 + 1.96 * 0.036, abs=0.01)


def test_the_scatter_counts_photos_on_both_sides_of_the_diagonal():
    ours = pd.Series({"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.5, "only ours": 0.1})
    theirs = pd.Series({"d": 0.6, "c": 0.7, "b": 0.6, "a": 0.85, "only theirs": 1.0})
    seen = differences.pair_scores(ours, theirs, seed=0)
    assert (seen.above, seen.below, len(seen.pairs)) == (2, 1, 4)
    assert seen.mean == pytest.approx((0.05 + 0.2 + 0 - 0.1) / 4)
    assert -0.1 <= seen.low < seen.mean < seen.high <= 0.2
    assert differences.extremes(seen.pairs["gain"]) == ["b", "d"]


def test_no_photo_is_an_extreme_where_none_gains_or_loses():
    assert differences.extremes(pd.Series({"a": 0.0, "b": 0.0})) == []
    assert differences.extremes(pd.Series({"a": 0.1, "b": 0.2})) == ["b"]


def test_the_caption_of_the_scatter_tells_its_counts(material):
    # The portraits are moved 4 pixels less by BSN, on each of the four photos.
    caption = differences.draw_scatter(material)[1]
    assert "BSN is better on 4 of 4 and worse on 0" in caption


def test_the_best_and_the_worst_come_first_and_none_is_both():
    scores = pd.Series({"a": 0.5, "b": 0.9, "c": 0.7, "d": 0.8, "e": 0.6})
    assert samples.best_and_worst(scores, 2) == (["b", "d"], ["a", "e"])
    assert samples.best_and_worst(scores, 5) == (["b", "d", "c"], ["a", "e"])
    assert samples.best_and_worst(scores[:1], 5) == (["a"], [])


def test_a_single_photo_is_the_best_and_none_is_the_worst(material, run):
    file = run / "metrics/photos/bsn.csv"
    file.write_text("".join(file.read_text("utf-8").splitlines(keepends=True)[:2]), "utf-8")
    picture, caption = samples.draw_extremes(material)
    assert caption == "The PFCN test photos that BSN segments best (00002), of all 1, by IoU."
    assert picture.height < 2 * 480


def test_errors_are_pixels_of_the_other_class_and_ignored_ones_stay_ignored():
    prediction = np.uint8([[0, 1, 0, 1]])
    mask = np.uint8([[0, 0, 1, 255]])
    assert differences.errors(prediction, mask).tolist() == [[0, 1, 1, 255]]


def test_an_error_lands_where_its_affine_puts_it():
    wrong = np.zeros((400, 300), np.uint8)
    wrong[100:110, 50:60] = 1
    twice_and_down = np.array([[2.0, 0, 0], [0, 2.0, 30]])
    seen = differences.error_map([wrong], [twice_and_down])
    assert seen.shape == (800, 600)
    assert np.isnan(seen[:29]).all()  # The photo does not reach there.
    assert (seen[232:248, 102:118] == 1).all()
    assert np.nansum(seen) == pytest.approx(20 * 20, abs=2 * 20)


def test_a_place_is_averaged_over_the_photos_that_count_there():
    whole = np.zeros((800, 600), np.uint8)
    wrong = np.ones((800, 600), np.uint8)
    half = np.ones((400, 600), np.uint8)
    half[:100] = 255
    seen = differences.error_map([whole, wrong, half], [SAME] * 3)
    assert seen[50, 300] == pytest.approx(1 / 2)  # The third photo is ignored there,
    assert seen[200, 300] == pytest.approx(2 / 3)
    assert seen[600, 300] == pytest.approx(1 / 2)  # and does not reach there.


def test_a_place_that_fewer_than_a_tenth_show_says_nothing():
    short = np.zeros((400, 600), np.uint8)
    whole = np.zeros((800, 600), np.uint8)
    assert np.isnan(differences.error_map([short] * 10 + [whole], [SAME] * 11)[600, 300])
    assert differences.error_map([short] * 9 + [whole], [SAME] * 10)[600, 300] == 0


def test_photos_without_a_face_have_no_error_map(material, run):
    (run / "data/faces/pfcn.csv").unlink()
    with pytest.raises(Missing, match="No PFCN test photo has a face to align it by"):
        differences.draw_error_map(material)


def test_ignored_pixels_change_nothing_in_the_error_map(material, run):
    before = np.asarray(differences.draw_error_map(material)[0])
    for photo in material.ids("pfcn"):
        file = str(run / f"data/portraits/pfcn/masks/{photo}.png")
        mask = cv2.imread(file, cv2.IMREAD_GRAYSCALE)
        mask[:4, :4] = 255  # Right in both of the two pictures.
        cv2.imwrite(file, mask)
        for method in differences.COLUMNS:
            file = str(run / f"data/predictions/{method}/pfcn/{photo}.png")
            prediction = cv2.imread(file, cv2.IMREAD_GRAYSCALE)
            prediction[:4, :4] = 255
            cv2.imwrite(file, prediction)
    after, caption = differences.draw_error_map(material)
    assert "share of the 3 test photos" in caption  # The fourth has no face.
    changed = (np.asarray(after) != before).any(axis=2)
    assert changed.mean() < 0.002  # The corner is grey now.
