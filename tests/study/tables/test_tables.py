"""Tables 1 to 3 of the hand-made run in tests/study/conftest.py."""

import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest

from bsn.errors import InputError
from bsn.photos import read_palette
from study import paper
from study.datasets.index import PhotoRow, write_index
from study.tables import formats
from study.tables.results import margin_rows, read_results
from study.tables.tables import SCORES, headline, paper_tables


def read(run, **changes):
    given = {"profile": "sketch", "drawn": True, "seed": 1, "min_face": 0.1, "min_on_mask": 0.5} | changes
    return read_results(run / "metrics", run / "data/portraits", **given)


def _difference(run, photo: str) -> float:
    values = [
        pd.read_csv(run / f"metrics/photos/{method}.csv", dtype={"id": str}).set_index("id")["iou"][photo]
        for method in ("bsn", "portrait_deeplab")
    ]
    return values[0] - values[1]


def test_constants_equal_the_numbers_printed_in_the_paper():
    assert list(paper.TABLE_1.values()) == [0.800, 0.959, 0.961, 0.962, 0.962, 0.965, 0.967]
    assert paper.TABLE_2 == {"coco": 626, "cocostuff": 92, "voc": 62}
    assert [list(row.values()) for row in paper.TABLE_3.values()] == [[0.686, 0.777], [0.608, 0.72], [0.595, 0.756]]
    assert list(paper.TABLE_1) == list(paper.METHODS)


def test_table_1_compares_our_numbers_with_the_paper_s(run):
    table = paper_tables(read(run))[0]
    bsn = dict(zip(table.columns, table.cells()[-1], strict=True))
    summary = json.loads((run / "metrics/methods/bsn.json").read_text())["sets"]["pfcn"]
    assert len(table.cells()) == 7
    assert (bsn["Method"], bsn["Paper"]) == ("BSN", "96.7")
    assert bsn["Ours (drawn)"] == f"{100 * summary['mean_iou']:.1f}"
    assert bsn["Difference"] == formats.signed_percent(summary["mean_iou"] - 0.967)
    assert bsn["Parameters"] == "6.00 M"


@pytest.mark.parametrize("heading", ["Ours", "Boundary IoU"])
def test_a_column_is_the_mean_of_its_metric_over_photos(run, heading):
    (score,) = [score for score in SCORES if score.heading == heading]
    values = []
    for photo in sorted((run / "data/predictions/bsn/pfcn").glob("*.png")):
        mask = read_palette(run / "data/portraits/pfcn/masks" / photo.name)
        values.append(score.metric(read_palette(photo), mask))
    table = paper_tables(read(run, drawn=False))[0]
    bsn = dict(zip(table.columns, table.cells()[-1], strict=True))
    assert bsn[heading] == formats.percent(np.mean(values))


def test_gain_is_paired_by_photo_id_and_bold_if_its_interval_excludes_0(run):
    # The photos of the two methods are matched by id: neither order nor a missing photo may matter.
    file = run / "metrics/photos/portrait_deeplab.csv"
    pd.read_csv(file, dtype=str).iloc[::-1].to_csv(file, index=False)
    results = read(run)
    expected_one = _difference(run, "00003")
    results.photos["bsn"] = results.photos["bsn"].query("id == '00003'")
    mean, *interval = results.gain("bsn", "portrait_deeplab", "pfcn")
    assert mean == pytest.approx(expected_one)
    assert all(map(math.isnan, interval))  # one photo has no interval
    frame = paper_tables(read(run))[0].frame.set_index("method")
    photos = {m: pd.read_csv(run / f"metrics/photos/{m}.csv")["iou"] for m in ("bsn", "portrait_deeplab")}
    expected = (photos["bsn"] - photos["portrait_deeplab"]).mean()
    assert frame.loc["bsn", "gain"] == pytest.approx(expected)
    assert frame.loc["bsn", "gain_paper"] == pytest.approx(0.006)
    assert pd.isna(frame.loc["portrait_deeplab", "gain"])
    assert formats.gain(0.02, 0.01, 0.03) == "**+2.0 (+1.0 to +3.0)**"
    assert formats.gain(-0.02, -0.03, -0.01) == "**−2.0 (−3.0 to −1.0)**"
    assert formats.gain(0.02, -0.01, 0.05) == "+2.0 (−1.0 to +5.0)"


def test_boundary_iou_has_its_own_paired_gain(run):
    frame = paper_tables(read(run))[0].frame.set_index("method")
    photos = {m: pd.read_csv(run / f"metrics/photos/{m}.csv")["boundary_iou"] for m in ("bsn", "portrait_deeplab")}
    assert frame.loc["bsn", "boundary_iou_gain"] == pytest.approx((photos["bsn"] - photos["portrait_deeplab"]).mean())
    assert frame.loc["bsn", "boundary_iou_gain_low"] <= frame.loc["bsn", "boundary_iou_gain"]
    assert pd.isna(frame.loc["portrait_deeplab", "boundary_iou_gain"])


def test_every_table_ends_with_the_command_that_makes_it(run):
    for table in paper_tables(read(run, seed=3)):
        assert table.notes[-1] == "Made by `dvc exp run -S profile=sketch -S seed=3`."


def test_absent_sets_are_shown_as_dashes_with_a_reason(run):
    _, second, third = paper_tables(read(run))
    assert [row[2] for row in second.cells()] == ["-", "-", "-"]
    assert {row[3] for row in third.cells()} == {"-"}
    for table in (second, third):
        assert "PASCAL VOC is left out: data.folder holds no such folder." in table.notes
        assert "PASCAL VOC is left out" in table.markdown()


def test_table_2_counts_the_portraits_that_the_rule_kept(run):
    rows = [PhotoRow(id=name, split="test", kept=kept) for name, kept in (("a", True), ("b", False), ("c", True))]
    write_index(run / "data/portraits/voc/index.csv", rows)
    table = paper_tables(read(run))[1]
    assert table.cells()[2] == ["PASCAL VOC portrait", "62", "2", "−60", "3"]
    table.write(run / "reports")
    assert (run / "reports/table2.csv").read_text().splitlines()[-1] == "sketch,drawn,voc,62,2,-60,3"


def portrait(name: str, *, side: float = 40, **more) -> PhotoRow:
    """A photo of 100 x 100 pixels with one face of side x side in its middle."""
    low, high = 50 - side / 2, 50 + side / 2
    values = {"split": "test", "kept": True, "height": 100, "width": 100, "persons": 1, "faces": 1, "on_mask": 0.9}
    return PhotoRow(id=name, box=np.array([low, low, high, high]), **(values | more))


def test_table_2_notes_give_counts_by_margin_and_photos_in_several_sets_or_years(run):
    # 10 % of the photo is a side of 31.6: 25 pixels reach it with 13.2 % on each side, 28 with 6.5 %.
    coco = [portrait("1"), portrait("2", side=28, kept=False), portrait("3", side=25, kept=False)]
    stuff = [portrait("1"), portrait("9"), portrait("3", kept=False, persons=2)]
    voc = [portrait("a", listed=2), portrait("b", listed=3, kept=False, persons=0, faces=None), portrait("c")]
    for name, rows in {"coco": coco, "cocostuff": stuff, "voc": voc}.items():
        write_index(run / f"data/portraits/{name}/index.csv", rows)
    results = read(run)
    notes = paper_tables(results)[1].notes
    told = "With the face box enlarged by 0, 10, 20, 30 % on each side: "
    assert told + "COCO 1, 2, 3, 3; COCO-Stuff 2, 2, 2, 2; PASCAL VOC 2, 2, 2, 2." in notes
    assert "1 of the COCO-Stuff portraits are also COCO portraits (same photo id)." in notes
    assert "2 of the PASCAL VOC photos, 1 of them portraits, are in more than one year and are counted once." in notes
    rows = margin_rows(results)
    assert rows[rows["set"] == "coco"].to_dict("list") == {
        "set": ["coco"] * 7,
        "margin": [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3],
        "photos": [1, 1, 2, 3, 3, 3, 3],
        "photos_paper": [626] * 7,
    }


def test_absent_sets_have_no_counts_by_margin(run):
    assert margin_rows(read(run)).empty
    assert not any("enlarged" in note for note in paper_tables(read(run))[1].notes)


def test_a_method_that_was_not_run_is_named_in_the_notes(run):
    (run / "metrics/methods/bsn_gk.json").unlink()
    table = paper_tables(read(run))[0]
    assert table.cells()[4][:3] == ["BSN_GK", "96.2", "-"]
    assert "Not evaluated: BSN_GK." in table.notes


def test_an_empty_run_gives_tables_of_dashes(run):
    shutil.rmtree(run / "metrics")
    shutil.rmtree(run / "data")
    for table in paper_tables(read(run)):
        assert "-" in table.cells()[0]
        assert table.text()


def test_tables_of_drawn_data_are_marked_as_drawn(run):
    for table in paper_tables(read(run)):
        for written in (table.markdown(), table.text()):
            assert "drawn data, not comparable with the paper" in written.splitlines()[0]
        assert "Ours (drawn)" in table.columns
        assert set(table.frame["data"]) == {"drawn"}
    real = paper_tables(read(run, drawn=False))[0]
    assert "drawn" not in real.caption
    assert "Ours" in real.columns
    assert set(real.frame["data"]) == {"real"}


def test_numbers_of_another_profile_are_refused(run):
    with pytest.raises(InputError, match=r"(bsn|graph_cut)\.json.*'sketch', not 'lite'"):
        read(run, profile="lite")


def test_text_table_is_aligned(run):
    lines = paper_tables(read(run))[0].text().splitlines()
    rule = next(place for place, line in enumerate(lines) if line.startswith("---"))
    rows = lines[rule + 1 : rule + 8]
    assert len({len(row) for row in rows}) == 1
    assert len(rows[0]) == len(lines[rule])
    assert "**" not in "\n".join(lines)


def test_markdown_is_a_table(run):
    lines = paper_tables(read(run))[2].markdown().splitlines()
    assert lines[0].startswith("**Table 3.")
    assert lines[0].endswith("**")
    cells = {line.count("|") for line in lines if line.startswith("|")}
    assert cells == {len(paper_tables(read(run))[2].columns) + 1}
    assert lines[3].startswith("| :-- | :-- | --: |")


def test_csv_holds_raw_numbers(run):
    paper_tables(read(run))[0].write(run / "reports")
    frame = pd.read_csv(run / "reports/table1.csv").set_index("method")
    record = json.loads((run / "metrics/methods/bsn_ik.json").read_text())["sets"]["pfcn"]
    assert frame.loc["bsn_ik", "mean_iou"] == pytest.approx(record["mean_iou"])
    assert frame.loc["bsn_ik", "mean_iou_paper"] == 0.965


def test_headline_has_short_keys_and_only_measured_sets(run):
    numbers = headline(read(run))
    assert set(numbers) == {"pfcn", "portraits"}
    assert set(numbers["pfcn"]) == set(paper.METHODS)
    assert set(numbers["pfcn"]["bsn"]) == {"mean_iou", "boundary_iou", "miou_two_class"}


def test_mean_mask_score_is_noted_as_the_lower_bound_if_known(run):
    assert not any("mean mask" in note for note in paper_tables(read(run))[0].notes)
    record = json.loads((run / "metrics/methods/graph_cut.json").read_text())
    record["sets"]["pfcn"]["mean_iou"] = 0.7654
    (run / "metrics/methods/mean_mask.json").write_text(json.dumps(record))
    shutil.copy(run / "metrics/photos/graph_cut.csv", run / "metrics/photos/mean_mask.csv")
    assert (
        "Lower bound: the aligned mean mask, as the prediction for every photo, scores 76.5."
        in paper_tables(read(run))[0].notes
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (formats.percent(0.9674), "96.7"),
        (formats.percent(None), "-"),
        (formats.percent(float("nan")), "-"),
        (formats.signed_percent(-0.0123), "−1.2"),
        (formats.signed_percent(-0.0001), "0.0"),
        (formats.interval(0.91, 0.934), "91.0 to 93.4"),
        (formats.parameters(0), "-"),
        (formats.signed_count(5), "+5"),
        (formats.seconds(0.02137), "0.021"),
        (formats.seconds(0.01), "0.010"),
        (formats.seconds(12.34), "12"),
    ],
)
def test_numbers_are_formatted(written, expected):
    assert written == expected
