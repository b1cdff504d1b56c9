"""Cache of file hashes, and hashes recorded on first use."""

import hashlib
import json
from pathlib import Path

from filelock import FileLock

from bsn.disk import write_atomically
from bsn.errors import InputError
from study.fetch.http import PermanentError


def digests(file: Path) -> dict[str, str]:
    """Hash a file once for both algorithms. Returns {"sha256": hex, "md5": hex}."""
    sums = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            for digest in sums.values():
                digest.update(block)
    return {kind: digest.hexdigest() for kind, digest in sums.items()}


class HashRecord:
    """The hashes of the files in one folder, kept in two JSON files there.

    `first_seen.json` has sha256 and size of the first good copy of each file without a published hash. It may be copied
    between machines; delete an entry to accept a changed file. `verified.json` is this machine's cache: a file with the
    same size and modification time is not hashed again.
    """

    def __init__(self, folder: Path) -> None:
        self.first_seen = folder / "first_seen.json"
        self._verified = folder / "verified.json"
        self._lock_file = folder / ".lock"

    def digests(self, file: Path, name: str) -> dict[str, str]:
        """Hash `file`, or return its cached hashes if it is unchanged since `remember`. name: its key in the cache."""
        cached = _read(self._verified).get(name)
        if cached is not None and cached.get("state") == _state(file):
            return {kind: cached[kind] for kind in ("sha256", "md5")}
        return digests(file)

    def remember(self, file: Path, name: str, found: dict[str, str]) -> None:
        """Cache the hashes of a verified file."""
        with FileLock(self._lock_file):
            content = _read(self._verified)
            entry = {"state": _state(file), **found}
            if content.get(name) != entry:
                _write(self._verified, {**content, name: entry})

    def require_first_seen(self, name: str, sha256: str, size: int) -> None:
        """Compare with the hash recorded for `name`, or record it. Raises PermanentError if they differ."""
        with FileLock(self._lock_file):
            content = _read(self.first_seen)
            first = content.get(name)
            if first is None:
                _write(self.first_seen, {**content, name: {"sha256": sha256, "size": size}})
            elif first.get("sha256") != sha256:
                raise PermanentError(
                    f"its sha256 is {sha256}, but {first.get('sha256')} was seen first: "
                    f"delete the entry {name!r} of {self.first_seen} if the change is wanted"
                )


def _state(file: Path) -> list[int]:
    found = file.stat()
    return [found.st_size, found.st_mtime_ns]


def _read(file: Path) -> dict[str, dict]:
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        content = None
    if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
        raise InputError(f"{file} is not a JSON object of objects; repair it, or delete it to have it written anew")
    return content


def _write(file: Path, content: dict[str, dict]) -> None:
    write_atomically(file, [json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"])
