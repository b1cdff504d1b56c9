"""What is known of a run when it starts, and where it goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

# Fingerprint of the weights that a run has made or measured: by it the run that made them is found.
WEIGHTS_TAG = "weights"


@dataclass(frozen=True, kw_only=True)
class Store:
    """Where runs go. uri: an MLflow tracking URI. artifacts: folder for a new experiment's artifacts, None for the
    server's own choice. outbox: folder for what waits to be sent."""

    uri: str
    experiment: str
    outbox: Path
    artifacts: Path | None = None

    @property
    def address(self) -> str:
        """The URI without a password: what may be written down and shown."""
        return without_password(self.uri)

    @property
    def is_file(self) -> bool:
        """Whether it is a file of this machine, and no server that could be down or slow."""
        return self.uri.startswith("sqlite:")


@dataclass(frozen=True, kw_only=True)
class Card:
    """A run's identity and what it is told at its start.

    study: names one run of the pipeline; all its runs share it. kind and name: what of the study it is; MLflow holds
    one run of each (study, kind, name), and whoever opens it again goes on in it. parent: the run that it hangs under,
    made when it is not there. weights: fingerprint of the weights that it measures without having trained them; the run
    that trained them is named in a tag, if there is one.
    """

    study: str
    kind: str
    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    parent: "Card | None" = None
    weights: str | None = None


def without_password(uri: str) -> str:
    """`postgresql://me:secret@host/runs` -> `postgresql://me@host/runs`."""
    parts = urlsplit(uri)
    if not parts.password:
        return uri
    user = f"{parts.username}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=user + parts.netloc.rpartition("@")[2]))
