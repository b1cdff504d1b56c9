"""Clone the last commit without the user's DVC cache, remote and settings."""

import os
import sys
from pathlib import Path

from bsn.errors import InputError
from study.git import changed, git, head

# Prefixes of variables that would point a command to another repository, cache, tracking server or copy of the code.
FOREIGN = ("DVC", "GIT_", "MLFLOW", "PYTHONPATH")


def clone(project: Path, folder: Path) -> tuple[str, Path]:
    """Clone the current commit of `project`, with an empty DVC cache of its own whatever .dvc/config says.

    Args:
        project: folder of the project, which may lie inside a larger repository.
        folder: where to clone the repository; empty or new.

    Returns:
        The commit, and the project's folder in the clone.

    Raises:
        GitError: there is no commit.
        InputError: tracked files differ from the commit, or `folder` is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; name a new folder")
    commit = head(project)
    if different := changed(project):
        names = ", ".join(different[:5]) + (" and others" if len(different) > 5 else "")
        raise InputError(f"{names}: changed since the last commit, which is what is cloned; commit or stash it")
    top = git("rev-parse", "--show-toplevel", folder=project).removesuffix("\n")
    git("clone", "--quiet", "--no-checkout", top, str(folder.resolve()), folder=project)
    git("checkout", "--quiet", "--detach", commit, folder=folder)
    cloned = folder / git("rev-parse", "--show-prefix", folder=project).removesuffix("\n")
    (cloned / ".dvc/config.local").write_text("[cache]\n    dir = cache\n")
    return commit, cloned


def clone_variables(settings: Path) -> dict[str, str]:
    """Return all environment variables for commands in such a clone.

    Args:
        settings: an empty folder, used in place of the user's and the system's DVC settings.
    """
    own = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    places = ("GLOBAL_CONFIG", "SYSTEM_CONFIG", "SITE_CACHE")
    return {**own, "PATH": path, **{f"DVC_{name}_DIR": str(settings / name.lower()) for name in places}}
