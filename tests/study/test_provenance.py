"""Provenance of results: commit, machine and environment."""

import subprocess
from importlib.metadata import version
from pathlib import Path

from bsn.workers import cores
from study.provenance import commit, environment, machine


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.email=test@example.org", "-c", "user.name=test"]
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_commit_is_marked_if_its_tracked_sources_were_changed(tmp_path):
    for folder in ("bsn", "reports"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("one")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    head = git(tmp_path, "rev-parse", "HEAD")[:10]
    (tmp_path / "reports/file").write_text("two")
    (tmp_path / "bsn/new").write_text("two")
    assert commit(tmp_path, ["bsn"]) == head
    (tmp_path / "bsn/file").write_text("two")
    assert commit(tmp_path, ["bsn"]) == f"{head} with changes"


def test_commit_is_none_without_a_repository_or_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit(tmp_path, ["bsn"]) is None
    monkeypatch.setenv("PATH", "")
    assert commit(tmp_path, ["bsn"]) is None


def test_the_machine_is_named_by_cores_processor_and_gpu():
    named = machine()
    assert named.startswith(f"{cores()} core")
    assert " of " in named
    assert "GPU" in named.split(", ")[-1] or "NVIDIA" in named


def test_environment_holds_machine_instruction_set_and_package_versions():
    found = environment()
    assert set(found) == {"machine", "instructions", "packages"}
    assert found["machine"] == machine()
    assert f"numpy {version('numpy')}" in found["packages"].split(", ")
