"""What is to be fetched, and how it is told that it could not be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bsn.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Download:
    """One file to be had: tried from `urls` in this order."""

    name: str  # path relative to the folder it is fetched into
    urls: tuple[str, ...]
    size: int | None = None  # bytes, where published
    sha256: str | None = None  # hex, where published
    md5: str | None = None  # hex, where published

    @property
    def hashed(self) -> bool:
        """Whether a hash is published, so that it does not matter where the bytes are from."""
        return self.sha256 is not None or self.md5 is not None


class FetchError(InputError):
    """A file that no address gave; one line with what was tried, and what to do by hand."""


def by_hand(name: str, tried: Sequence[tuple[str, str]], target: Path) -> str:
    """That line. tried: addresses and why each failed; target: where the file belongs."""
    attempts = "; ".join(f"{url} ({reason})" for url, reason in tried) or "no address is known"
    return f"{name} could not be fetched: {attempts}. Fetch it by hand and put it at {target.absolute()}"
