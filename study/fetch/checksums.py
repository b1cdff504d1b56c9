"""What the files of a folder were found to be, so that none is hashed at every start and none changes unseen."""

import hashlib
import json
from pathlib import Path

from bsn.disk import write_atomically
from bsn.errors import InputError
from study.fetch.locks import locked

FIRST_SEEN = "first_seen.json"
VERIFIED = "verified.json"


def digests(file: Path) -> dict[str, str]:
    """sha256 and md5 of a file, in hex, in one reading."""
    sums = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            for digest in sums.values():
                digest.update(block)
    return {kind: digest.hexdigest() for kind, digest in sums.items()}


class Record:
    """Two files in `folder`.

    first_seen.json holds sha256 and size of the first good copy of whatever has no published hash; it may be carried
    from machine to machine, and an entry deleted where a change is wanted. verified.json is this machine's memory of
    what was hashed; a file is trusted without reading it as long as its size and time of change are those of then.
    """

    def __init__(self, folder: Path) -> None:
        self.first_seen = folder / FIRST_SEEN
        self._verified = folder / VERIFIED
        self._lock = folder / ".lock"

    def digests(self, file: Path, name: str) -> dict[str, str]:
        """sha256 and md5 of `file`, from memory if it is untouched since `remember`."""
        known = _read(self._verified).get(name)
        if known is not None and known.get("state") == _state(file):
            return {kind: known[kind] for kind in ("sha256", "md5")}
        return digests(file)

    def remember(self, file: Path, name: str, found: dict[str, str]) -> None:
        """`file` was hashed, and is right."""
        with locked(self._lock):
            content = _read(self._verified)
            entry = {"state": _state(file), **found}
            if content.get(name) != entry:
                _write(self._verified, {**content, name: entry})

    def changed_since_first_seen(self, name: str, sha256: str, size: int) -> str | None:
        """None when it is what was recorded for `name`, or is recorded now; else a line on how they differ."""
        with locked(self._lock):
            content = _read(self.first_seen)
            first = content.get(name)
            if first is None:
                _write(self.first_seen, {**content, name: {"sha256": sha256, "size": size}})
            elif first.get("sha256") != sha256:
                return (
                    f"its sha256 is {sha256}, but {first.get('sha256')} was seen first: "
                    f"delete the entry {name!r} of {self.first_seen} if the change is wanted"
                )
        return None


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
        raise InputError(f"{file} is not what was written there; mend it, or delete it to have it written anew")
    return content


def _write(file: Path, content: dict[str, dict]) -> None:
    write_atomically(file, [json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"])
