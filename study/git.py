"""Run git. A failure raises one line that says why: no program, no repository, no commit, or git's own refusal."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bsn.errors import InputError

# Set by git itself while it runs a hook; they would make it look at another repository.
_ANOTHER_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)


class GitError(InputError):
    """Git failed; the text is git's own message with its hint, in one line."""


class NoGit(GitError):
    """There is no git program."""


class NoRepository(GitError):
    """The folder is in no git repository, such as an unpacked ZIP download."""


class NoCommit(GitError):
    """The folder is in a git repository, and no commit holds it."""


def git(*arguments: str, folder: Path) -> str:
    """Run git and return its standard output.

    Args:
        arguments: of git, such as "rev-parse", "HEAD".
        folder: working directory.

    Raises:
        NoGit: git is not installed.
        NoRepository: the folder is in no repository.
        GitError: git failed for another reason, such as a repository that is owned by another user.
    """
    variables = {key: value for key, value in os.environ.items() if key not in _ANOTHER_REPOSITORY}
    # In English, to tell the reasons apart.
    variables |= {"LC_ALL": "C", "LANGUAGE": ""}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError:
        if shutil.which("git"):
            raise
        raise NoGit("git is not installed, or not on PATH; install it") from None
    if done.returncode == 0:
        return done.stdout
    reason = " ".join(done.stderr.split()).removeprefix("fatal: ")
    if reason.startswith("not a git repository (or any"):
        raise NoRepository(
            f"{folder.resolve()} is in no git repository; clone the project with git, "
            "or make one of it: git init && git add . && git commit -m start"
        )
    raise GitError(f"git {arguments[0]}: {reason or f'exit status {done.returncode}'}")


def head(folder: Path) -> str:
    """Hash of the commit that is checked out in `folder`, all forty digits.

    Raises:
        NoCommit: no commit holds the folder.
        GitError: as for `git`.
    """
    try:
        # The folder's own tree too: in a larger repository the commit need not hold it.
        return git("rev-parse", "HEAD", "HEAD:./", folder=folder).split()[0]
    except NoRepository:
        raise
    except GitError:
        git("rev-parse", "--git-dir", folder=folder)  # where git refuses the repository, this says so
        raise NoCommit(
            f"{folder.resolve()} is not committed yet; commit it: git add . && git commit -m start"
        ) from None


def changed(folder: Path, paths: Sequence[str] = (".",), *, untracked: bool = False) -> list[str]:
    """Files that differ from the commit, sorted.

    Args:
        folder: in the repository.
        paths: files and folders to look at, relative to `folder`.
        untracked: whether new files count, unless git ignores them.

    Returns:
        Paths relative to `folder`.

    Raises:
        GitError: as for `git`.
    """
    differing = git("diff", "--name-only", "--relative", "-z", "HEAD", "--", *paths, folder=folder)
    new = git("ls-files", "--others", "--exclude-standard", "-z", "--", *paths, folder=folder) if untracked else ""
    return sorted(filter(None, f"{differing}\0{new}".split("\0")))


def edits(folder: Path, paths: Sequence[str]) -> str:
    """Hash, ten digits, of the uncommitted changes to tracked files of `paths`; "" without any. Raises GitError."""
    difference = git("diff", "HEAD", "--", *paths, folder=folder)
    return hashlib.sha256(difference.encode()).hexdigest()[:10] if difference else ""
