"""`make sync` without a server and with one that does not answer; the rest is in tests/pipeline/."""

import pytest

from experiments import sync
from study.tracking.runs import RunSpec, start_run


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Folder of a project with one run."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(sync, "_revisions", list)
    with start_run(RunSpec(experiment="bsn-sketch", study="abc", kind="method", name="bsn")):
        pass
    return tmp_path


def test_runs_are_copied_once_and_an_unreachable_server_is_reported_in_one_line(root, monkeypatch, capsys):
    sync.sync()
    assert capsys.readouterr().out.splitlines() == [
        "sync: studies newly logged to mlflow.db: 0",
        "sync: runs of bsn-sketch: http://127.0.0.1:5000/#/experiments/1/runs",
    ]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(
        SystemExit, match=r"^sync: MLflow at http://127.0.0.1:9 does not answer .*; the runs stay in mlflow.db$"
    ):
        sync.sync()
    capsys.readouterr()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/target.db")
    for copied in (1, 0):
        sync.sync()
        said = capsys.readouterr().out.splitlines()
        assert said[1] == f"sync: runs copied to sqlite:///{root}/target.db: {copied}"
