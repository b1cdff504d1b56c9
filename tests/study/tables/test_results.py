"""Data series of `dvc plots`: band IoU per method, and the IoU pairs per photo."""

import pandas as pd
import pytest

from study.tables.results import Results, band_rows, pair_rows, read_results

EMPTY = Results(profile="sketch", drawn=True, seed=1, min_face=0.1, min_on_mask=0.5)


@pytest.fixture
def results(run):
    return read_results(
        run / "metrics", run / "data/portraits", profile="sketch", drawn=True, seed=1, min_face=0.1, min_on_mask=0.5
    )


def test_band_rows_have_one_row_per_width_and_one_column_per_method(results):
    rows = band_rows(results)
    assert rows["width"].tolist() == [2, 4, 6, 8, 10, 14, 20, 28, 40]
    assert list(rows.columns[1:]) == list(results.metrics)
    photos = results.photos["bsn_ik"]
    assert rows.set_index("width").loc[14, "bsn_ik"] == pytest.approx(photos["band_14"].mean(), abs=1e-5)


def test_numbers_of_a_method_that_params_yaml_no_longer_has_are_left_out(run):
    given = {"profile": "sketch", "drawn": True, "seed": 1, "min_face": 0.1, "min_on_mask": 0.5}
    results = read_results(run / "metrics", run / "data/portraits", methods=["bsn", "mean_mask"], **given)
    assert list(results.metrics) == list(results.photos) == ["bsn"]


def test_photos_are_paired_by_id(results):
    results.photos["bsn"] = results.photos["bsn"].iloc[::-1]
    rows = pair_rows(results)
    assert rows["id"].tolist() == ["00002", "00003", "00004", "00005"]
    for method in ("portrait_deeplab", "bsn"):
        expected = results.photos[method].set_index("id")["iou"]
        assert rows[method].tolist() == expected[rows["id"]].tolist()


def test_a_run_without_results_gives_empty_tables_with_headings():
    assert band_rows(EMPTY).empty
    assert list(band_rows(EMPTY).columns) == ["width"]
    pd.testing.assert_index_equal(pair_rows(EMPTY).columns, pd.Index(["id", "portrait_deeplab", "bsn"]))
