"""MLflow's pages brought up to what is here: `make sync`, and `make ui` before it opens them.

Sends what a server missed (study.tracking), and tells of what no stage could tell: experiments that DVC took whole from
its cache or fetched from another machine, and the committed study of a fresh clone.
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
from study.runner import run_stage
from study.tracking import send_all, waiting
from study.tracking.metrics import RESULTS_TAG, post_study, results
from study.tracking.outbox import connect, reason
from study.tracking.stages import EXPERIMENT_TAG, Origin, store, study

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Where DVC keeps its experiments: refs/exps/<commit that they start from, in two parts>/<name>.
_EXPERIMENT = re.compile(r"(\w+) refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)")
_STUDY = ("params.yaml", "profiles", "dvc.lock", "metrics", "reports")

UI = "http://127.0.0.1:5000"  # of `make ui`


def sync() -> None:
    """Tell MLflow of every experiment and of the commit that is checked out, send what waits, and say what was done."""
    warnings.simplefilter("ignore")  # MLflow's own, which PYTHONWARNINGS may have made errors
    place = store("")
    try:
        client = connect(place.uri)
        told = _told(client)
    # Whatever keeps MLflow from answering, and that is anything.
    except Exception as error:
        sys.exit(f"sync: MLflow at {place.address} does not answer ({reason(error)}); what waits for it is kept")
    try:
        revisions = _revisions()
    except GitError as error:
        print(f"sync: DVC's experiments and the committed study stay unknown to MLflow: {error}")
        revisions = []
    added = sum(_tell(origin, revision, told) for origin, revision in revisions)
    sent = send_all(place.outbox, place.uri)
    print(f"sync: told {place.address} of {added} of DVC's studies; runs sent: {sent.runs}")
    site = place.uri.rstrip("/") if place.uri.startswith("http") else UI
    for shown in client.search_experiments(filter_string="name LIKE 'bsn-%'"):
        # MLflow's own first page is another one, and empty.
        print(f"sync: runs of {shown.name}: {site}/#/experiments/{shown.experiment_id}/runs")
    for address, runs in waiting(place.outbox).items():
        if address != place.address:
            print(f"sync: runs for another server: {runs}; to send them: MLFLOW_TRACKING_URI={address} make sync")
    if sent.failed:
        sys.exit("\n".join(f"sync: not taken: {line}" for line in sent.failed))


def _told(client: "MlflowClient") -> set[tuple[str, str] | str]:
    """Of each study that MLflow has, its key, and (DVC's name, results): a commit may hold what was made before it."""
    experiments = [found.experiment_id for found in client.search_experiments(filter_string="name LIKE 'bsn-%'")]
    told, page = set(), None
    while experiments:
        runs = client.search_runs(experiments, "tags.kind = 'study'", page_token=page)
        for tags in (run.data.tags for run in runs if run.info.status == "FINISHED"):
            told |= {tags["study"], (tags.get(EXPERIMENT_TAG, ""), tags.get(RESULTS_TAG, ""))}
        page = runs.token
        if not page:
            break
    return told


def _revisions() -> list[tuple[Origin, str]]:
    """DVC's experiments, and the commit that is checked out. Raises GitError."""
    commit = head(Path())
    found = []
    for line in git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps", folder=Path()).splitlines():
        if match := _EXPERIMENT.fullmatch(line):
            revision, start, rest, name = match.groups()
            found.append((Origin(experiment=name, commit=start + rest), revision))
    return [*found, (Origin(experiment="", commit=commit), commit)]


def _tell(origin: Origin, revision: str, told: set[tuple[str, str] | str]) -> bool:
    """Put the revision's study into the outbox, unless MLflow has it."""
    with TemporaryDirectory() as work:
        folder = Path(work)
        try:
            _unpack(revision, folder)
            params = load(folder)
        except InputError as error:
            line = str(error).splitlines()[0]
            print(f"sync: {origin.title} at {revision[:10]} is left out, for it is not of this code: {line}")
            return False
        whole = study(params, origin, folder=folder)
        if told & {whole.study, (origin.experiment, results(whole.params, folder))}:
            return False
        post_study(store(params.profile), whole, folder)
    return True


def _unpack(revision: str, folder: Path) -> None:
    archive = folder / "study.tar"
    git("archive", "--output", str(archive), revision, *_STUDY, folder=Path())
    with tarfile.open(archive) as members:
        members.extractall(folder, filter="data")


if __name__ == "__main__":
    run_stage(sync, again="what waits is kept; run the same command again")
