"""python -m experiments.repro [ARGUMENT...]: repair what a killed run left, train in parallel, then run `dvc repro`.

A SIGKILL can cut two files short that DVC writes in place: dvc.lock, after every stage, and .dvc/tmp/rwlock, the list
of paths in use. Without git DVC needs core.no_scm. Without arguments, methods are trained in parallel first.
`make repro` runs this; arguments are those of `dvc repro`.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import yaml
from configobj import ConfigObj, ConfigObjError

from bsn.errors import InputError
from experiments.parallel import run_methods
from study.git import GitError, NoCommit, NoGit, NoRepository, git, head
from study.runner import run_stage

LOCKS = ("dvc.lock", "trials/dvc.lock")


def repro(*arguments: str) -> int:
    """Repair, train the methods in parallel, then replace this process by `dvc repro`.

    Args:
        arguments: of `dvc repro`; with any, nothing runs in parallel.

    Returns:
        Exit status of a method that failed; otherwise it does not return.

    Raises:
        InputError: this is not the project's folder.
    """
    root = Path.cwd()
    if not (root / "dvc.yaml").exists():
        raise InputError(f"{root} has no dvc.yaml; run this in the project's folder")
    for line in (*set_no_scm(root), *repair(root)):
        print(f"repro: {line}", flush=True)
    if not arguments and (status := run_methods(root)):
        return status
    os.execv(sys.executable, [sys.executable, "-m", "dvc", "repro", *arguments])


def set_no_scm(root: Path) -> list[str]:
    """Set core.no_scm in .dvc/config.local where the project is not in git, and unset it where it is again.

    Returns:
        What was changed, in at most one line.
    """
    file = root / ".dvc/config.local"
    try:
        config: Any = ConfigObj(file.read_text().splitlines() if file.exists() else [])
        core = config.setdefault("core", {})
        was_alone = "no_scm" in core and core.as_bool("no_scm")
    except (ConfigObjError, UnicodeDecodeError, AttributeError, ValueError, TypeError):  # DVC reports it
        return []
    alone = not _in_git(root)
    if alone == was_alone:
        return []
    core["no_scm"] = str(alone).lower()
    _write(file, "".join(f"{line}\n" for line in config.write()))
    return [f"the project is {'not' if alone else 'now'} in git: core.no_scm = {core['no_scm']} in .dvc/config.local"]


def repair(root: Path) -> list[str]:
    """Restore truncated dvc.lock files and delete a stale rwlock, unless a DVC command is running.

    Returns:
        What was repaired, one line per file.
    """
    if not _broken(root) and not _stale(root):
        return []
    from filelock import FileLock, Timeout  # late for start-up time: seldom needed

    (root / ".dvc/tmp").mkdir(exist_ok=True)
    done = []
    with suppress(Timeout), FileLock(root / ".dvc/tmp/lock", blocking=False):  # DVC's own, held while it writes
        if _stale(root):
            (root / ".dvc/tmp/rwlock").unlink()
            done.append(".dvc/tmp/rwlock was left by a killed process; it is deleted")
        for name in _broken(root):
            how = _restore(root, name)
            done.append(f"{name} was truncated by a kill; {how}; finished stages are in DVC's cache")
    return done


def is_complete(lock: str) -> bool:
    """Return False where the text of a dvc.lock is truncated so that DVC would refuse it."""
    if not lock.endswith("\n"):
        return False
    try:
        # The C loader: the Python one takes a quarter of a second for a lock of this size.
        return all(map(_is_stage, yaml.load(lock, Loader=yaml.CSafeLoader)["stages"].values()))
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return False


def _is_stage(stage: Mapping[str, Any]) -> bool:
    files = [*stage.get("deps", []), *stage.get("outs", [])]
    params = stage.get("params", {}).values()
    return "cmd" in stage and all(map(_is_entry, files)) and all(isinstance(file, dict) for file in params)


def _is_entry(file: Mapping[str, Any]) -> bool:
    """An entry without a size is incomplete as well: DVC would accept it, and never add the size."""
    measured = {"md5", "size", "nfiles"} if str(file.get("md5")).endswith(".dir") else {"md5", "size"}
    return "path" in file and ("hash" not in file or measured <= file.keys())


def _broken(root: Path) -> list[str]:
    """Locks that DVC would refuse. A conflict of git's is the user's to resolve, so DVC reports it."""
    texts = {name: (root / name).read_text("utf-8", errors="replace") for name in LOCKS if (root / name).exists()}
    return [name for name, text in texts.items() if not is_complete(text) and "\n<<<<<<< " not in text]


def _restore(root: Path, name: str) -> str:
    """Restore the committed lock, and keep the broken one aside; returns what was done."""
    file = root / name
    aside = root / ".dvc/tmp" / f"{name.replace('/', '.')}.broken"  # in no git status
    shutil.copy(file, aside)
    try:
        committed, reason = git("show", f"HEAD:./{name}", folder=root), "the committed one is broken as well"
    except GitError as error:
        committed, reason = "", str(error)
    if is_complete(committed):
        _write(file, committed)
        return f"it is now {aside.relative_to(root)}, and the committed one is restored"
    file.unlink()
    return f"it is now {aside.relative_to(root)}, and DVC continues without it ({reason})"


def _stale(root: Path) -> bool:
    """Whether the rwlock is unreadable, or no process in it is alive."""
    file = root / ".dvc/tmp/rwlock"
    try:
        used = json.loads(file.read_text())
        readers = [info for infos in used.get("read", {}).values() for info in infos]
        users = [*readers, *used.get("write", {}).values()]
        written = file.stat().st_mtime
        return bool(users) and not any(_is_alive(int(user["pid"]), written) for user in users)
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError, AttributeError):
        return True


def _is_alive(pid: int, written: float) -> bool:
    """DVC looks at the number alone; a later process can have the same one, above all in a container."""
    try:
        return psutil.Process(pid).create_time() < written + 1  # a second of tolerance for clock adjustments
    except psutil.NoSuchProcess:
        return False


def _in_git(root: Path) -> bool:
    """Whether a commit holds the project, in its own repository or in a larger one."""
    if (root / ".git").exists():
        return True
    try:
        head(root)
    except (NoGit, NoRepository, NoCommit):
        return False
    except GitError:  # e.g. another user's repository, in which DVC works
        return True
    return True


def _write(file: Path, text: str) -> None:
    from bsn.disk import write_atomically  # late: it loads OpenCV

    write_atomically(file, [text.encode()])


if __name__ == "__main__":
    run_stage(repro)
