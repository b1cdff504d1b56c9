"""One job of a sweep as a Dask worker runs it: `dvc exp run` in a clone of its own.

The driver sends this module by value, so a worker needs the project's environment but no checkout.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from distributed import get_worker
from distributed.versions import get_versions

from experiments.commands import dvc, failure, run
from study.git import GitError, git

# `dvc push --run-cache`, then the outs of the run cache that git tracks instead of DVC's cache: the command leaves them
# out, and without them no other worker could restore such a stage from the run cache.
PUSH = """
from pathlib import Path
from dvc.repo import Repo

with Repo() as repo:
    repo.push(run_cache=True)
    entries = [(file.parent.name, file.name) for file in Path(repo.stage_cache.cache_dir).glob("*/*/*")]
    for objects in repo.stage_cache.get_used_objs(entries).values():
        repo.cloud.push(objects)
"""


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """Result of a job on a worker.

    Attributes:
        worker: the worker's name.
        seconds: wall time of the job.
        bundle: the experiment as a git bundle; None where the job failed.
        reason: why it failed, a few lines.
    """

    worker: str
    seconds: float = 0.0
    bundle: bytes | None = None
    reason: str = ""


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
) -> JobResult:
    """Run one experiment and push its data. A failure is part of the result, not raised.

    Args:
        project: name of the folder with this project's clones.
        prefix: the project's folder in its repository; "" for the repository itself.
        head: commit, from the bundle that Dask has put into the worker's folder.
        bundle: file name of that bundle.
        name: name of the experiment.
        settings: values of `--set-param`.
        remote: options of the DVC remote, its name under "name".
        environment: additional variables for the stages.
        versions: of the packages that the worker must have.
    """
    worker = get_worker()
    start, made = time.monotonic(), None
    # The driver has checked the workers that it found; this one may have joined later.
    reason = different_versions(versions, comparable(get_versions(versions)))
    try:
        if not reason:
            folder = Path(worker.local_directory)
            with locked_clone(folder.parent / "sweeps" / project) as (clone, lock):
                prepare(clone, prefix, folder / bundle, head, remote)
                made = experiment(clone / prefix, head, name, settings, environment, lock)
    except subprocess.CalledProcessError as error:
        reason = failure(error)
    except GitError as error:
        reason = str(error)
    return JobResult(worker=str(worker.name), seconds=time.monotonic() - start, bundle=made, reason=reason)


def comparable(found: Mapping[str, Any]) -> dict[str, str]:
    """Return from Dask's report on a machine the versions that results depend on.

    Python 3.11 for 3.11.4, torch 2.11.0 for 2.11.0+cpu, "" for a missing package.
    """
    packages = {name: str(version or "").partition("+")[0] for name, version in found["packages"].items()}
    return {**packages, "python": ".".join(found["host"]["python"].split(".")[:2])}


def different_versions(versions: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return in one line which versions of a machine differ from the driver's; "" where none does."""
    different = [
        f"{name} {found.get(name) or 'missing'} (the driver: {version or 'none'})"
        for name, version in versions.items()
        if (found.get(name) or "") != version
    ]
    return f"another environment than the driver's: {', '.join(different)}" if different else ""


@contextmanager
def locked_clone(folder: Path) -> Iterator[tuple[Path, int]]:
    """Lock the first free clone in `folder`, and yield its path and the lock's file descriptor.

    A command that inherits the descriptor keeps the clone locked while it lives, even when its worker was killed.
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
    """Check the commit out and pull what was pushed of its data; ignored files stay: DVC's cache, checkpoints."""
    from dvc.config import Config  # late, or the driver would wait for DVC before it reads its arguments

    used, project = clone.exists(), clone / prefix
    clone.mkdir(exist_ok=True)
    # Deleted, because a killed job may have left locks, refs, half an experiment or half a dvc.lock.
    for left in (clone / ".git", project / ".dvc/tmp"):
        shutil.rmtree(left, ignore_errors=True)
    git("init", "--quiet", folder=clone)
    git("fetch", "--quiet", str(bundle), "HEAD", folder=clone)
    git("checkout", "--quiet", "--force", "--detach", head, folder=clone)
    git("clean", "--quiet", "--force", "-d", folder=clone)
    options = {key: value for key, value in remote.items() if key != "name"}
    config: Any = Config(dvc_dir=str(project / ".dvc"), validate=False)
    with config.edit("local") as local:
        local.setdefault("core", {})["remote"] = remote["name"]
        local.setdefault("remote", {}).setdefault(remote["name"], {}).update(options)
    # All at once, as `dvc exp run --pull` pulls stage by stage: slow for everything, right for what another job adds.
    dvc("checkout" if used else "pull", "--force", "--quiet", "--allow-missing", folder=project)


def experiment(
    project: Path, head: str, name: str, settings: Sequence[str], environment: Mapping[str, str], lock: int
) -> bytes:
    """Run the experiment, push its data even when a later stage fails, and return it as a git bundle."""
    changes = [argument for setting in settings for argument in ("--set-param", setting)]
    command = (sys.executable, "-m", "dvc", "exp", "run", "--pull", "--name", name, *changes)
    try:
        run(*command, folder=project, environment=environment, keep_open=[lock])
    finally:
        run(sys.executable, "-c", PUSH, folder=project)
    if "MLFLOW_TRACKING_URI" in environment:
        # The stage `record` gave the server two seconds. What is missing goes now or, if it is down, with the next job.
        with suppress(subprocess.CalledProcessError):
            run(sys.executable, "-m", "study.tracking.sync", folder=project, environment=environment)
    bundle = project / ".dvc/tmp/experiment.bundle"
    git("bundle", "create", "--quiet", str(bundle), reference(head, name), f"^{head}", folder=project)
    return bundle.read_bytes()


def reference(head: str, name: str) -> str:
    """Return the git reference in which DVC keeps an experiment."""
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"
