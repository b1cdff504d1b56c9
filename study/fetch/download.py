"""Download files: resume a partial file, try each mirror, verify; many files in parallel.

A file is written to `<name>.part` and renamed when its bytes are right, so a file under its own name is complete.
`<name>.part.json` says where the partial bytes are from. `<name>.part.lock` makes a second process wait for the first.
"""

import json
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import TypeVar

import requests
from filelock import FileLock
from tqdm import tqdm

from bsn.disk import disk_errors, require_room, write_atomically
from bsn.errors import InputError
from study.fetch import http
from study.fetch.archives import safe_name
from study.fetch.checksums import HashRecord, digests
from study.fetch.http import GaveUp, PermanentError, TransientError

NO_ADDRESS = "no address is known"

Job = TypeVar("Job")
Result = TypeVar("Result")


class FetchError(InputError):
    """A file that no URL served: one line with what was tried and what to do by hand.

    Args:
        message: that line.
        reason: why the last URL failed; equal for equal failures on every machine.
        unreachable: whether no server answered, so that the network may be down.
    """

    def __init__(self, message: str, *, reason: str = "", unreachable: bool = False) -> None:
        super().__init__(message)
        self.reason = reason or message
        self.unreachable = unreachable


@dataclass(frozen=True, kw_only=True)
class Download:
    """One file and the mirrors that serve it, in the order in which they are tried."""

    name: str  # path relative to the folder that it is downloaded into
    urls: tuple[str, ...]
    size: int | None = None  # bytes, where published
    sha256: str | None = None  # hex, where published
    md5: str | None = None  # hex, where published

    @property
    def hashed(self) -> bool:
        """Whether a hash is published, so that halves from different mirrors can be joined."""
        return self.sha256 is not None or self.md5 is not None


def by_hand(name: str, tried: Sequence[tuple[str, str | PermanentError]], target: Path) -> str:
    """Message of a FetchError, one line.

    Args:
        name: of the file.
        tried: each URL, and why it failed.
        target: where the file belongs.
    """
    attempts = "; ".join(f"{url} ({reason})" for url, reason in tried) or NO_ADDRESS
    return f"{name} could not be fetched: {attempts}. Fetch it by hand and put it at {target.absolute()}"


@dataclass(frozen=True, kw_only=True)
class _Origin:
    """Where a partial file's last bytes are from. validator: see `http.validator`; total: bytes, if known."""

    url: str
    validator: str | None
    total: int | None


class Transfer:
    """One download into a folder. record: of hashes; None for small files, whose changes need not be noticed."""

    def __init__(self, download: Download, folder: Path, record: HashRecord | None) -> None:
        try:
            self.target = folder / safe_name(download.name, "the list of downloads")
        except InputError as error:
            raise FetchError(str(error)) from None
        self._download, self._record = download, record
        self._part, self._origin_file = Path(f"{self.target}.part"), Path(f"{self.target}.part.json")

    def run(self, stop: threading.Event) -> Path:
        """Download the file unless it is there. Raises FetchError, FullDisk and InputError."""
        self._stop, lock_file = stop, Path(f"{self._part}.lock")
        with disk_errors(self.target, self.missing):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock_file).acquire(cancel_check=stop.is_set):
                try:
                    if not self._is_complete():
                        self._complete_part()
                        with self._part.open("rb") as stream:
                            os.fsync(stream.fileno())
                        self._part.replace(self.target)
                finally:
                    if not self._length():
                        self._discard()
                    lock_file.unlink(missing_ok=True)  # filelock starts over on a file that was removed
        return self.target

    def missing(self) -> int | None:
        """Bytes yet to come, where the size is known."""
        origin = self._origin()
        total = self._download.size or (origin.total if origin else None)
        return None if total is None else total - self._length()

    def _is_complete(self) -> bool:
        """Whether the file is there already. Raises FetchError if another one has its name."""
        if not self.target.is_file():
            return False
        if self._record is None:
            size = self.target.stat().st_size
            return size > 0 and self._download.size in (None, size)
        try:
            self._verify(self.target)
        except PermanentError as reason:
            raise FetchError(
                f"{self.target.absolute()} is not the file that it should be ({reason}); "
                "delete it to have it fetched again"
            ) from None
        return True

    def _verify(self, file: Path) -> None:
        """Check size and hashes. Raises PermanentError with what is wrong."""
        download, record, size = self._download, self._record, file.stat().st_size
        if download.size not in (None, size):
            raise PermanentError(f"{size} bytes, published are {download.size}")
        if not download.hashed:
            with file.open("rb") as stream:
                if stream.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html")):
                    raise PermanentError("a web page, not the file")
            if record is None:
                return
        found = record.digests(file, download.name) if record else digests(file)
        for kind, published in (("sha256", download.sha256), ("md5", download.md5)):
            if published is not None and found[kind] != published.lower():
                raise PermanentError(f"its {kind} is {found[kind]}, published is {published}")
        if record is not None:
            if not download.hashed:
                record.require_first_seen(download.name, found["sha256"], size)
            record.remember(file, download.name, found)  # a rename changes neither size nor modification time

    def _complete_part(self) -> None:
        """Complete the partial file from the first URL that can."""
        # The URL that it is from goes first: without a published hash, only that one can continue it.
        origin, tried = self._origin(), []
        with tqdm(desc=self._download.name, unit="B", unit_scale=True, disable=self._record is None) as self._bar:
            for url in sorted(self._download.urls, key=lambda url: origin is None or url != origin.url):
                try:
                    return self._complete_part_from(url)
                except PermanentError as reason:
                    tried.append((url, reason))
        raise FetchError(
            by_hand(self._download.name, tried, self.target),
            reason=str(tried[-1][1]) if tried else NO_ADDRESS,
            unreachable=all(isinstance(reason, GaveUp) for _, reason in tried),
        )

    def _complete_part_from(self, url: str) -> None:
        older = self._length() > 0
        while True:
            missing, known = self.missing(), self._download.hashed or self._origin() is not None
            if not (older and known and missing is not None and missing <= 0):
                http.retried(partial(self._request, url), stop=self._stop, progress=self._length)
            try:
                return self._verify(self._part)
            except PermanentError:
                self._discard()
                if not older:
                    raise
                older = False  # the older bytes may be the wrong ones: once more, with all bytes from this URL

    def _request(self, url: str) -> None:
        """One GET, whose body continues the partial file or replaces it."""
        length, asked = self._length(), self._range_headers(url)
        with http.get(url, asked) as response:
            resumes = response.status_code != 200
            total = http.content_range(response)[2] if resumes else response.raw.length_remaining
            origin = _Origin(url=url, validator=http.validator(response), total=total)
            if resumes and not asked:
                raise PermanentError(f"{response.status_code} to a request for the whole")
            if resumes and not self._continues(response, origin):
                self._discard()
                raise TransientError("answers with another range than it was asked for")
            if response.status_code == 416:
                return
            limit = self._checked_total(response, total)
            length = length if resumes else 0
            self._bar.total, self._bar.n, self._bar.initial = limit, length, length
            with self._part.open("ab" if resumes else "wb") as stream:
                if origin != self._origin():
                    write_atomically(self._origin_file, [json.dumps(asdict(origin)).encode()])
                for chunk in http.body(response, self._stop):
                    stream.write(chunk)
                    stream.flush()
                    length += len(chunk)
                    self._bar.update(len(chunk))
                    if limit is not None and length > limit:
                        self._discard()
                        raise PermanentError(f"sends more than the {limit} bytes that it should")
        if length == 0:
            raise PermanentError("the answer is empty")
        if limit is not None and length < limit:
            raise TransientError(f"broke off at {length} of {limit} bytes")

    def _range_headers(self, url: str) -> dict[str, str]:
        """Headers that ask for the rest; none where only the whole file will do."""
        length, origin = self._length(), self._origin()
        rest = {"Range": f"bytes={length}-"}
        if length and origin is not None and origin.url == url and origin.validator is not None:
            return {**rest, "If-Range": origin.validator}
        return rest if length and self._download.hashed else {}

    def _continues(self, response: requests.Response, new: _Origin) -> bool:
        """Whether a 206 continues the partial file, or a 416 says that it is complete, as far as the server tells."""
        length, old = self._length(), self._origin()
        if response.status_code == 416:
            return new.total == length and (self._download.hashed or (old is not None and old.total == length))
        if http.content_range(response)[0] != length:
            return False
        if old is None or old.url != new.url:
            return True  # asked for only if a published hash is checked in the end
        return old.validator in (None, new.validator) and (None in (old.total, new.total) or old.total == new.total)

    def _checked_total(self, response: requests.Response, total: int | None) -> int | None:
        """Check the announced size before the partial file is changed. Returns the size of the whole, if known."""
        size = self._download.size
        if total is not None and size is not None and total != size:
            raise PermanentError(f"announces {total} bytes, published are {size}")
        if total is not None:
            require_room(total - self._length(), self._part)
        elif response.status_code == 200 and not (response.raw.chunked or size or self._download.hashed):
            raise PermanentError("tells no length, so a break could not be noticed")
        return size or total

    def _length(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _origin(self) -> _Origin | None:
        with suppress(FileNotFoundError, ValueError, TypeError):
            return _Origin(**json.loads(self._origin_file.read_bytes()))
        return None

    def _discard(self) -> None:
        self._part.unlink(missing_ok=True)
        self._origin_file.unlink(missing_ok=True)


def fetch_archives(downloads: Sequence[Download], folder: Path, *, at_once: int = 4) -> list[Path]:
    """Download large files by `at_once` threads and verify them; those that are there already are verified only.

    Args:
        downloads: what to download. Without a published hash, the hash of the first good copy is recorded in `folder`,
            and other content is refused later.
        folder: where they go.
        at_once: number of threads.

    Returns:
        The files, in order.

    Raises:
        FetchError: when the others are finished, with one line per file that no URL served.
        FullDisk: if the disk is full; partial files are kept.
        InputError: if `folder` cannot be written.
    """
    record = HashRecord(folder)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        transfers = [Transfer(download, folder, record) for download in downloads]
        needed = sum(max(0, transfer.missing() or 0) for transfer in transfers if not transfer.target.exists())
    require_room(needed, folder)
    results = list(in_order(partial(_fetch, folder, record), downloads, at_once=at_once))
    if failures := [str(result) for result in results if isinstance(result, FetchError)]:
        raise FetchError("\n".join(failures))
    return [result for result in results if isinstance(result, Path)]


def fetch_files(
    downloads: Iterable[Download], folder: Path, *, at_once: int = 8, label: str
) -> Iterator[tuple[Download, Path | FetchError]]:
    """Download many small files under one bar; those that are there are kept, unless empty or of another size.

    Args:
        downloads: what to download. Their hashes are not recorded.
        folder: where they go.
        at_once: number of threads.
        label: names the bar.

    Yields:
        Each download with its file, or with the error if no URL served it, in order.

    Raises:
        FullDisk: if the disk is full.
        InputError: if `folder` cannot be written.
    """
    downloads = list(downloads)
    with tqdm(desc=label, total=len(downloads), unit=" files") as bar:

        def fetch(download: Download, stop: threading.Event) -> Path | FetchError:
            result = _fetch(folder, None, download, stop)
            with bar.get_lock():
                bar.update()
            return result

        with closing(in_order(fetch, downloads, at_once=at_once)) as results:
            yield from zip(downloads, results, strict=True)


def in_order(
    work: Callable[[Job, threading.Event], Result], jobs: Iterable[Job], *, at_once: int
) -> Generator[Result, None, None]:
    """Yield `work(job, stop)` of each job in order, computed by `at_once` threads; set `stop` when the loop ends.

    The threads are daemons and not waited for (unlike those of concurrent.futures), so that one that hangs in a dead
    connection does not hold up Ctrl-C.
    """
    stop = threading.Event()
    pool = ThreadPool(at_once)
    try:
        yield from pool.imap(lambda job: work(job, stop), jobs)
    finally:
        stop.set()
        pool.terminate()


def _fetch(folder: Path, record: HashRecord | None, download: Download, stop: threading.Event) -> Path | FetchError:
    try:
        return Transfer(download, folder, record).run(stop)
    except FetchError as error:
        return error
