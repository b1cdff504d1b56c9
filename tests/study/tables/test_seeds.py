import math

import pandas as pd
import pytest

from bsn.errors import InputError
from study.tables.seeds import attributes_table, attributes_tables, seeds_tables

# Gains that differ by seed alone have the t interval of the seeds' means, of 2 degrees of freedom: the quantiles are
# 4.303 at 95 % and 15.44 at the level for 12 comparisons, by (2 p - 1) / sqrt(2 p (1 - p)).
PLAIN = ((0.80, 0.90), (0.82, 0.92), (0.81, 0.91))


def plus(*gains):
    return tuple((a + gain, b + gain) for (a, b), gain in zip(PLAIN, gains, strict=True))


# IoU of photos a and b for seeds 1 to 3; the boundary IoU is half of it.
SCORES = {"portrait_deeplab": PLAIN, "bsn_gk": plus(0.01, 0.02, 0.03), "bsn": plus(0.020, 0.021, 0.022)}


def bands(iou):
    return {f"band_{width}": iou * width / 100 for width in (2, 4, 10, 20)}


def seeds_table(photos):
    return seeds_tables(photos, profile="sketch")[0]


def rows(scores, seeds=(1, 2, 3)):
    return pd.DataFrame(
        [
            {"method": method, "seed": seed, "id": name, "iou": iou, "boundary_iou": iou / 2, **bands(iou)}
            for method, table in scores.items()
            for seed, photos in zip(seeds, table, strict=False)
            for name, iou in zip("ab", photos, strict=True)
        ]
    )


def test_row_has_mean_and_sd_over_seeds_and_the_gain_paired_by_seed_and_photo():
    frame = seeds_table(rows(SCORES)).frame.set_index("method")
    assert list(frame.index) == ["portrait_deeplab", "bsn_gk", "bsn"]
    plain, bsn = frame.loc["portrait_deeplab"], frame.loc["bsn"]
    # From the means per seed, .85, .87 and .86.
    assert plain["mean_iou"] == pytest.approx(0.86)
    assert plain["mean_iou_sd"] == pytest.approx(0.01)
    assert math.isnan(plain["mean_iou_gain"])
    # .021 with a standard deviation of .001: +- 4.303 * .001 / sqrt(3).
    assert bsn["mean_iou_gain"] == pytest.approx(0.021)
    assert (bsn["mean_iou_gain_low"], bsn["mean_iou_gain_high"]) == pytest.approx((0.01852, 0.02348), abs=1e-5)
    assert bsn["boundary_iou_gain"] == pytest.approx(0.0105)
    assert bsn["gain_paper"] == pytest.approx(0.006)


def test_a_gain_is_bold_where_the_corrected_interval_excludes_zero():
    table = seeds_table(rows(SCORES))
    plain, gk, bsn = (dict(zip(table.columns, cells, strict=True)) for cells in table.cells())
    assert (plain["Mean IoU"], plain["Gain"], plain["Detectable"]) == ("86.0 ± 1.0", "-", "-")
    # 2 +- 4.303 * 1 / sqrt(3).
    assert gk["Gain"] == "+2.0 (−0.5 to +4.5)"
    assert (bsn["Gain, paper"], bsn["Gain"]) == ("+0.6", "**+2.1 (+1.9 to +2.3)**")
    assert bsn["Boundary gain"] == "**+1.1 (+0.9 to +1.2)**"
    assert "for 12 comparisons" in table.notes[1]


def test_a_gain_is_not_bold_where_only_the_uncorrected_interval_excludes_0():
    table = seeds_table(rows({"portrait_deeplab": PLAIN, "bsn": plus(0.020, 0.025, 0.030)}))
    cells = dict(zip(table.columns, table.cells()[-1], strict=True))
    # 2.5 +- 4.303 * .5 / sqrt(3); for six comparisons the quantile is 10.9.
    assert cells["Gain"] == "+2.5 (+1.3 to +3.7)"


def test_ious_in_bands_along_the_contour_have_a_separate_table():
    _, table = seeds_tables(rows(SCORES), profile="sketch")
    bsn = dict(zip(table.columns, table.cells()[-1], strict=True))
    # A tenth of the IoU, whose gain is 2.1 points.
    assert (bsn["10 px"], bsn["10 px gain"]) == ("8.8 ± 0.1", "**+0.2 (+0.2 to +0.2)**")
    assert not any("Detectable" in note for note in table.notes)
    assert list(table.frame.columns[:2]) == ["method", "seeds"]


def test_seeds_that_the_baseline_lacks_are_left_out_of_the_gain_and_named():
    plain = rows({"portrait_deeplab": PLAIN[:2]}, (1, 2))
    table = seeds_table(pd.concat([plain, rows({"bsn": ((0.82, 0.93), (0.83, 0.94))}, (2, 3))]))
    frame = table.frame.set_index("method")
    # From seed 2 only: .82 - .82 and .93 - .92.
    assert frame.loc["bsn", "mean_iou_gain"] == pytest.approx(0.005)
    assert math.isnan(frame.loc["bsn", "mean_iou_gain_low"])
    assert "Left out of the gain, because the baseline has no such seed: BSN, seed 3." in table.notes


def test_one_seed_gives_a_mean_and_a_gain_but_no_sd_interval_or_detectable_gain():
    table = seeds_table(rows(SCORES, (1,)))
    bsn = dict(zip(table.columns, table.cells()[-1], strict=True))
    assert (bsn["Seeds"], bsn["Mean IoU"], bsn["Gain"], bsn["Detectable"]) == ("1", "87.0", "+2.0", "-")


def test_gains_are_nan_without_the_baseline():
    frame = seeds_table(rows({"bsn": SCORES["bsn"]})).frame
    assert frame["mean_iou_gain"].isna().all()


def test_attribute_accuracy_is_measured_against_labels_given_by_eye():
    seen = pd.Series({"a": "long", "b": "short", "c": "long"})
    rule = pd.Series({"a": "long", "b": "long", "c": "short"})
    told = [("bsn", 1, "a", "long"), ("bsn", 1, "b", "short"), ("bsn", 1, "c", "short"), ("bsn", 1, "d", "short")]
    told += [("bsn", 2, "a", "short"), ("bsn", 2, "b", "long"), ("bsn", 2, "c", "long"), ("bsn", 2, "d", "long")]
    told = [("bsn_ac", 1, "b", "short"), *told, ("bsn_ik", 1, "a", None)]
    photos = pd.DataFrame(told, columns=["method", "seed", "id", "hair"])
    table = attributes_table(photos, attribute="hair", by_eye=seen, rule=rule)
    # Seed 1 has two of three right, seed 2 one. Photo d has no label by eye, and BSN_IK has no attribute branch.
    assert table.frame.iloc[1:].to_dict("records") == [
        {"method": "bsn", "seeds": 2, "accuracy": pytest.approx(0.5), "accuracy_sd": pytest.approx(2**0.5 / 6)}
    ]
    assert table.frame["method"].tolist() == ["bsn_ac", "bsn"]
    assert "3 validation photos" in table.notes[0]
    assert "is right on 33.3 % of them" in table.notes[0]
    assert "the more frequent class, as the answer to every photo, on 66.7 %" in table.notes[0]


@pytest.fixture
def attribute_folders(tmp_path):
    """Labels by eye of three attributes, and the training labels of two of them in one file."""
    by_eye, rule = tmp_path / "by_eye", tmp_path / "rule"
    for folder in (by_eye, rule):
        folder.mkdir()
    for name, values in {"glasses": ("no", "yes"), "hair": ("long", "short"), "hat": ("no", "yes")}.items():
        (by_eye / f"{name}.csv").write_text(f"id,{name}\na,{values[0]}\nb,{values[1]}\n")
    header = "id,hair,hair.source,glasses,glasses.source"
    (rule / "both.csv").write_text(f"{header}\na,long,rule,no,user\nb,long,rule,yes,user\n")
    (rule / "none.csv").write_text("id\n")
    return {"by_eye": by_eye, "rule": rule}


def told_of(**attributes):
    return pd.DataFrame({"method": "bsn", "seed": 1, "id": ["a", "b"], **attributes})


def test_each_learned_attribute_has_a_file_of_its_own_and_the_first_is_attributes(attribute_folders, tmp_path):
    # BSN is right on both photos' glasses and on one photo's hair; no method has learned hats.
    photos = told_of(hair=["long", "long"], glasses=["no", "yes"], hat=[None, None])
    for table in attributes_tables(photos, **attribute_folders):
        table.write(tmp_path / "reports")
    accuracies = {file.stem: pd.read_csv(file)["accuracy"].tolist() for file in (tmp_path / "reports").glob("*.csv")}
    assert accuracies == {"attributes": [1.0], "attributes_hair": [0.5]}
    # The rule is wrong on photo b's hair.
    assert "hair was labelled by eye. The rule that made the training labels is right on 50.0 % of them" in (
        tmp_path / "reports/attributes_hair.md"
    ).read_text("utf-8")


def test_a_single_attribute_is_in_attributes_whatever_file_its_labels_are_in(attribute_folders):
    (table,) = attributes_tables(told_of(hair=["long", "short"]), **attribute_folders)
    assert (table.name, table.caption) == ("attributes", "Accuracy of the attribute branch: hair.")


def test_a_learned_attribute_without_training_labels_is_an_error_with_the_command_that_makes_them(attribute_folders):
    with pytest.raises(InputError, match=r"has a column hat; make it with: dvc repro attributes$"):
        attributes_tables(told_of(hat=["no", "yes"]), **attribute_folders)


def test_without_a_photo_labelled_by_eye_there_is_no_table(attribute_folders):
    photos = told_of(hair=["long", "short"]).replace({"id": {"a": "c", "b": "d"}})
    assert attributes_tables(photos, **attribute_folders) == []
