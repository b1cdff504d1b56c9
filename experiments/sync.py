"""Log to MLflow what no stage has logged, then copy all runs to the server: `make sync`; `make ui` runs it first.

What no stage logs are experiments that DVC took whole from its cache or that came from another machine, and the
committed study of a fresh clone. The server is MLFLOW_TRACKING_URI, if that is set.
"""

import re
import sys
import tarfile
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bsn.errors import InputError
from study.git import GitError, git, head
from study.params import load
from study.provenance import Origin
from study.runner import checkout, run_stage
from study.tracking.database import connect, open_database, reason
from study.tracking.recording import RESULTS_TAG, record_study, results_hash
from study.tracking.runs import EXPERIMENT_TAG, end_lost_runs, study_run
from study.tracking.sync import all_runs, copy_runs, target, without_password

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Where DVC keeps its experiments: refs/exps/<commit that they start from, in two parts>/<name>.
_EXPERIMENT = re.compile(r"(\w+) refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)")
_STUDY = ("params.yaml", "profiles", "dvc.lock", "metrics", "reports")

UI = "http://127.0.0.1:5000"  # of `make ui`


def sync() -> None:
    """Record every experiment and the checked-out commit, copy all runs, and print what was done."""
    warnings.simplefilter("ignore")  # MLflow's own, which PYTHONWARNINGS may have made errors
    root = checkout()
    try:
        with open_database(root) as client:
            for experiment in client.search_experiments():
                end_lost_runs(client, experiment.experiment_id)
            known = _known(client)
    except Exception as error:  # whatever MLflow, the database and the disk raise
        sys.exit(f"sync: {root / 'mlflow.db'} can't be opened ({reason(error)})")
    uri = target(root)
    if uri is not None:
        try:
            known |= _known(connect(uri))
        except Exception as error:  # whatever keeps the server from answering
            address = without_password(uri)
            sys.exit(f"sync: MLflow at {address} does not answer ({reason(error)}); the runs stay in mlflow.db")
    try:
        revisions = _revisions()
    except GitError as error:
        print(f"sync: experiments and the committed results were not logged: {error}")
        revisions = []
    added = sum(_record(origin, revision, known) for origin, revision in revisions)
    print(f"sync: studies newly logged to mlflow.db: {added}")
    site, shown = UI, client
    if uri is not None:
        shown = _copy(client, root, uri)
        site = uri.rstrip("/") if uri.startswith("http") else UI
    for experiment in shown.search_experiments(filter_string="name LIKE 'bsn-%'"):
        # MLflow's own first page is another one, and empty.
        print(f"sync: runs of {experiment.name}: {site}/#/experiments/{experiment.experiment_id}/runs")


def _copy(client: "MlflowClient", root: Path, uri: str) -> "MlflowClient":
    """Copy all runs; the target's client."""
    address = without_password(uri)
    try:
        copied = copy_runs(client, root, uri)
    except Exception as error:  # as above
        sys.exit(f"sync: MLflow at {address} does not answer ({reason(error)}); the runs stay in mlflow.db")
    print(f"sync: runs copied to {address}: {copied.runs}")
    if copied.failed:
        sys.exit("\n".join(f"sync: refused by {address}: {line}" for line in copied.failed))
    return copied.client


def _known(client: "MlflowClient") -> set[tuple[str, str] | str]:
    """Key of each finished study, and its (DVC's name, results): a commit may hold what was made before it."""
    known: set[tuple[str, str] | str] = set()
    for experiment in client.search_experiments(filter_string="name LIKE 'bsn-%'"):
        for run in all_runs(client, experiment.experiment_id, "tags.kind = 'study'"):
            if run.info.status == "FINISHED":
                tags = run.data.tags
                known |= {tags["study"], (tags.get(EXPERIMENT_TAG, ""), tags.get(RESULTS_TAG, ""))}
    return known


def _revisions() -> list[tuple[Origin, str]]:
    """DVC's experiments, and the commit that is checked out. Raises GitError."""
    commit = head(Path())
    found = []
    for line in git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps", folder=Path()).splitlines():
        if match := _EXPERIMENT.fullmatch(line):
            revision, start, rest, name = match.groups()
            found.append((Origin(experiment=name, commit=start + rest), revision))
    return [*found, (Origin(experiment="", commit=commit), commit)]


def _record(origin: Origin, revision: str, known: set[tuple[str, str] | str]) -> bool:
    """Record the revision's study in mlflow.db, unless it is there."""
    with TemporaryDirectory() as work:
        folder = Path(work)
        try:
            _unpack(revision, folder)
            params = load(folder)
        except InputError as error:
            line = str(error).splitlines()[0]
            print(
                f"sync: {origin.title} at {revision[:10]} is skipped: this version of the code cannot read it: {line}"
            )
            return False
        spec = study_run(params, origin, folder=folder)
        if known & {spec.study, (origin.experiment, results_hash(spec.params, folder))}:
            return False
        record_study(spec, folder)
    return True


def _unpack(revision: str, folder: Path) -> None:
    archive = folder / "study.tar"
    git("archive", "--output", str(archive), revision, *_STUDY, folder=Path())
    with tarfile.open(archive) as members:
        members.extractall(folder, filter="data")


if __name__ == "__main__":
    run_stage(sync, again="what was done is kept; run the same command again")
