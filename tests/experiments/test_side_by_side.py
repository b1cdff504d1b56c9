"""Stages that `make repro` runs side by side."""

from pathlib import Path

from dvc.repo import Repo

from experiments.side_by_side import INPUTS, stages_by_method
from study.params import load

ROOT = Path(__file__).parents[2]


def test_methods_that_share_phase_one_follow_it_in_one_list():
    found = stages_by_method(load(ROOT))
    assert [
        "train_base@deeplab-hard-uniform",
        "train@portrait_deeplab",
        "evaluate@portrait_deeplab",
        "train@bsn_ac",
        "evaluate@bsn_ac",
    ] in found
    assert found[-1] == ["baselines@graph_cut", "evaluate_baselines@graph_cut"]


def test_no_list_needs_a_stage_of_another_list_and_the_inputs_come_first():
    lists = stages_by_method(load(ROOT))
    with Repo(str(ROOT)) as repo:
        graph = repo.index.graph
        needs = {stage.name: {other.name for other in graph.successors(stage)} for stage in graph}
        groups = {name.partition("@")[0] for name in needs}
    methods = {name for names in lists for name in names}
    assert methods == {
        name for name in needs if name.startswith(("train", "evaluate", "baselines"))
    }  # no method of dvc.yaml is left out
    first = {name for name in needs if name.partition("@")[0] in INPUTS}
    for _ in needs:  # with all that they need
        first |= {other for name in first for other in needs[name]}
    assert set(INPUTS) <= groups
    for names in lists:
        done = set(first)
        for name in names:
            assert needs[name] <= done, name
            done.add(name)
