"""Git state of a folder, and one error per reason why there is none."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from study.git import GitError, NoCommit, NoGit, NoRepository, changed, edits, git, head


def commit(folder: Path) -> str:
    """Commit all of `folder`, after `git init`, and return the full hash."""
    settings = ["-c", "user.email=test@example.org", "-c", "user.name=test"]
    for command in (["init", "--quiet"], ["add", "--all"], [*settings, "commit", "--quiet", "--message", "a commit"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return git("rev-parse", "HEAD", folder=folder).strip()


def someone_elses(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make git treat the folder as another user's, as in a container that mounts it."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)  # the user's configuration may allow any folder
    if os.geteuid():
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    else:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 12345, 12345, follow_symlinks=False)


@pytest.fixture
def larger(tmp_path):
    """A repository with two committed projects, ours and theirs."""
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("one")
    commit(tmp_path)
    return tmp_path


def test_changes_are_reported_only_for_the_given_folder_of_a_larger_repository(larger):
    ours = larger / "ours"
    assert head(ours) == head(larger) == git("rev-parse", "HEAD", folder=larger).strip()
    (larger / "theirs/file").write_text("two")
    assert (changed(ours), edits(ours, ["."]), changed(larger)) == ([], "", ["theirs/file"])
    (ours / "file").write_text("two")
    (ours / "a new ü").touch()
    assert changed(ours) == ["file"]
    assert changed(ours, untracked=True) == ["a new ü", "file"]
    assert changed(ours, ["nothing"], untracked=True) == []
    first = edits(ours, ["file"])
    (ours / "file").write_text("three")
    assert len({"", first, edits(ours, ["file"])}) == 3


def test_a_missing_repository_and_a_missing_commit_raise_different_errors(larger, tmp_path_factory, monkeypatch):
    zipped = tmp_path_factory.mktemp("zip")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(zipped.parent))
    with pytest.raises(NoRepository, match=r"/zip0 is in no git repository; clone the project with git, or make one"):
        head(zipped)
    subprocess.run(["git", "init", "--quiet"], cwd=zipped, check=True)
    with pytest.raises(NoCommit, match=r"/zip0 is not committed yet; commit it: git add"):
        head(zipped)
    unpacked = larger / "unpacked"
    unpacked.mkdir()
    (unpacked / "file").touch()
    with pytest.raises(NoCommit, match=r"/unpacked is not committed yet"):
        head(unpacked)


def test_a_repository_of_another_user_raises_one_line_with_git_s_own_hint(larger, monkeypatch):
    someone_elses(larger, monkeypatch)
    for folder in (larger, larger / "ours"):
        with pytest.raises(GitError) as caught:
            head(folder)
        assert type(caught.value) is GitError
        assert str(caught.value) == (
            f"git rev-parse: detected dubious ownership in repository at '{larger}' To add an exception for this "
            f"directory, call: git config --global --add safe.directory {larger}"
        )
    # The exception may be set by environment variables, as in a container.
    for name, value in {"COUNT": "1", "KEY_0": "safe.directory", "VALUE_0": str(larger)}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert len(head(larger)) == 40


def test_a_missing_git_program_is_reported(larger, monkeypatch):
    monkeypatch.setenv("PATH", str(larger))
    with pytest.raises(NoGit, match=r"^git is not installed, or not on PATH"):
        head(larger)


def test_git_dir_and_git_work_tree_set_by_a_hook_are_ignored(larger, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    shutil.copy(larger / "ours/file", other)
    commit(other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert git("rev-parse", "--show-toplevel", folder=larger) == f"{larger}\n"


def test_errors_are_recognised_in_a_german_locale(larger, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    zipped = tmp_path_factory.mktemp("zip")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(zipped.parent))
    with pytest.raises(NoRepository):
        head(zipped)
    with pytest.raises(GitError, match=r"^git nonsense: git: 'nonsense' is not a git command"):
        git("nonsense", folder=larger)
