"""The commands around DVC without a repository or commit, in a larger repository, and in one that git refuses."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bsn.errors import InputError
from experiments import compare, sweep, sync, verify
from tests.experiments.conftest import Clone, someone
from tests.study.test_git import commit, someone_elses

ROOT = Path(__file__).parents[2]
DVC_YAML = """
stages:
  measure:
    cmd:
      - mkdir -p metrics/headline metrics/methods
      - tee metrics/headline/bsn.json metrics/methods/bsn.json < params.yaml
    params: [bsn]
    metrics:
      - metrics/headline/bsn.json: {cache: false}
      - metrics/methods/bsn.json: {cache: false}
"""
PARAMS = '{"profile": "toy", "bsn": {"mean_iou": 0.9}}\n'
HOW = {
    "ZIP": "is in no git repository; clone the project with git, or make one of it: git init && git add .",
    "not committed": "is not committed yet; commit it: git add . && git commit -m start",
    "refused": "git config --global --add safe.directory ",
}


def write(folder: Path) -> None:
    """Write a DVC project of one stage, with this repository's Makefile and tables."""
    for name in (".dvc", "reports"):
        (folder / name).mkdir(parents=True)
    (folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "profiles").mkdir()
    (folder / "profiles/toy.yaml").write_text("instructions: avx2\n")
    for number in (1, 2, 3):
        (folder / f"reports/table{number}.md").write_text(f"Table {number} is shown.\n")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / ".gitignore").write_text("/.venv\n/mlflow.db\n/mlflow.*.lock\n")
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])


@pytest.fixture(params=HOW)
def lacking(request, tmp_path, monkeypatch) -> tuple[Path, str]:
    """A project whose commit git cannot give, for each reason, and the expected part of the message."""
    folder = tmp_path / "project"
    write(folder)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    if request.param == "not committed":
        subprocess.run(["git", "init", "--quiet"], check=True)
    if request.param == "refused":
        commit(folder)
        someone_elses(folder, monkeypatch)
    return folder, HOW[request.param]


def test_compare_verify_and_sweep_report_a_missing_commit_in_one_line(lacking):
    folder, how = lacking
    for command in (compare.compare, verify.verify, lambda: sweep.head_commit(folder)):
        with pytest.raises(InputError) as caught:
            command()
        assert how in str(caught.value)
        assert "\n" not in str(caught.value)


def test_sync_reports_a_missing_commit_and_still_syncs(lacking, capsys):
    _, how = lacking
    sync.sync()
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("sync: experiments and the committed results were not logged: ")
    assert how in first
    assert second == "sync: studies newly logged to mlflow.db: 0"


def test_make_repro_runs_without_a_commit_and_prints_the_tables(lacking):
    folder, _ = lacking
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # Keeps make from updating .venv.
    command = ["make", "--old-file=.venv/installed", "repro"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (folder / "metrics/methods/bsn.json").read_text() == PARAMS, done.stdout + done.stderr
    assert "Table 1 is shown.\nTable 2 is shown.\nTable 3 is shown.\n" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.fixture
def inner(tmp_path, monkeypatch) -> Clone:
    """A project in a folder of a larger repository, run and committed."""
    clone = Clone(tmp_path / "larger/our project", someone(tmp_path / "home"))
    larger = Clone(tmp_path / "larger", clone.environment)
    write(clone.folder)
    (larger.folder / "theirs").write_text("one")
    monkeypatch.chdir(clone.folder)
    larger.run("git", "init", "--quiet")
    larger.commit("all projects")
    clone.run(sys.executable, "-m", "experiments.repro")
    larger.commit("our results")
    return clone


def test_verify_compare_and_sweep_work_in_a_folder_of_a_larger_repository(inner, tmp_path):
    (tmp_path / "larger/theirs").write_text("two")  # a change outside the project
    inner.run(sys.executable, "-m", "experiments.verify", "--keep", str(tmp_path / "clone"))
    assert "is verified: all 2 values are the committed ones" in inner.output
    assert (tmp_path / "clone/our project/metrics/methods/bsn.json").exists()
    inner.run("dvc", "exp", "run", "--name", "try", "--set-param", "bsn.mean_iou=0.8")
    inner.run(sys.executable, "-m", "experiments.compare")
    assert "try" in inner.output
    assert "bsn.mean_iou=0.8" in inner.output
    assert sync._revisions()[0][0].experiment == "try"
    with pytest.raises(
        InputError, match=r"^uncommitted: dvc.lock, metrics/headline/bsn.json, metrics/methods/bsn.json"
    ):
        sweep.head_commit(inner.folder)
    inner.run("git", "checkout", "--quiet", ".")
    assert sweep.head_commit(inner.folder) == inner.run("git", "rev-parse", "HEAD").strip()
    # The same in a git worktree.
    inner.run("git", "worktree", "add", "--quiet", "--detach", str(tmp_path / "worktree"))
    tree = Clone(tmp_path / "worktree/our project", inner.environment)
    tree.run(sys.executable, "-m", "experiments.verify")
    assert "is verified: all 2 values are the committed ones" in tree.output
