"""python -m experiments.sweep --scheduler tcp://HOST:8786 -S PARAM=VALUES...: run experiments on several machines.

    dask scheduler                                                    # on any machine
    dask worker tcp://host:8786 --nthreads 1                          # on each, in the project's environment
    python -m experiments.sweep --scheduler tcp://host:8786 -S kernel.width=5,10,15 -S seed=1,2

Every point is a `dvc exp run` on a worker and ends as an experiment of this clone. The code goes out as a git bundle of
HEAD, the experiments come back as bundles. Workers share with this machine the DVC remote, the MLflow server of
MLFLOW_TRACKING_URI and the connection to Dask; each has its own credentials.
"""

# Why Dask: workers need one TCP connection, also start by dask-ssh or dask-jobqueue (Slurm, PBS, LSF), and the job of a
# worker that dies goes to another. submitit needs Slurm and a shared file system, Ray a heavier cluster.

import argparse
import logging
import os
import subprocess
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import cloudpickle
from configobj import ConfigObj
from distributed import Client, Future, KilledWorker, as_completed
from distributed.diagnostics.plugin import UploadFile
from distributed.versions import VersionMismatchWarning, get_versions
from packaging.requirements import Requirement

import bsn.errors
import study.git
from bsn.errors import InputError
from experiments import commands, job
from experiments.commands import dvc, one_line
from experiments.repro import repair
from study.git import changed, git
from study.runner import run_stage

# Options of a remote that say where it is; those with credentials stay on each machine.
LOCATION = ("url", "endpointurl", "region", "user", "port", "use_ssl", "ssl_verify", "version_aware")
PARAMS = "params.yaml"
TIMEOUT = "10s"  # for the scheduler to answer


@dataclass(frozen=True, kw_only=True)
class Point:
    """One experiment of the sweep; `settings` are values of `dvc exp run --set-param`."""

    name: str
    settings: Sequence[str]

    def __str__(self) -> str:
        return f"{self.name} ({' '.join(self.settings)})"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A point whose job failed, on which worker, and why."""

    point: Point
    worker: str
    reason: str


def sweep(root: Path, *, scheduler: str, settings: Sequence[str], prefix: str | None = None) -> int:
    """Run all points of the sweep, import each as it ends, and print what failed.

    Args:
        root: the project's folder.
        scheduler: address of the Dask scheduler.
        settings: values of `-S`, in DVC's syntax.
        prefix: names the experiments PREFIX-1, PREFIX-2, ...; without it DVC's random names.

    Returns:
        The number of failed points.

    Raises:
        InputError: something would make every job fail.
    """
    for line in repair(root):
        print(f"sweep: {line}", flush=True)
    head = head_commit(root)
    remote = shared_remote(root)
    points = expand(settings, prefix)
    for point in points:
        if git("for-each-ref", job.reference(head, point.name), folder=root):
            raise InputError(f"{point.name} is an experiment of this commit already; give another --name, or remove it")
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        print("MLFLOW_TRACKING_URI is not set: each worker records its runs in its own database", flush=True)
    push_data(root)
    one_first = has_unfinished_stages(root)
    if one_first:
        print("HEAD has stages that were never run: one job runs them first, the others reuse its results", flush=True)
    with connected(scheduler, root) as (client, versions, bundle):
        common = {
            "project": git("rev-list", "--max-parents=0", "HEAD", folder=root).split()[-1][:10],
            "prefix": git("rev-parse", "--show-prefix", folder=root).removesuffix("\n"),
            "head": head,
            "bundle": bundle,
            "remote": remote,
            "environment": {key: os.environ[key] for key in ("MLFLOW_TRACKING_URI",) if os.environ.get(key)},
            "versions": versions,
        }
        failures = run_points(root, head, client, points, common, one_first=one_first)
    failed = {failure.point.name for failure in failures}
    fetch_data(root, [job.reference(head, point.name) for point in points if point.name not in failed])
    print(f"\n{len(points) - len(failed)} of {len(points)} experiments are here: dvc exp show, dvc exp apply NAME")
    for failure in failures:
        print(f"\n{failure.point} failed on {failure.worker}:", *failure.reason.splitlines(), sep="\n    ")
    return len(failed)


def head_commit(root: Path) -> str:
    """Return HEAD, which all workers run.

    Raises:
        InputError: files differ from it.
    """
    commit, different = study.git.head(root), changed(root, untracked=True)
    if different:
        names = ", ".join(different[:5])
        more = f" and {len(different) - 5} more" if len(different) > 5 else ""
        raise InputError(f"uncommitted: {names}{more}; workers run a commit, so commit or stash the changes")
    return commit


def shared_remote(root: Path) -> dict[str, str]:
    """Return the default DVC remote's name and location, without credentials.

    Raises:
        InputError: there is none, workers cannot reach it, or its address holds a password.
    """
    options = dict(line.split("=", 1) for line in dvc("config", "--list", folder=root).splitlines() if "=" in line)
    name = options.get("core.remote")
    url = options.get(f"remote.{name}.url", "")
    if not url:
        raise InputError(
            "no default DVC remote, which machines need to share data; "
            "add one: dvc remote add --default storage s3://BUCKET/FOLDER"
        )
    # Read from the files, as `dvc config` shows a relative folder as an absolute one.
    for file in (".dvc/config", ".dvc/config.local"):
        config: Any = ConfigObj(str(root / file))
        written = config.get(f'remote "{name}"', {}).get("url", url)
        if "://" not in written and not Path(written).is_absolute():
            raise InputError(
                f"remote {name} is {written}, relative to this clone, which workers do not have; "
                "name a server, or the absolute path of a shared folder"
            )
    if urlsplit(url).password:
        raise InputError(f"the url of remote {name} holds a password; keep it in .dvc/config.local on each machine")
    found = {key: options[f"remote.{name}.{key}"] for key in LOCATION if f"remote.{name}.{key}" in options}
    return {"name": str(name), **found}


def expand(settings: Sequence[str], prefix: str | None) -> list[Point]:
    """Return every combination of settings in the syntax of `dvc exp run --queue`: commas, range(5,20,5), choice(a,b).

    Raises:
        InputError: the syntax is wrong.
    """
    # late: DVC and hydra take a second to load
    from dvc.exceptions import DvcException
    from dvc.repo.experiments.utils import gen_random_name
    from dvc.utils.cli_parse import to_path_overrides
    from dvc.utils.hydra import get_hydra_sweeps
    from hydra.errors import HydraException

    try:
        combinations = get_hydra_sweeps(to_path_overrides(settings))
    except (DvcException, HydraException, ValueError) as error:
        raise InputError(f"-S {' -S '.join(settings)}: {' '.join(str(error).split())}") from error
    points = []
    for number, combination in enumerate(combinations, 1):
        changes = [
            change if file == PARAMS else f"{file}:{change}" for file, part in combination.items() for change in part
        ]
        points.append(Point(name=f"{prefix}-{number}" if prefix else gen_random_name(), settings=changes))
    return points


def push_data(root: Path) -> None:
    """Push the commit's data, which workers pull."""
    try:
        dvc("push", "--quiet", folder=root)
    except subprocess.CalledProcessError as error:
        raise InputError(f"dvc push failed here, and would on a worker: {one_line(error)}") from error


def has_unfinished_stages(root: Path) -> bool:
    """Return whether HEAD itself has stages to run, which every job would run again."""
    try:
        planned = dvc("repro", "--dry", "--allow-missing", folder=root)
    except subprocess.CalledProcessError as error:
        # A dry run fails at the first stage whose input does not exist yet; its output until then is enough.
        planned = error.stdout
    return "Running stage" in planned


@contextmanager
def connected(scheduler: str, root: Path) -> Iterator[tuple[Client, dict[str, str], str]]:
    """Connect to Dask and send the code to all workers, present and future.

    Yields:
        The client, the versions that a worker must have, and the file name of the git bundle in a worker's folder.

    Raises:
        InputError: no scheduler answers, or a worker has other versions.
    """
    versions = job.comparable(get_versions(requirements(root)))
    for module in (bsn.errors, study.git, commands, job):
        cloudpickle.register_pickle_by_value(module)
    # Tornado would print a traceback for a wait that is interrupted before it starts.
    logging.getLogger("tornado.application").disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # check_versions reports it in one line
            client = Client(scheduler, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {scheduler}; start one there: dask scheduler") from error
    with client, TemporaryDirectory() as folder:
        if not client.scheduler_info()["workers"]:
            print(f"waiting for a worker: dask worker {scheduler} --nthreads 1", flush=True)
            client.wait_for_workers(1)
        check_versions(client, versions)
        bundle = Path(folder) / f"{Path(folder).name}.bundle"
        git("bundle", "create", "--quiet", str(bundle), "HEAD", folder=root)
        client.register_plugin(UploadFile(str(bundle), load=False), name=bundle.name)
        try:
            yield client, versions, bundle.name
        finally:
            client.unregister_worker_plugin(bundle.name)


def requirements(root: Path) -> list[str]:
    """Return the names of the packages in requirements.txt, and DVC."""
    file = root / "requirements.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return ["dvc", *(Requirement(line).name for line in lines if line and not line.startswith("#"))]


def check_versions(client: Client, versions: Mapping[str, str]) -> None:
    """Raise InputError where a worker has other versions."""
    machines: Any = client.get_versions(packages=list(versions))
    for address, found in machines["workers"].items():
        if different := job.different_versions(versions, job.comparable(found)):
            raise InputError(f"worker {address}: {different}; install requirements.txt with constraints.txt there")


def run_points(
    root: Path, head: str, client: Client, points: Sequence[Point], common: Mapping[str, Any], *, one_first: bool
) -> list[Failure]:
    """Submit the points and import each experiment as it ends.

    Args:
        root: the project's folder.
        head: the commit.
        client: connection to Dask.
        points: what to run.
        common: arguments of `job.run_job` that all points share.
        one_first: run points one at a time until one succeeds; the others start from what it has pushed.
    """
    waiting, running, failures = list(points), {}, []
    run_job = job.run_job

    # Dask sends a module's function by name, which workers cannot import, but a nested function by value.
    def experiment(**arguments: Any) -> job.JobResult:
        return run_job(**arguments)

    def submit(number: int) -> list[Future]:
        started = []
        for point in waiting[:number]:
            future = client.submit(experiment, name=point.name, settings=list(point.settings), pure=False, **common)
            running[future] = point
            started.append(future)
        del waiting[:number]
        return started

    ending = as_completed(submit(1 if one_first else len(points)))
    for future in ending:
        point, result = running.pop(future), result_of(future)
        if result.bundle is None:
            failures.append(Failure(point=point, worker=result.worker, reason=result.reason))
            print(f"{point}: failed on {result.worker} after {result.seconds:.0f} s", flush=True)
        else:
            import_experiment(root, job.reference(head, point.name), result.bundle)
            print(f"{point}: done on {result.worker} in {result.seconds:.0f} s", flush=True)
        if waiting:
            for started in submit(1 if result.bundle is None else len(waiting)):
                ending.add(started)
    return failures


def result_of(future: Future) -> job.JobResult:
    """Return the job's result; for a job that could not return one, the reason."""
    error = future.exception()
    if error is None:
        return future.result()
    worker = str(error.last_worker.name) if isinstance(error, KilledWorker) else "its worker"
    return job.JobResult(worker=worker, reason=f"{type(error).__name__}: {' '.join(str(error).split())}")


def import_experiment(root: Path, reference: str, bundle: bytes) -> None:
    """Fetch an experiment from a git bundle into this clone."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "experiment.bundle"
        file.write_bytes(bundle)
        git("fetch", "--quiet", str(file), f"{reference}:{reference}", folder=root)


def fetch_data(root: Path, references: Sequence[str]) -> None:
    """Fetch the experiments' data from the remote, which `dvc exp apply` needs."""
    # late, as above
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    if not references:
        return
    try:
        with Repo(str(root)) as repo:
            repo.fetch(revs=[git("rev-parse", reference, folder=root).strip() for reference in references])
    except DvcException as error:
        print(f"the experiments' data are in the remote alone ({error}): dvc exp apply NAME, then dvc pull", flush=True)


def main(*arguments: str) -> int:
    """Run the sweep of the command line; returns 1 where a point failed."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.sweep", description="Run experiments on several machines by Dask."
    )
    parser.add_argument("--scheduler", required=True, help="address of the Dask scheduler: tcp://host:8786")
    parser.add_argument(
        "-S",
        "--set-param",
        action="append",
        required=True,
        metavar="PARAM=VALUES",
        dest="settings",
        help="as of dvc exp run: kernel.width=5,10,15 is three points",
    )
    parser.add_argument("-n", "--name", metavar="PREFIX", help="experiments are PREFIX-1, PREFIX-2, ...")
    asked = parser.parse_args(arguments)
    try:
        failed = sweep(Path.cwd(), scheduler=asked.scheduler, settings=asked.settings, prefix=asked.name)
    except subprocess.CalledProcessError as error:
        raise InputError(f"{' '.join(error.cmd[-3:])}: {one_line(error)}") from error
    return 1 if failed else 0


if __name__ == "__main__":
    run_stage(main, name="sweep", again="what is done is here (dvc exp show); run it again for the other points")
