"""The folder of journals that wait to be sent."""

import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.locks import take
from study.tracking.card import without_password
from study.tracking.journal import LINES, writer_lives

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from study.tracking.delivery import Delivery


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What `send_all` did. failed: a line a run that MLflow did not take, with the reason."""

    runs: int
    failed: list[str]


def send_all(outbox: Path, uri: str) -> Sent:
    """Send what waits for the server `uri`, each run once, and take it out of the outbox."""
    sent, failed, client = 0, [], None
    for folder in due(outbox, uri):
        try:
            client = client or connect(uri)
            delivery = send(folder, client)
            sent += delivery is not None and delivery.finished
        # Whatever MLflow raises, and that is anything, must not keep the other runs here.
        except Exception as error:
            card = _opening(folder)["card"]
            failed.append(f"{card['name']} of {card['study']}: {reason(error)}")
    return Sent(runs=sent, failed=failed)


def waiting(outbox: Path) -> Counter[str]:
    """How many runs wait for each address. Those that still work are not counted."""
    return Counter(_opening(folder)["store"]["address"] for folder in _over(outbox))


def due(outbox: Path, uri: str) -> list[Path]:
    """The journals for `uri` whose run is over, the oldest first: training before evaluation."""
    return [folder for folder in _over(outbox) if _same_store(_opening(folder)["store"]["address"], uri)]


def connect(uri: str) -> "MlflowClient":
    """A client of the server. Raises what MLflow raises when there is none."""
    # A dead server must be noticed in seconds, not in MLflow's four minutes of retries; whoever asks asks again.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # Nothing leaves the machine unasked.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    return MlflowClient(uri)


def send(folder: Path, client: "MlflowClient") -> "Delivery | None":
    """Send what is new in one journal, and delete it when that was all. None when another process sends it.

    Raises what MLflow raises.
    """
    from study.tracking.delivery import Delivery

    try:
        stream = (folder / "sender").open("ab")
    except FileNotFoundError:  # sent by another meanwhile
        return None
    with stream:
        if not take(stream) or not (folder / LINES).exists():
            return None
        delivery = Delivery(folder, client)
        delivery.advance()
        if delivery.finished:
            shutil.rmtree(folder)
        return delivery


def reason(error: Exception) -> str:
    """What MLflow said, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _over(outbox: Path) -> list[Path]:
    # One that is just being begun has a name with a dot, and is not among them.
    found = sorted(file.parent for file in outbox.glob(f"[0-9]*/{LINES}"))
    return [folder for folder in found if not writer_lives(folder)]


def _same_store(address: str, uri: str) -> bool:
    """Database files are all the project's own, by whatever path it had when the run began."""
    return address == without_password(uri) or (address.startswith("sqlite:") and uri.startswith("sqlite:"))


def _opening(folder: Path) -> dict[str, Any]:
    with (folder / LINES).open("rb") as stream:
        return json.loads(stream.readline())
