import math

import pytest

from bsn.report.readings import readings_table


def trial(reading, seed, iou, boundary=0.5):
    return {
        "trial": reading,
        "seed": seed,
        "pfcn": {"photos": 60, "mean_iou": iou, "boundary_iou": boundary},
    }


TRIALS = [
    trial("plain", 1, 0.90),
    trial("plain", 2, 0.92),
    trial("distance", 1, 0.92, 0.52),
    trial("distance", 2, 0.93, 0.56),
    trial("text", 2, 0.91),
]


def test_a_row_tells_mean_spread_and_the_gain_over_the_same_seeds():
    frame = readings_table(TRIALS, chosen=("distance", "text"), profile="sketch").frame.set_index("reading")
    assert list(frame.index) == ["plain", "distance", "text"]
    distance = frame.loc["distance"]
    assert distance["mean_iou"] == pytest.approx(0.925)
    # Two values that lie 2 h apart deviate by h times the root of 2.
    assert distance["mean_iou_sd"] == pytest.approx(0.005 * math.sqrt(2))
    # Gains .02 and .01; of the boundary .02 and .06.
    assert distance["mean_iou_gain"] == pytest.approx(0.015)
    assert distance["boundary_iou_gain_sd"] == pytest.approx(0.02 * math.sqrt(2))
    # Of seed 2 alone.
    assert frame.loc["text", "mean_iou_gain"] == pytest.approx(-0.01)
    assert math.isnan(frame.loc["text", "mean_iou_sd"])


def test_the_written_table_names_the_readings_in_use_and_what_is_not_known_is_a_dash():
    rows = readings_table(TRIALS, chosen=("distance", "text"), profile="sketch").cells()
    assert rows[0] == ["PortraitDeepLabv2: neither kernel", "2", "91.0 ± 1.4", "-", "50.0 ± 0.0", "-"]
    assert rows[1] == [
        "BSN_IK, eq. (1): d / d_max (in params.yaml)",
        "2",
        "92.5 ± 0.7",
        "+1.5 ± 0.7",
        "54.0 ± 2.8",
        "+4.0 ± 2.8",
    ]
    assert rows[2][2] == "-"
