"""`dvc repro` after a kill, and without git: put right what keeps DVC from starting, then run it.

    python -m experiments.repro                # or: make repro
    python -m experiments.repro train@bsn      # any arguments of dvc repro

DVC writes two files in place, and a SIGKILL meanwhile leaves half of one: dvc.lock after every stage, and the list of
paths that its processes use (.dvc/tmp/rwlock). Everything else it writes under another name first.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import yaml
from configobj import ConfigObj, ConfigObjError

from study.git import GitError, NoCommit, NoGit, NoRepository, git, head

LOCKS = ("dvc.lock", "trials/dvc.lock")


def repro(*arguments: str) -> None:
    """Does not return: DVC takes the place of this process."""
    root = Path.cwd()
    for line in (*follow_git(root), *mend(root)):
        print(f"repro: {line}", flush=True)
    os.execv(sys.executable, [sys.executable, "-m", "dvc", "repro", *arguments])


def follow_git(root: Path) -> list[str]:
    """Tell DVC, which otherwise refuses to work without git, whether the project is in git; says what was changed."""
    file = root / ".dvc/config.local"
    try:
        config = ConfigObj(file.read_text().splitlines() if file.exists() else [])
    except ConfigObjError:  # DVC says it
        return []
    core = config.setdefault("core", {})
    alone = _without_git(root)
    if alone == (core.get("no_scm", "false").lower() == "true"):
        return []
    core["no_scm"] = str(alone).lower()
    _write(file, "".join(f"{line}\n" for line in config.write()))
    return [f"the project is {'not' if alone else 'now'} in git: core.no_scm = {core['no_scm']} in .dvc/config.local"]


def mend(root: Path) -> list[str]:
    """Put right what a kill has left of DVC's files, unless a DVC command works on them; says what was done."""
    if not _broken(root) and not _stale(root):
        return []
    from filelock import FileLock, Timeout  # late for start-up time: there is seldom anything to mend

    (root / ".dvc/tmp").mkdir(exist_ok=True)
    done = []
    # DVC's own lock, which it holds while it writes.
    with suppress(Timeout), FileLock(root / ".dvc/tmp/lock", blocking=False):
        if _stale(root):
            (root / ".dvc/tmp/rwlock").unlink()
            done.append(".dvc/tmp/rwlock was left by a process that was killed; it is removed")
        for name in _broken(root):
            how = _put_back(root, name)
            done.append(f"{name} was left half written by a kill; {how}; finished stages are in DVC's cache")
    return done


def whole(lock: str) -> bool:
    """Whether the text of a dvc.lock is all of one; not where it is only the beginning and DVC would refuse it."""
    if not lock.endswith("\n"):
        return False
    try:
        # In C: in Python a lock of this size takes a quarter of a second.
        return all(map(_whole, yaml.load(lock, Loader=yaml.CSafeLoader)["stages"].values()))
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return False


def _whole(stage: dict) -> bool:
    files = [*stage.get("deps", []), *stage.get("outs", [])]
    params = stage.get("params", {}).values()
    return "cmd" in stage and all(map(_complete, files)) and all(isinstance(file, dict) for file in params)


def _complete(file: dict) -> bool:
    """Whether an entry has all that DVC writes: it would accept one without a size, and never add it again."""
    measured = {"md5", "size", "nfiles"} if str(file.get("md5")).endswith(".dir") else {"md5", "size"}
    return "path" in file and ("hash" not in file or measured <= file.keys())


def _broken(root: Path) -> list[str]:
    existing = [name for name in LOCKS if (root / name).exists()]
    return [name for name in existing if not whole((root / name).read_text("utf-8", errors="replace"))]


def _put_back(root: Path, name: str) -> str:
    """Put the committed lock in the place of the broken one, or set that aside; says which."""
    file = root / name
    try:
        committed = git("show", f"HEAD:./{name}", folder=root)
    except GitError as error:
        committed, reason = "", str(error)
    else:
        reason = "the committed one is broken as well"
    if whole(committed):
        _write(file, committed)
        return "the committed one is in its place"
    file.replace(f"{file}.broken")
    return f"it is now {name}.broken, and DVC goes on without ({reason})"


def _stale(root: Path) -> bool:
    """Whether the list of used paths is unreadable, or nobody on it is alive."""
    file = root / ".dvc/tmp/rwlock"
    try:
        used = json.loads(file.read_text())
        readers = [info for infos in used.get("read", {}).values() for info in infos]
        users = [*readers, *used.get("write", {}).values()]
        written = file.stat().st_mtime
        return bool(users) and not any(_lives(int(user["pid"]), written) for user in users)
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError, AttributeError):
        return True


def _lives(pid: int, written: float) -> bool:
    """Whether it is the process that was there then, and no later one of the same number, as containers have them."""
    import psutil  # not above: most of the time nobody is on the list

    try:
        return psutil.Process(pid).create_time() < written + 1  # clocks that are set move it a little
    except psutil.NoSuchProcess:
        return False


def _without_git(root: Path) -> bool:
    """Whether no repository has the project: not its own, and not a larger one that it is committed to."""
    if (root / ".git").exists():
        return False
    try:
        head(root)
    except (NoGit, NoRepository, NoCommit):
        return True
    except GitError:  # such as a repository of another user's, in which DVC works all the same
        return False
    return False


def _write(file: Path, text: str) -> None:
    from bsn.disk import write_atomically  # not above: it loads OpenCV

    write_atomically(file, [text.encode()])


if __name__ == "__main__":
    repro(*sys.argv[1:])
