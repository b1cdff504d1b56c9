"""A real PostgreSQL server with its own folder and port."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.ports import free_port

PROGRAMS = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None) or (
    Path(shutil.which("initdb")).parent if shutil.which("initdb") else None
)


class Postgres:
    """Server that starts on construction; as root, it runs as its package's user, since PostgreSQL refuses root."""

    def __init__(self) -> None:
        # Not a folder of pytest: only root may read those.
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._port, self._databases = free_port(), 0
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user)
        self._run("initdb", "--auth", "trust", "--username", "postgres", "--no-sync", "--pgdata", str(self._folder))
        options = f"-p {self._port} -k '' -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run(
            "pg_ctl",
            "--pgdata",
            str(self._folder),
            "--wait",
            "--log",
            str(self._folder / "log"),
            "-o",
            options,
            "start",
        )

    def database(self) -> str:
        """The URI of a new, empty database."""
        self._databases += 1
        name = f"runs{self._databases}"
        address = ["--host", "127.0.0.1", "--port", str(self._port), "--username", "postgres"]
        self._run("createdb", *address, name)
        return f"postgresql://postgres@127.0.0.1:{self._port}/{name}"

    def stop(self) -> None:
        self._run("pg_ctl", "--pgdata", str(self._folder), "--mode", "immediate", "--wait", "stop")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        assert PROGRAMS is not None
        subprocess.run(
            [PROGRAMS / program, *arguments],
            user=self._user,
            group=self._user,
            cwd="/",
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
