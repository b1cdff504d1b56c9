import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import Row, Scale

TINY = Scale(
    device=torch.device("cpu"),
    backbone="resnet18",
    base_width=4,
    crop=(32, 32),
    batches=(1, 2),
    goal_batch=2,
    warm_up=1,
    steps=3,
    matrix=32,
)


def no_compiler(*_, **__):
    raise RuntimeError("no compiler\nand more | lines")


def test_a_combination_that_fails_tells_why_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr(torch, "compile", no_compiler)
    rows = list(gpu.measure(TINY))
    assert [(row.batch, row.compiled, row.graph, row.reason) for row in rows] == [
        (batch, compiled, False, reason)  # CUDA graphs are measured on a GPU only
        for batch in (1, 2)
        for compiled, reason in [(False, ""), (True, "RuntimeError: no compiler")]
    ]
    assert all((row.seconds is None) == bool(row.reason) for row in rows)


def test_the_papers_network_costs_what_was_counted_before():
    forward, both = gpu.step_flop(gpu.on_gpu())
    assert forward / 1e9 == pytest.approx(399, rel=0.01)
    assert both / 1e9 == pytest.approx(gpu.PAPER_GFLOP, rel=0.01)


def test_a_row_holds_photos_tera_flop_and_share():
    # 10 patches of 1.2 TFLOP in .05 s: 200 photos/s, 240 TFLOP/s, .4 of 600.
    row = Row(10, True, False, 0.05)
    assert gpu.table_row(row, flop=12 * 10**11, peak=6e14) == "| 10 | yes | no | 50.0 | 200.0 | 240 | 40% |"
    failed = Row(10, True, True, reason="OutOfMemoryError: no")
    assert gpu.table_row(failed, flop=1, peak=1) == "| 10 | yes | yes | OutOfMemoryError: no | | | |"


def test_the_goal_is_held_against_the_best_of_its_batch():
    rows = [Row(1, False, False, 0.001), Row(2, False, False, 0.06), Row(2, True, False, 0.045), Row(2, True, True)]
    # 2 patches of 9 TFLOP in .045 s are 400 TFLOP/s; 40,000 updates take 1800 s.
    assert "best: 50% of the measured matrix rate, 40000 updates in 30 min" in gpu.goal_line(
        rows, TINY, flop=9 * 10**12, peak=8e14
    )
    assert gpu.goal_line(rows[:1], TINY, flop=1, peak=1) == "Batch 2: no combination ran"
