"""How long a run waits at its end for its tracking server, by what the server does (goal: 2 s for one that fails).

    python -m benchmarks.tracking

A real MLflow server: answering, stopped (SIGSTOP), and not there; and a database file.
"""

import signal
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from study.tracking import Card, Store, tracked_run
from tests.mlflow_server import Server

WORK = 8.0  # seconds that the run works before, in which the sender starts
ROUNDS = 3


def main() -> None:
    """Print the table."""
    print("| server | seconds at the end of a run | at its start |\n|---|---|---|", flush=True)
    with TemporaryDirectory() as folder:
        server = Server(Path(folder))
        _row("down", server.uri, Path(folder))
        server.start()
        _row("answers", server.uri, Path(folder))
        server.signal(signal.SIGSTOP)
        _row("hangs", server.uri, Path(folder))
        server.stop()
        _row("none: a database file", f"sqlite:///{folder}/runs.db", Path(folder))


def _row(name: str, uri: str, folder: Path) -> None:
    store = Store(uri=uri, experiment="benchmark", outbox=folder / name.split(":")[0], artifacts=folder / "artifacts")
    starts, ends = [], []
    for number in range(ROUNDS):
        before = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with tracked_run(store, Card(study="benchmark", kind="method", name=f"{name} {number}")) as run:
                starts.append(time.perf_counter() - before)
                for step in range(10):
                    run.point({"train/loss": 1.0}, step=step)
                time.sleep(WORK)
                before = time.perf_counter()
            ends.append(time.perf_counter() - before)
    print(f"| {name} | {max(ends):.2f} | {max(starts):.3f} |", flush=True)


if __name__ == "__main__":
    main()
