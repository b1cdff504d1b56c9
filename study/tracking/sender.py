"""The process beside a run that sends its journal to MLflow while the run works, and what waits from before.

    python -m study.tracking.sender OUTBOX [JOURNAL]      # to MLFLOW_TRACKING_URI; tells the run, in lines of JSON

A process of its own: importing MLflow and waiting for it cost the run nothing, and it may be ended at any moment.
"""

import importlib
import json
import os
import sys
import time
import warnings
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

from study.tracking.journal import writer_lives
from study.tracking.outbox import connect, due, reason, send

LOOK = 0.05  # seconds between looks whether the run is over
SEND = 2.0  # seconds between sending what is new
RETRY = 5.0  # seconds until a server that failed is asked again


def main(outbox: Path, journal: Path | None, uri: str) -> None:
    """Until the journal is sent whole, and whatever waits beside it; or until the run is over and MLflow fails."""
    importlib.import_module("study.tracking.delivery")  # the seconds that this takes are not the server's
    tell(ready=True)
    client = None
    while journal:
        over = not writer_lives(journal)
        try:
            client = client or connect(uri)
            delivery = send(journal, client)
            if delivery is None or delivery.finished:
                tell(sent=True, model=delivery and delivery.model)
                break
            for folder in due(outbox, uri)[:1]:
                send(folder, client)
        # Whatever MLflow raises: the run hears of it, and the journal stays.
        except Exception as error:
            client = None
            if over:
                tell(failed=reason(error))
                return
        _wait(journal, RETRY if client is None else SEND)
    try:
        client = client or connect(uri)
        for folder in due(outbox, uri):
            send(folder, client)
        tell(sent=True)
    except Exception as error:
        tell(failed=reason(error))


def tell(**message: Any) -> None:
    """A line to the run, which may have been killed meanwhile."""
    with suppress(BrokenPipeError):
        print(json.dumps(message), file=sys.__stdout__, flush=True)


def _wait(journal: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and writer_lives(journal):
        time.sleep(LOOK)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # MLflow's own, which PYTHONWARNINGS may have made errors
    with redirect_stdout(sys.stderr):  # MLflow too says things, and not in JSON
        main(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None, os.environ["MLFLOW_TRACKING_URI"])
        tell(over=True)  # the run need not wait for Python to take MLflow down again, which takes most of a second
