import math

import pandas as pd
import pytest

from bsn.report.seeds import seeds_table

# iou of photos a, b under seed 1, then under seed 2; the boundary is half of it.
SCORES = {
    "portrait_deeplab": ((0.80, 0.90), (0.82, 0.92)),
    "bsn_gk": ((0.79, 0.93), (0.81, 0.92)),
    "bsn": ((0.82, 0.93), (0.83, 0.94)),
}


def rows(scores, seeds=(1, 2)):
    return pd.DataFrame(
        [
            {"method": method, "seed": seed, "id": name, "iou": iou, "boundary_iou": iou / 2}
            for method, table in scores.items()
            for seed, photos in zip(seeds, table, strict=False)
            for name, iou in zip("ab", photos, strict=True)
        ]
    )


def test_a_row_tells_mean_and_spread_over_seeds_and_the_gain_over_the_same_seeds_and_photos():
    frame = seeds_table(rows(SCORES), profile="sketch", seed=1).frame.set_index("method")
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


def test_the_verdict_is_whether_the_interval_leaves_out_zero():
    table = seeds_table(rows(SCORES), profile="sketch", seed=1)
    plain, gk, bsn = (dict(zip(table.columns, cells, strict=True)) for cells in table.cells())
    assert (plain["Mean IoU"], plain["Gain, ours"], plain["Real?"]) == ("86.0 ± 1.4", "-", "-")
    assert (gk["Gain, ours"], gk["Real?"]) == ("+0.3 (−1.0 to +3.0)", "no")
    assert (bsn["Gain, paper"], bsn["Gain, ours"], bsn["Real?"]) == ("+0.6", "**+2.0 (+1.0 to +3.0)**", "yes")
    assert (bsn["its gain"], bsn["real?"]) == ("**+1.0 (+0.5 to +1.5)**", "yes")


def test_the_method_s_seeds_that_the_baseline_lacks_are_not_compared():
    both = pd.concat([rows({"portrait_deeplab": SCORES["portrait_deeplab"]}), rows({"bsn": SCORES["bsn"]}, (2, 3))])
    frame = seeds_table(both, profile="sketch", seed=1).frame.set_index("method")
    # Seed 2 alone: .82 - .82 and .93 - .92.
    assert frame.loc["bsn", "mean_iou_gain"] == pytest.approx(0.005)
    assert math.isnan(frame.loc["bsn", "mean_iou_gain_low"])


def test_with_one_seed_the_gain_is_told_and_spread_interval_and_verdict_are_dashes():
    table = seeds_table(rows(SCORES, (1,)), profile="sketch", seed=1)
    bsn = dict(zip(table.columns, table.cells()[-1], strict=True))
    assert (bsn["Seeds"], bsn["Mean IoU"], bsn["Gain, ours"], bsn["Real?"]) == ("1", "-", "+2.5", "-")


def test_a_method_s_rows_are_enough_without_the_baseline():
    frame = seeds_table(rows({"bsn": SCORES["bsn"]}), profile="sketch", seed=1).frame
    assert frame["mean_iou_gain"].isna().all()
