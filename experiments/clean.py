"""A clone of this project's last commit in which nothing of the user's answers: no cache, no remote, no settings."""

import os
import sys
from pathlib import Path

from bsn.errors import InputError
from study.git import changed, git, head

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


def clone(project: Path, folder: Path) -> tuple[str, Path]:
    """Clone the commit that `project` is at to `folder`; returns the commit and the project's place in the clone.

    That is `folder` itself, or in a larger repository a folder of it. Its DVC cache is its own and empty, whatever
    .dvc/config says.

    Raises:
        GitError: git knows of no commit.
        InputError: tracked files differ from the commit, or `folder` is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; name a new folder")
    commit = head(project)
    different = changed(project)
    if different:
        names = ", ".join(different[:5]) + (" and others" if len(different) > 5 else "")
        raise InputError(
            f"{names}: changed since the last commit; commit or stash it, for the commit is what is cloned"
        )
    top = git("rev-parse", "--show-toplevel", folder=project).removesuffix("\n")
    git("clone", "--quiet", "--no-checkout", top, str(folder.resolve()), folder=project)
    git("checkout", "--quiet", "--detach", commit, folder=folder)
    cloned = folder / git("rev-parse", "--show-prefix", folder=project).removesuffix("\n")
    (cloned / ".dvc/config.local").write_text("[cache]\n    dir = cache\n")
    return commit, cloned
