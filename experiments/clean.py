"""A clone of this project's last commit in which nothing of the user's answers: no cache, no remote, no settings."""

import os
import subprocess
import sys
from pathlib import Path

from bsn.errors import InputError
from bsn.provenance import head

# What would have a command look at another repository, cache, tracking server or copy of the code.
FOREIGN = ("DVC", "GIT_", "MLFLOW", "PYTHONPATH")


def environment(empty: Path) -> dict[str, str]:
    """The variables of a command in such a clone; `empty`, a folder, has the place of the user's own DVC settings.

    Commands are this environment's.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    settings = {
        f"DVC_{name}_DIR": str(empty / name.lower()) for name in ("GLOBAL_CONFIG", "SYSTEM_CONFIG", "SITE_CACHE")
    }
    return {**{k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}, "PATH": path, **settings}


def clone(project: Path, folder: Path) -> str:
    """Clone the commit that `project` is at to `folder`, and return it.

    Its DVC cache is its own and empty, whatever .dvc/config says. Raises InputError where there is no commit, where
    tracked files differ from it, and where `folder` is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; name a new folder")
    commit = head(project)
    if not commit:
        raise InputError(f"{project} has no commit to clone; commit the study first")
    changed = [line[3:] for line in _git(project, "status", "--porcelain", "--untracked-files=no").splitlines()]
    if changed:
        names = ", ".join(changed[:5]) + (" and others" if len(changed) > 5 else "")
        raise InputError(
            f"{names}: changed since the last commit; commit or stash it, for the commit is what is cloned"
        )
    _git(project, "clone", "--quiet", "--no-checkout", str(project.resolve()), str(folder.resolve()))
    _git(folder, "checkout", "--quiet", "--detach", commit)
    (folder / ".dvc/config.local").write_text("[cache]\n    dir = cache\n")
    return commit


def _git(folder: Path, *arguments: str) -> str:
    """What git says. Raises InputError where it fails."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(["git", *arguments], cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"git {arguments[0]}: {' '.join(done.stderr.split())}")
    return done.stdout.rstrip("\n")
