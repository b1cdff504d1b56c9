"""A run and the process that sends it."""

import signal
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient

from study.tracking import post, tracked_run, waiting
from tests.study.tracking.conftest import runs

KILLED = """
import os, signal, sys
from pathlib import Path
from study.tracking import Card, Store, tracked_run
store = Store(uri=sys.argv[1], experiment=sys.argv[2], outbox=Path(sys.argv[3]), artifacts=Path(sys.argv[4]))
with tracked_run(store, Card(study="abc", kind="method", name="bsn")) as run:
    run.point({"loss": 1.0}, step=10)
    os.kill(os.getpid(), int(sys.argv[5]))
"""


def test_a_run_and_what_waited_before_it_are_in_mlflow_when_it_ends(store, card):
    earlier = card.parent
    post(store, earlier, metrics={"bsn/mean_iou": 0.9}, artifacts={})
    with tracked_run(store, card) as run:
        run.point({"train/loss": 0.5}, step=10)
        run.point({"train/loss": 0.25}, step=20)
    found = runs(store)
    assert {name: run.info.status for name, run in found.items()} == {"bsn": "FINISHED", "width-15": "FINISHED"}
    assert found["width-15"].data.metrics == {"bsn/mean_iou": 0.9}
    history = MlflowClient(store.uri).get_metric_history(found["bsn"].info.run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(10, 0.5), (20, 0.25)]
    assert waiting(store.outbox) == {}


def test_a_run_whose_work_fails_is_marked_failed_and_the_error_goes_on(store, card):
    with pytest.raises(KeyError), tracked_run(store, card):
        raise KeyError("science")
    assert runs(store)["bsn"].info.status == "FAILED"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_a_killed_process_has_said_is_sent_and_its_run_is_marked_killed(store, number):
    arguments = [store.uri, store.experiment, store.outbox, store.artifacts, str(int(number))]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert killed.returncode == -number
    # The process does not wait for MLflow. Its sender outlives it, and ends by itself.
    assert list(store.outbox.glob("[0-9]*"))
    until = time.monotonic() + 60
    while list(store.outbox.glob("[0-9]*")):
        assert time.monotonic() < until
        time.sleep(0.1)
    found = runs(store)["bsn"]
    assert (found.info.status, found.data.metrics) == ("KILLED", {"loss": 1.0})


def test_a_journal_that_can_not_be_written_costs_a_warning_and_the_science_goes_on(store, card, tmp_path):
    done = []
    (tmp_path / "outbox").write_text("in the way")
    with pytest.warns(UserWarning, match="the journal of this run can't be written"):
        post(store, card, metrics={}, artifacts={})
    with pytest.warns(UserWarning, match="the journal of this run can't be written"):  # noqa: SIM117, PT031
        with tracked_run(store, card) as run:
            run.metrics({"pfcn/mean_iou": 0.9})
            done.append("science")
    assert done == ["science"]
    assert runs(store) == {}


def test_a_disk_that_fills_up_meanwhile_costs_a_warning_and_the_science_goes_on(store, card, tmp_path):
    done = []
    with pytest.warns(UserWarning, match=r"the journal of this run can't be written \(.*nothing.png"):  # noqa: SIM117, PT031
        with tracked_run(store, card) as run:
            run.artifact(tmp_path / "nothing.png")  # any OSError
            run.metrics({"pfcn/mean_iou": 0.9})
            done.append("science")
    assert done == ["science"]
