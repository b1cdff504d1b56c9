from dataclasses import replace

import pytest

from benchmarks import gpu_check

CASE = replace(next(iter(gpu_check.cases().values())), batch=10, goal=0.05)


@pytest.fixture
def trainings(monkeypatch):
    """190 timed steps of 10 patches, 1 GFLOP each, in 7.6 s: 40 ms a step, 250 photos/s, .25 TFLOP/s."""
    said = {
        "whole": {"losses": [1.0, 0.5], "weights": "a", "memory": 2**30, "timed": 190, "seconds": 7.6},
        "first": {"losses": [1.01], "weights": "", "memory": 0, "timed": 0, "seconds": 0},
        "float32": {"losses": [1.0], "weights": "", "memory": 0, "timed": 0, "seconds": 0},
        "killed": {"weights": "a"},
    }
    monkeypatch.setattr(gpu_check, "run", lambda name, folder, kind: said[kind])
    monkeypatch.setattr(gpu_check, "kill_and_resume", lambda *_, **__: said["killed"]["weights"])
    monkeypatch.setattr(gpu_check, "flop", lambda case: 10**9)
    return said


def test_a_row_holds_rate_share_memory_losses_and_difference(trainings, capsys):
    assert gpu_check.check("net", CASE, 5e11) == []
    assert capsys.readouterr().out == "| net | 250.0 | 50% | 1.0 | 1.000 to 0.500 | 1.00% |\n"


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("whole", {"seconds": 19.0}, "100 ms per step; goal: 50 ms"),
        ("whole", {"losses": [1.0, 1.2]}, "the loss did not fall"),
        ("first", {"losses": [1.1]}, "differ from float32 by 10.0%; allowed: 2%"),
        ("killed", {"weights": "b"}, "ended with other weights"),
    ],
)
def test_each_goal_that_is_missed_is_told_with_its_number(trainings, kind, change, reason):
    trainings[kind].update(change)
    assert any(reason in line for line in gpu_check.check("net", CASE, 5e11))


def test_a_share_below_the_goal_is_told(trainings):
    assert gpu_check.check("net", CASE, 1e12) == ["25% of the measured matrix rate; goal: 40%"]


def test_a_training_that_fails_is_told_in_one_line():
    with pytest.raises(gpu_check.InputError, match=r"training \(whole\) failed: KeyError: 'no network'"):
        gpu_check.run("no network", ".", "whole")
