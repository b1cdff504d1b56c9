"""`make sync` where MLflow does not answer, and where runs wait for another server; the rest is in tests/pipeline/."""

import pytest

from experiments import sync
from study.tracking import Card, Store, post, waiting


@pytest.fixture
def outbox(tmp_path, monkeypatch):
    """Of a project in which one run waits for a server that is down."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    store = Store(uri="http://127.0.0.1:9", experiment="bsn-sketch", outbox=tmp_path / "outbox")
    post(store, Card(study="abc", kind="method", name="bsn"), metrics={}, artifacts={})
    return store.outbox


def test_a_server_that_is_down_is_told_in_one_line_and_nothing_is_lost(outbox):
    with pytest.raises(
        SystemExit, match=r"^sync: MLflow at http://127.0.0.1:9 does not answer .*; what waits for it is kept$"
    ):
        sync.sync()
    assert waiting(outbox) == {"http://127.0.0.1:9": 1}


def test_runs_for_another_server_stay_and_the_command_that_sends_them_is_told(outbox, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.setattr(sync, "_revisions", list)
    sync.sync()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"sync: told sqlite:///{tmp_path}/mlflow.db of 0 of DVC's studies; runs sent: 0"
    assert said[1] == "sync: runs for another server: 1; to send them: MLFLOW_TRACKING_URI=http://127.0.0.1:9 make sync"
    assert waiting(outbox) == {"http://127.0.0.1:9": 1}
