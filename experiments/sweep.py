"""A sweep over several machines: every point is a `dvc exp run` on a worker, and ends as an experiment of this clone.

    dask scheduler                                                    # on any machine
    dask worker tcp://host:8786 --nthreads 1                          # on each, in the project's environment
    python -m experiments.sweep --scheduler tcp://host:8786 -S kernel.width=5,10,15 -S seed=1,2

Dask's workers need a TCP connection and nothing else, start by dask-ssh or by dask-jobqueue (Slurm, PBS, LSF), and the
job of one that dies goes to another; submitit asks for Slurm and a shared file system, Ray for a heavier cluster.

Workers share with this machine the DVC remote, the MLflow server of MLFLOW_TRACKING_URI and the connection to Dask.
The code goes as a git bundle of HEAD, the experiments come back as bundles. Credentials stay where they are: each
worker has its own, as for any `dvc pull`.
"""

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
from experiments.repro import mend
from study.git import changed, git
from study.runner import run_stage

# Of a remote's options those that say where it is. What tells who one is stays with each machine.
PLACE = ("url", "endpointurl", "region", "user", "port", "use_ssl", "ssl_verify", "version_aware")
PARAMS = "params.yaml"
PATIENCE = "10s"  # with a scheduler that does not answer


@dataclass(frozen=True, kw_only=True)
class Point:
    """One experiment of the sweep. settings: of `dvc exp run --set-param`."""

    name: str
    settings: Sequence[str]

    def __str__(self) -> str:
        return f"{self.name} ({' '.join(self.settings)})"


def sweep(root: Path, *, scheduler: str, settings: Sequence[str], prefix: str | None = None) -> int:
    """Run all points of the sweep, and fetch each as it ends. root: of the clone. Returns how many failed.

    InputError: for whatever would keep every job from working.
    """
    for line in mend(root):
        print(f"sweep: {line}", flush=True)
    head = committed(root)
    remote = shared_remote(root)
    points = expand(settings, prefix)
    for point in points:
        if git("for-each-ref", job.reference(head, point.name), folder=root):
            raise InputError(f"{point.name} is an experiment of this commit already; give another --name, or remove it")
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        print("MLFLOW_TRACKING_URI is not set: each worker's runs stay in a database of its own", flush=True)
    share_data(root)
    ahead = unfinished(root)
    if ahead:
        print("HEAD has stages that were never run: one job goes ahead, the others take them from it", flush=True)
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
        failed = collect(root, head, client, points, common, ahead=ahead)
    missing = {point.name for point, _, _ in failed}
    bring_data(root, [job.reference(head, point.name) for point in points if point.name not in missing])
    print(f"\n{len(points) - len(failed)} of {len(points)} experiments are here: dvc exp show, dvc exp apply NAME")
    for point, worker, reason in failed:
        print(f"\n{point} failed on {worker}:", *reason.splitlines(), sep="\n    ")
    return len(failed)


def committed(root: Path) -> str:
    """HEAD, which is what all workers run."""
    commit, different = study.git.head(root), changed(root, untracked=True)
    if different:
        names = ", ".join(different[:5])
        more = f" and {len(different) - 5} more" if len(different) > 5 else ""
        raise InputError(f"uncommitted: {names}{more}; workers run a commit, so commit or stash what you changed")
    return commit


def shared_remote(root: Path) -> dict[str, str]:
    """The default DVC remote as a worker needs it: its name and where it is."""
    options = dict(line.split("=", 1) for line in dvc("config", "--list", folder=root).splitlines() if "=" in line)
    name = options.get("core.remote")
    url = options.get(f"remote.{name}.url", "")
    if not url:
        raise InputError(
            "no default DVC remote, through which machines share data; "
            "add one: dvc remote add --default storage s3://BUCKET/FOLDER"
        )
    # As it is written: DVC itself shows a relative folder as an absolute one.
    for file in (".dvc/config", ".dvc/config.local"):
        written = ConfigObj(str(root / file)).get(f'remote "{name}"', {}).get("url", url)
        if "://" not in written and not Path(written).is_absolute():
            raise InputError(
                f"remote {name} is {written}, beside this clone, which workers do not see; "
                "name a server, or a shared folder from /"
            )
    if urlsplit(url).password:
        raise InputError(f"the url of remote {name} holds a password; keep it in .dvc/config.local, on each machine")
    found = {key: options[f"remote.{name}.{key}"] for key in PLACE if f"remote.{name}.{key}" in options}
    return {"name": str(name), **found}


def expand(settings: Sequence[str], prefix: str | None) -> list[Point]:
    """Every combination, in the syntax of `dvc exp run --queue`: commas, range(5,20,5), choice(a,b)."""
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


def share_data(root: Path) -> None:
    try:
        dvc("push", "--quiet", folder=root)
    except subprocess.CalledProcessError as error:
        raise InputError(f"dvc push does not work here, and would not on a worker: {one_line(error)}") from error


def unfinished(root: Path) -> bool:
    """Whether HEAD itself has stages to run, which each job would have as well."""
    try:
        planned = dvc("repro", "--dry", "--allow-missing", folder=root)
    except subprocess.CalledProcessError as error:
        # A dry run ends at the first stage whose input is yet to be made; what it said before is enough.
        planned = error.stdout
    return "Running stage" in planned


@contextmanager
def connected(scheduler: str, root: Path) -> Iterator[tuple[Client, dict[str, str], str]]:
    """Dask, the versions that a worker must have, and the name of the code's bundle in the folder of every worker,
    those that come later included."""
    versions = job.comparable(get_versions(requirements(root)))
    for module in (bsn.errors, study.git, commands, job):
        cloudpickle.register_pickle_by_value(module)
    # It prints a traceback of a wait that is interrupted before it has begun.
    logging.getLogger("tornado.application").disabled = True
    try:
        with warnings.catch_warnings():
            # Told below, in a line.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {scheduler}; start one there: dask scheduler") from error
    with client, TemporaryDirectory() as folder:
        if not client.scheduler_info()["workers"]:
            print(f"waiting for a worker: dask worker {scheduler} --nthreads 1", flush=True)
            client.wait_for_workers(1)
        same_environment(client, versions)
        bundle = Path(folder) / f"{Path(folder).name}.bundle"
        git("bundle", "create", "--quiet", str(bundle), "HEAD", folder=root)
        client.register_plugin(UploadFile(str(bundle), load=False), name=bundle.name)
        try:
            yield client, versions, bundle.name
        finally:
            client.unregister_worker_plugin(bundle.name)


def requirements(root: Path) -> list[str]:
    """Names of the packages in requirements.txt, beside DVC, which every project here has."""
    file = root / "requirements.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return ["dvc", *(Requirement(line).name for line in lines if line and not line.startswith("#"))]


def same_environment(client: Client, versions: Mapping[str, str]) -> None:
    for address, found in client.get_versions(packages=list(versions))["workers"].items():
        told = job.unlike(versions, job.comparable(found))
        if told:
            raise InputError(f"worker {address}: {told}; install requirements.txt with constraints.txt there")


def collect(
    root: Path, head: str, client: Client, points: Sequence[Point], common: Mapping[str, Any], *, ahead: bool
) -> list[tuple[Point, str, str]]:
    """Hand out the points and take each experiment in as it ends; those that failed, with worker and reason.

    ahead: points go one by one until one has worked, as the others start from what it pushed.
    """
    waiting, running, failed = list(points), {}, []
    run_job = job.run_job

    # Dask would send run_job as a name to import, which workers cannot; a function within a function it sends whole.
    def experiment(**arguments: Any) -> dict[str, Any]:
        return run_job(**arguments)

    def submit(number: int) -> list[Future]:
        started = []
        for point in waiting[:number]:
            future = client.submit(experiment, name=point.name, settings=list(point.settings), pure=False, **common)
            running[future] = point
            started.append(future)
        del waiting[:number]
        return started

    ending = as_completed(submit(1 if ahead else len(points)))
    for future in ending:
        point, result = running.pop(future), outcome(future)
        worker, took = result["worker"], f"{result['seconds']:.0f} s"
        if result["bundle"] is None:
            failed.append((point, worker, result["why"]))
            print(f"{point}: failed on {worker} after {took}", flush=True)
        else:
            take_in(root, job.reference(head, point.name), result["bundle"])
            print(f"{point}: done on {worker} in {took}", flush=True)
        if waiting:
            for started in submit(1 if result["bundle"] is None else len(waiting)):
                ending.add(started)
    return failed


def outcome(future: Future) -> dict[str, Any]:
    """What the job returned; of one that could not return, the reason."""
    error = future.exception()
    if error is None:
        return future.result()
    worker = str(error.last_worker.name) if isinstance(error, KilledWorker) else "its worker"
    reason = " ".join(str(error).split())
    return {"worker": worker, "seconds": 0.0, "bundle": None, "why": f"{type(error).__name__}: {reason}"}


def take_in(root: Path, reference: str, bundle: bytes) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "experiment.bundle"
        file.write_bytes(bundle)
        git("fetch", "--quiet", str(file), f"{reference}:{reference}", folder=root)


def bring_data(root: Path, references: Sequence[str]) -> None:
    """What the experiments have that this clone has not, as `dvc exp pull` brings it: `dvc exp apply` needs it."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    if not references:
        return
    try:
        with Repo(str(root)) as repo:
            repo.fetch(revs=[git("rev-parse", reference, folder=root).strip() for reference in references])
    except DvcException as error:
        print(f"the experiments' data stay in the remote ({error}): dvc exp apply NAME, and dvc pull", flush=True)


def main(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.sweep", description=__doc__.splitlines()[0])
    parser.add_argument("--scheduler", required=True, help="of Dask: tcp://host:8786")
    parser.add_argument("-S", "--set-param", action="append", required=True, metavar="PARAM=VALUES", dest="settings")
    parser.add_argument("-n", "--name", metavar="PREFIX", help="experiments are PREFIX-1, PREFIX-2, ...")
    asked = parser.parse_args(arguments)
    try:
        failed = sweep(Path.cwd(), scheduler=asked.scheduler, settings=asked.settings, prefix=asked.name)
    except subprocess.CalledProcessError as error:
        raise InputError(f"{' '.join(error.cmd[-3:])}: {one_line(error)}") from error
    return 1 if failed else 0


if __name__ == "__main__":
    run_stage(main, name="sweep", again="what is done is here (dvc exp show); run it again for the other points")
