"""Open mlflow.db, the project's own MLflow database, and clients of servers.

MLflow records absolute paths of artifacts: those of a project folder that was renamed, moved or copied are rewritten.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from filelock import FileLock

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Every column of MLflow's database that may name a file of the project.
_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_BUSY = 60.0  # seconds to wait for another process that writes
LOCK_SECONDS = 120.0  # to wait for another process that opens the database
# MLflow's pages for training, in place of those for chat.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}


def connect(uri: str) -> "MlflowClient":
    """Client that reports a dead server within seconds, in place of MLflow's four minutes of retries."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    return MlflowClient(uri)


@contextmanager
def open_database(root: Path) -> Iterator["MlflowClient"]:
    """Client of `root/mlflow.db`, created or relocated first; one process at a time is in the block.

    Several processes that create the database at once would crash, and would create the same run twice.
    """
    with FileLock(root / "mlflow.db.lock", timeout=LOCK_SECONDS):
        follow_folder(root)
        client = connect(database_uri(root / "mlflow.db"))
        client.search_experiments(max_results=1)  # creates the tables
        yield client


def experiment_id(client: "MlflowClient", name: str, artifacts: Path | None) -> str:
    """Id of an experiment, created if need be; artifacts: their folder, None for the server's own."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    return client.create_experiment(name, artifacts.as_uri() if artifacts else None, tags=_EXPERIMENT_TAGS)


def reason(error: Exception) -> str:
    """MLflow's message in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def database_uri(file: Path) -> str:
    """URI of an SQLite file, valid while this process stays in its folder."""
    # SQLAlchemy unquotes the path and MLflow does not, so a path that would have to be quoted is given from here.
    path = os.path.relpath(file) if set("%?") & set(str(file)) else file
    return f"sqlite:///{path}"


def local_path(uri: str) -> Path:
    """Path of a file: URI."""
    return Path(unquote(urlsplit(uri).path))


def follow_folder(root: Path) -> None:
    """Rewrite `root/mlflow.db`, if it exists, to name the artifacts in `root/mlartifacts`.

    If the project's experiments name another folder, the beginning of each path in that folder is replaced, all in one
    transaction.

    Args:
        root: the project's folder, absolute.

    Raises:
        sqlite3.Error: the database is damaged or can't be written, or was busy for a minute.
    """
    file, artifacts = root / "mlflow.db", root / "mlartifacts"
    if not file.exists():
        return
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=_BUSY)) as database:
        if not _elsewhere(database, artifacts):
            return
        with database:
            database.execute("BEGIN IMMEDIATE")
            for old in _elsewhere(database, artifacts):  # asked again: another process may have been faster
                _rewrite(database, old.parent.as_uri(), root.as_uri())
                _rewrite(database, str(old.parent), str(root))


def _elsewhere(database: sqlite3.Connection, artifacts: Path) -> list[Path]:
    """Other folders in which experiments of this project keep their artifacts."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
        return []  # MLflow is just making it
    known = database.execute(
        "SELECT DISTINCT artifact_location FROM experiments WHERE name LIKE 'bsn-%' AND artifact_location LIKE 'file:%'"
    )
    places = [local_path(location) for (location,) in known]
    return [place for place in places if place.name == artifacts.name and place != artifacts]


def _rewrite(database: sqlite3.Connection, old: str, new: str) -> None:
    for table, column in _LOCATIONS:
        database.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, length(?) + 1) "
            f"WHERE {column} = ? OR substr({column}, 1, length(?) + 1) = ? || '/'",
            (new, old, old, old, old),
        )
