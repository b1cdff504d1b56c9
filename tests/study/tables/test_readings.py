import math

import pandas as pd
import pytest

from study.tables.seeds import readings_table

# Differences that vary by seed alone have the t interval of the seeds' means, of 2 degrees of freedom: the quantiles
# are 4.303 at 95 % and 8.86 at the level for 4 comparisons, by (2 p - 1) / sqrt(2 p (1 - p)).
DISTANCE = ((0.80, 0.90), (0.82, 0.92), (0.81, 0.91))
# IoU of photos a and b for seeds 1 to 3; the boundary IoU is half of it, on validation photos .1 less.
SCORES = {
    "distance": DISTANCE,
    "closeness": tuple((a + gain, b + gain) for (a, b), gain in zip(DISTANCE, (0.020, 0.021, 0.022), strict=True)),
    "text": ((0.85, 0.95), (0.85, 0.95)),
    "printed": ((0.84, 0.97),),
}


def trials(scores=SCORES, parts=("pfcn", "validation")):
    return pd.DataFrame(
        [
            {"trial": trial, "seed": seed, "set": part, "id": name, "iou": less, "boundary_iou": less / 2}
            for trial, table in scores.items()
            for seed, photos in enumerate(table, 1)
            for part in parts
            for name, iou in zip("ab", photos, strict=True)
            for less in [iou - 0.1 * (part == "validation")]
        ]
    )


def table_of(photos, chosen=("distance", "text")):
    return readings_table(photos, chosen=chosen, profile="sketch")


def test_row_has_mean_sd_and_the_difference_from_the_reading_in_use_paired_by_seed_and_photo():
    frame = table_of(trials()).frame.set_index("reading")
    assert list(frame.index) == ["distance", "closeness", "text", "printed"]
    distance, closeness = frame.loc["distance"], frame.loc["closeness"]
    # From the means per seed, .85, .87 and .86.
    assert distance["pfcn_mean_iou"] == pytest.approx(0.86)
    assert distance["pfcn_mean_iou_sd"] == pytest.approx(0.01)
    assert math.isnan(distance["pfcn_mean_iou_gain"])
    # .021 with a standard deviation of .001: +- 4.303 * .001 / sqrt(3).
    assert closeness["validation_mean_iou_gain"] == pytest.approx(0.021)
    low, high = closeness["pfcn_mean_iou_gain_low"], closeness["pfcn_mean_iou_gain_high"]
    assert (low, high) == pytest.approx((0.01852, 0.02348), abs=1e-5)
    assert closeness["validation_boundary_iou_gain"] == pytest.approx(0.0105)
    # From seed 1, against the other reading of eq. (6): -.01 and .02.
    assert frame.loc["printed", "pfcn_mean_iou_gain"] == pytest.approx(0.005)
    assert math.isnan(frame.loc["printed", "pfcn_mean_iou_gain_low"])


def test_table_marks_the_readings_in_use_and_significant_differences():
    table = table_of(trials())
    distance, closeness, _, printed = (dict(zip(table.columns, cells, strict=True)) for cells in table.cells())
    assert distance["Reading"] == "BSN_IK, eq. (1), `distance`: d / d_max (in params.yaml)"
    assert (distance["Test mean IoU"], distance["Test mean IoU, difference"]) == ("86.0 ± 1.0", "-")
    assert closeness["Reading"] == "BSN_IK, eq. (1), `closeness`: 1 - d / d_max"
    assert closeness["Validation mean IoU, difference"] == "**+2.1 (+1.9 to +2.3)**"
    assert closeness["Validation boundary IoU"] == "39.1 ± 0.5"
    assert (printed["Seeds"], printed["Test mean IoU, difference"]) == ("1", "+0.5")
    assert printed["Validation mean IoU, detectable"] == "-"
    assert "2 validation photos, 2 test photos of PFCN" in table.notes[0]
    # Two readings, two measures.
    assert "for 4 comparisons" in table.notes[1]


def test_without_the_reading_in_use_there_are_no_differences():
    frame = table_of(trials(), chosen=("sum", "text")).frame.set_index("reading")
    assert frame.loc[["distance", "closeness"], "pfcn_mean_iou_gain"].isna().all()


def test_without_validation_photos_only_test_columns_are_shown():
    table = table_of(trials(parts=("pfcn",)))
    assert [heading for heading in table.columns if "alidation" in heading] == []
    assert not any("Detectable" in note or "validation" in note for note in table.notes)
