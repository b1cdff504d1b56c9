"""Choice of the slider's photos: which photo each rule picks from a small score table."""

import pandas as pd
import pytest

from study.page.comparison import choose, subject

PHOTOS = list("abcdefghi")
IOU = pd.DataFrame(
    {
        #                    a    b    c    d    e    f    g    h    i
        "graph_cut": [0.10, 0.80, 0.80, 0.80, 0.80, 0.80, 0.80, 0.80, 0.80],
        "portrait_deeplab": [0.88, 0.60, 0.85, 0.93, 0.90, 0.87, 0.80, 0.70, 0.55],
        "bsn": [0.90, 0.95, 0.85, 0.88, 0.91, 0.86, 0.84, 0.80, 0.55],
        "mean_mask": [0.70, 0.70, 0.70, 0.70, 0.70, 0.70, 0.20, 0.70, 0.70],
    },
    index=PHOTOS,
)
BOUNDARY = pd.DataFrame({"bsn": [0.5, 0.5, 0.5, 0.5, 0.4, 0.5, 0.5, 0.1, 0.3]}, index=PHOTOS)


def said(iou=IOU, boundary=BOUNDARY):
    return [(photo.id, photo.rule, photo.value) for photo in choose(iou, boundary)]


def test_each_rule_picks_its_photo_and_reports_its_value():
    assert said() == [
        ("f", "Median IoU of BSN", "86.0"),
        ("b", "Highest IoU of BSN", "95.0"),
        ("i", "Lowest IoU of BSN", "55.0"),
        # b has the largest gain, +35, but is already shown.
        ("h", "Largest gain of BSN over PortraitDeepLabv2 (rank 2)", "+10.0"),
        ("d", "Largest loss of BSN to PortraitDeepLabv2", "−5.0"),
        ("e", "Lowest boundary IoU of BSN (rank 3)", "40.0"),
        ("a", "Largest difference between methods", "80.0"),
        ("g", "Least like the mean mask: its IoU", "20.0"),
    ]


def test_each_photo_is_picked_once_if_there_are_fewer_photos_than_rules():
    ids = [photo.id for photo in choose(IOU.iloc[:3], BOUNDARY.iloc[:3])]
    assert sorted(ids) == ["a", "b", "c"]


def test_largest_loss_is_omitted_if_bsn_beats_deeplab_on_every_photo():
    won = IOU.assign(portrait_deeplab=IOU["bsn"] - 0.01)
    assert not [rule for _, rule, _ in said(won) if "loss" in rule]


def test_without_bsn_the_last_method_of_table_1_is_the_subject():
    assert subject(["mean_mask", "portrait_fcn", "graph_cut"]) == "portrait_fcn"
    rules = [rule for _, rule, _ in said(IOU[["graph_cut"]], IOU[["graph_cut"]])]
    assert rules[0] == "Median IoU of Graph-cut"
    assert not [rule for rule in rules if "PortraitDeepLabv2" in rule]


@pytest.mark.parametrize("columns", [[], ["mean_mask"]])
def test_without_a_method_of_table_1_no_photo_is_chosen(columns):
    assert subject(columns) is None
    assert choose(IOU[columns], IOU[columns]) == []


def test_boundary_rule_is_omitted_if_every_boundary_iou_is_nan():
    assert not [rule for _, rule, _ in said(boundary=BOUNDARY * float("nan")) if "boundary" in rule]
