import math
from dataclasses import replace

import pytest

from study.tables.seeds import Trial, readings_table


def trial(reading, seed, iou, boundary=0.5):
    summaries = {
        "pfcn": {"photos": 60, "mean_iou": iou, "boundary_iou": boundary},
        "validation": {"photos": 40, "mean_iou": iou - 0.1, "boundary_iou": boundary},
    }
    return Trial(reading, seed, summaries)


TRIALS = [
    trial("plain", 1, 0.90),
    trial("plain", 2, 0.92),
    trial("distance", 1, 0.92, 0.52),
    trial("distance", 2, 0.93, 0.56),
    trial("text", 2, 0.91),
]


def test_row_has_mean_sd_and_the_gain_over_the_same_seeds():
    frame = readings_table(TRIALS, chosen=("distance", "text"), profile="sketch").frame.set_index("reading")
    assert list(frame.index) == ["plain", "distance", "text"]
    distance = frame.loc["distance"]
    assert distance["pfcn_mean_iou"] == pytest.approx(0.925)
    # Two values that are 2 h apart have a standard deviation of h sqrt(2).
    assert distance["pfcn_mean_iou_sd"] == pytest.approx(0.005 * math.sqrt(2))
    # IoU gains .02 and .01; boundary IoU gains .02 and .06.
    assert distance["pfcn_mean_iou_gain"] == pytest.approx(0.015)
    assert distance["validation_boundary_iou_gain_sd"] == pytest.approx(0.02 * math.sqrt(2))
    # From seed 2 only.
    assert frame.loc["text", "pfcn_mean_iou_gain"] == pytest.approx(-0.01)
    assert math.isnan(frame.loc["text", "pfcn_mean_iou_sd"])


def test_table_marks_the_readings_in_use_and_writes_one_seed_without_a_deviation():
    table = readings_table(TRIALS, chosen=("distance", "text"), profile="sketch")
    plain, distance, text = (dict(zip(table.columns, cells, strict=True)) for cells in table.cells())
    assert plain["Reading"] == "PortraitDeepLabv2: neither kernel"
    assert (plain["Test mean IoU"], plain["Test mean IoU, gain"]) == ("91.0 ± 1.4", "-")
    assert distance["Reading"] == "BSN_IK, eq. (1): d / d_max (in params.yaml)"
    assert (distance["Validation mean IoU"], distance["Validation mean IoU, gain"]) == ("82.5 ± 0.7", "+1.5 ± 0.7")
    assert (distance["Test boundary IoU"], distance["Test boundary IoU, gain"]) == ("54.0 ± 2.8", "+4.0 ± 2.8")
    assert (text["Test mean IoU"], text["Test mean IoU, gain"]) == ("91.0", "−1.0")
    assert "40 validation photos, 60 test photos of PFCN" in table.notes[0]


def test_without_validation_photos_only_test_columns_are_shown():
    trials = [replace(one, summaries={"pfcn": one.summaries["pfcn"]}) for one in TRIALS]
    table = readings_table(trials, chosen=(), profile="paper")
    assert [heading for heading in table.columns if "alidation" in heading] == []
