import math

import pandas as pd
import pytest

from study.tables.seeds import attributes_table, seeds_tables

# iou of photos a, b under seed 1, then under seed 2; the boundary is half of it.
SCORES = {
    "portrait_deeplab": ((0.80, 0.90), (0.82, 0.92)),
    "bsn_gk": ((0.79, 0.93), (0.81, 0.92)),
    "bsn": ((0.82, 0.93), (0.83, 0.94)),
}


def bands(iou):
    return {f"band_{width}": iou * width / 100 for width in (2, 4, 10, 20)}


def seeds_table(photos):
    return seeds_tables(photos, profile="sketch", seed=1)[0]


def rows(scores, seeds=(1, 2)):
    return pd.DataFrame(
        [
            {"method": method, "seed": seed, "id": name, "iou": iou, "boundary_iou": iou / 2, **bands(iou)}
            for method, table in scores.items()
            for seed, photos in zip(seeds, table, strict=False)
            for name, iou in zip("ab", photos, strict=True)
        ]
    )


def test_a_row_tells_mean_and_spread_over_seeds_and_the_gain_over_the_same_seeds_and_photos():
    frame = seeds_table(rows(SCORES)).frame.set_index("method")
    assert list(frame.index) == ["portrait_deeplab", "bsn_gk", "bsn"]
    plain, bsn = frame.loc["portrait_deeplab"], frame.loc["bsn"]
    # Of the seeds' means .85 and .87.
    assert plain["mean_iou"] == pytest.approx(0.86)
    assert plain["mean_iou_sd"] == pytest.approx(0.01 * math.sqrt(2))
    assert math.isnan(plain["mean_iou_gain"])
    # Gains .02 .03 and .01 .02: a draw lies between the lowest cell and the highest, and reaches both.
    assert bsn["mean_iou_gain"] == pytest.approx(0.02)
    assert (bsn["mean_iou_gain_low"], bsn["mean_iou_gain_high"]) == pytest.approx((0.01, 0.03))
    assert bsn["boundary_iou_gain"] == pytest.approx(0.01)
    assert bsn["gain_paper"] == pytest.approx(0.006)


def test_a_gain_is_bold_where_the_corrected_interval_excludes_zero():
    table = seeds_table(rows(SCORES))
    plain, gk, bsn = (dict(zip(table.columns, cells, strict=True)) for cells in table.cells())
    assert (plain["Mean IoU"], plain["Gain"], plain["Detectable"]) == ("86.0 ± 1.4", "-", "-")
    assert gk["Gain"] == "+0.3 (−1.0 to +3.0)"
    assert (bsn["Gain, paper"], bsn["Gain"]) == ("+0.6", "**+2.0 (+1.0 to +3.0)**")
    assert bsn["Boundary gain"] == "**+1.0 (+0.5 to +1.5)**"
    assert "for 12 comparisons" in table.notes[1]


def test_the_95_percent_interval_alone_makes_no_gain_bold():
    # Of 16 draws of two seeds and two photos one has the worst cell alone: 6 % of the draws are not above 0.
    gains = ((0.82, 0.90), (0.83, 0.94))
    table = seeds_table(rows({**SCORES, "bsn": gains}))
    assert "**" not in table.cells()[-1][4]


def test_bands_along_the_contour_have_a_table_of_their_own():
    _, table = seeds_tables(rows(SCORES), profile="sketch", seed=1)
    bsn = dict(zip(table.columns, table.cells()[-1], strict=True))
    # A tenth of the IoU, whose gain is 2 points.
    assert (bsn["10 px"], bsn["10 px gain"]) == ("8.8 ± 0.1", "**+0.2 (+0.1 to +0.3)**")
    assert list(table.frame.columns[:2]) == ["method", "seeds"]


def test_the_method_s_seeds_that_the_baseline_lacks_are_not_compared():
    both = pd.concat([rows({"portrait_deeplab": SCORES["portrait_deeplab"]}), rows({"bsn": SCORES["bsn"]}, (2, 3))])
    frame = seeds_table(both).frame.set_index("method")
    # Seed 2 alone: .82 - .82 and .93 - .92.
    assert frame.loc["bsn", "mean_iou_gain"] == pytest.approx(0.005)
    assert math.isnan(frame.loc["bsn", "mean_iou_gain_low"])


def test_with_one_seed_the_gain_is_known_and_deviation_interval_and_verdict_are_dashes():
    table = seeds_table(rows(SCORES, (1,)))
    bsn = dict(zip(table.columns, table.cells()[-1], strict=True))
    assert (bsn["Seeds"], bsn["Mean IoU"], bsn["Gain"], bsn["Detectable"]) == ("1", "-", "+2.5", "-")


def test_a_method_s_rows_are_enough_without_the_baseline():
    frame = seeds_table(rows({"bsn": SCORES["bsn"]})).frame
    assert frame["mean_iou_gain"].isna().all()


def test_the_attribute_branch_is_right_where_it_says_what_a_person_saw():
    seen = pd.Series({"a": "long", "b": "short", "c": "long"})
    rule = pd.Series({"a": "long", "b": "long", "c": "short"})
    told = [("bsn", 1, "a", "long"), ("bsn", 1, "b", "short"), ("bsn", 1, "c", "short"), ("bsn", 1, "d", "short")]
    told += [("bsn", 2, "a", "short"), ("bsn", 2, "b", "long"), ("bsn", 2, "c", "long"), ("bsn", 2, "d", "long")]
    told += [("bsn_ik", 1, "a", None)]
    photos = pd.DataFrame(told, columns=["method", "seed", "id", "hair"])
    table = attributes_table(photos, attribute="hair", by_eye=seen, rule=rule)
    # Two of three, and one of three: photo d was not looked at, and BSN_IK has no branch.
    assert table.frame.to_dict("records") == [
        {"method": "bsn", "seeds": 2, "accuracy": pytest.approx(0.5), "accuracy_sd": pytest.approx(2**0.5 / 6)}
    ]
    assert "3 validation photos" in table.notes[0]
    assert "is right on 33.3 % of them" in table.notes[0]
    assert "the more frequent class, as the answer to every photo, on 66.7 %" in table.notes[0]
