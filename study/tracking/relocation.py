"""Follow a project folder that was renamed, moved or copied: MLflow records artifact paths as absolute ones."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Every column of MLflow's database that may name a file of the project.
_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_BUSY = 60.0  # seconds to wait for another process that writes


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
