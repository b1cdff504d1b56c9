"""The photos of the slider: what each rule picks from numbers that a reader can check by eye."""

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


def test_each_rule_gives_its_photo_and_its_number():
    assert said() == [
        ("f", "Median IoU of BSN", "86.0"),
        ("b", "Highest IoU of BSN", "95.0"),
        ("i", "Lowest IoU of BSN", "55.0"),
        # b gains most, +35, and is shown already.
        ("h", "Largest gain of BSN over PortraitDeepLabv2 (rank 2)", "+10.0"),
        ("d", "Largest loss of BSN to PortraitDeepLabv2", "−5.0"),
        ("e", "Lowest boundary IoU of BSN (rank 3)", "40.0"),
        ("a", "Largest difference between methods", "80.0"),
        ("g", "Least like the mean mask: its IoU", "20.0"),
    ]


def test_no_photo_is_shown_twice_even_when_there_are_fewer_photos_than_rules():
    ids = [photo.id for photo in choose(IOU.iloc[:3], BOUNDARY.iloc[:3])]
    assert sorted(ids) == ["a", "b", "c"]


def test_a_method_that_never_loses_has_no_largest_loss():
    won = IOU.assign(portrait_deeplab=IOU["bsn"] - 0.01)
    assert not [rule for _, rule, _ in said(won) if "loss" in rule]


def test_without_bsn_the_last_method_of_table_1_takes_its_place():
    assert subject(["mean_mask", "portrait_fcn", "graph_cut"]) == "portrait_fcn"
    rules = [rule for _, rule, _ in said(IOU[["graph_cut"]], IOU[["graph_cut"]])]
    assert rules[0] == "Median IoU of Graph-cut"
    assert not [rule for rule in rules if "PortraitDeepLabv2" in rule]


@pytest.mark.parametrize("columns", [[], ["mean_mask"]])
def test_without_a_method_there_is_nothing_to_compare(columns):
    assert subject(columns) is None
    assert choose(IOU[columns], IOU[columns]) == []


def test_a_photo_without_a_boundary_has_no_least_boundary():
    assert not [rule for _, rule, _ in said(boundary=BOUNDARY * float("nan")) if "boundary" in rule]
