"""One job of a sweep, as a worker does it: `dvc exp run` on a clone of its own.

The driver sends this module by value: a worker needs the project's environment, and no checkout.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from distributed import get_worker
from distributed.versions import get_versions

from experiments.commands import dvc, run, why
from study.git import GitError, git

# `dvc push --run-cache`, and after it the outs of the run cache that are in git instead of DVC's cache: the command
# leaves these out, and without them no other worker could take such a stage from the run cache.
PUSH = """
from pathlib import Path
from dvc.repo import Repo

with Repo() as repo:
    repo.push(run_cache=True)
    entries = [(file.parent.name, file.name) for file in Path(repo.stage_cache.cache_dir).glob("*/*/*")]
    for objects in repo.stage_cache.get_used_objs(entries).values():
        repo.cloud.push(objects)
"""


def run_job(
    *,
    project: str,
    prefix: str,
    head: str,
    bundle: str,
    name: str,
    settings: Sequence[str],
    remote: Mapping[str, str],
    environment: Mapping[str, str],
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """Run one experiment and push its data; never raises for what the job itself did.

    project: names the folder of this project's clones; prefix: the project's folder in its repository, "" for the
    repository itself; head: the commit, in the bundle that Dask has laid into the worker's folder; settings: of
    `--set-param`; remote: options of the DVC remote, its name under "name"; environment: for the stages; versions: of
    the packages that the worker must have.

    Returns worker (who), seconds, bundle (bytes of the experiment as a git bundle, None where it failed), why (text).
    """
    worker = get_worker()
    start, made = time.monotonic(), None
    # Asked again here: this worker may have come after the sweep began.
    reason = unlike(versions, comparable(get_versions(versions)))
    try:
        if not reason:
            folder = Path(worker.local_directory)
            with own_clone(folder.parent / "sweeps" / project) as (clone, lock):
                prepare(clone, prefix, folder / bundle, head, remote)
                made = experiment(clone / prefix, head, name, settings, environment, lock)
    except subprocess.CalledProcessError as error:
        reason = why(error)
    except GitError as error:
        reason = str(error)
    return {"worker": str(worker.name), "seconds": time.monotonic() - start, "bundle": made, "why": reason}


def comparable(found: Mapping[str, Any]) -> dict[str, str]:
    """Of Dask's report on a machine the versions that results depend on: Python 3.11 of 3.11.4, torch 2.11.0 of
    2.11.0+cpu, empty for what is missing."""
    packages = {name: str(version or "").partition("+")[0] for name, version in found["packages"].items()}
    return {**packages, "python": ".".join(found["host"]["python"].split(".")[:2])}


def unlike(versions: Mapping[str, str], found: Mapping[str, str]) -> str:
    """What a machine has in another version than the driver, told in a line; empty where nothing differs."""
    told = [
        f"{name} {found.get(name) or 'missing'} (the driver: {version or 'none'})"
        for name, version in versions.items()
        if (found.get(name) or "") != version
    ]
    return f"another environment than the driver's: {', '.join(told)}" if told else ""


@contextmanager
def own_clone(folder: Path) -> Iterator[tuple[Path, int]]:
    """A clone that nothing else works in, and the descriptor of its lock: the first one of the folder that is free.

    A command that inherits the descriptor keeps the clone as long as it lives, even when the worker was killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        lock = os.open(folder / f"{number}.lock", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield folder / str(number), lock
        finally:
            os.close(lock)
        return


def prepare(clone: Path, prefix: str, bundle: Path, head: str, remote: Mapping[str, str]) -> None:
    """The commit's files and the data of its study as far as it was pushed; what git ignores stays: the cache,
    checkpoints."""
    from dvc.config import Config

    used, project = clone.exists(), clone / prefix
    clone.mkdir(exist_ok=True)
    # Made anew, so that nothing is left of a job that was killed: locks, refs, half an experiment, half a dvc.lock.
    for left in (clone / ".git", project / ".dvc/tmp"):
        shutil.rmtree(left, ignore_errors=True)
    git("init", "--quiet", folder=clone)
    git("fetch", "--quiet", str(bundle), "HEAD", folder=clone)
    git("checkout", "--quiet", "--force", "--detach", head, folder=clone)
    git("clean", "--quiet", "--force", "-d", folder=clone)
    options = {key: value for key, value in remote.items() if key != "name"}
    with Config(dvc_dir=str(project / ".dvc"), validate=False).edit("local") as local:
        local.setdefault("core", {})["remote"] = remote["name"]
        local.setdefault("remote", {}).setdefault(remote["name"], {}).update(options)
    # `dvc exp run --pull` fetches stage by stage: slow for all of them, right for what another job has added.
    dvc("checkout" if used else "pull", "--force", "--quiet", "--allow-missing", folder=project)


def experiment(
    project: Path, head: str, name: str, settings: Sequence[str], environment: Mapping[str, str], lock: int
) -> bytes:
    """Run it; what it computed goes to the remote, even when a later stage fails."""
    changes = [argument for setting in settings for argument in ("--set-param", setting)]
    command = (sys.executable, "-m", "dvc", "exp", "run", "--pull", "--name", name, *changes)
    try:
        run(*command, folder=project, environment=environment, keep_open=[lock])
    except subprocess.CalledProcessError:
        push(project)
        raise
    push(project)
    bundle = project / ".dvc/tmp/experiment.bundle"
    git("bundle", "create", "--quiet", str(bundle), reference(head, name), f"^{head}", folder=project)
    return bundle.read_bytes()


def reference(head: str, name: str) -> str:
    """Where DVC keeps an experiment in git."""
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"


def push(project: Path) -> None:
    run(sys.executable, "-c", PUSH, folder=project)
