"""Download single members of a large .zip on a server.

remotezip reads the directory at the archive's end and turns a member into one Range request. Added here: retries,
mirrors, many members in parallel, and checks that all ranges are of one archive.
"""

import hashlib
import io
import threading
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import remotezip
from tqdm import tqdm

from bsn.disk import disk_errors, require_room, write_atomically
from bsn.errors import InputError
from study.fetch import http
from study.fetch.archives import refuse_faults, safe_paths, zip_fault, zip_index
from study.fetch.checksums import HashRecord
from study.fetch.download import FetchError, by_hand, in_order
from study.fetch.http import PermanentError, TransientError

LARGEST_DIRECTORY = 64 << 20  # bytes; that of COCO-Stuff 10K, with 20 000 members, is about 2 MB
LARGEST_MEMBER = 256 << 20  # bytes, compressed and not: a member is held in memory
FIRST_READ = 64 << 10  # bytes from the end on, where the directory is looked for
_LONGEST_HEADER = 30 + 2 * 0xFFFF  # bytes before a member's data: fixed fields, name, extra field
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, remotezip.OutOfBound, NotImplementedError, UnicodeDecodeError)
_OnBytes = Callable[[int], object]


class NoRanges(FetchError):
    """A URL has the archive but serves no parts of it: download the whole."""


class _WholeOnly(PermanentError):
    """This URL answers a Range request with the whole file."""


@dataclass
class _Known:
    """Facts about an archive, filled in while it is read.

    size: bytes; 0 before the first answer. end: the last bytes, which hold the directory. longest: by the offset of a
    member, the most bytes that it can take up with its header.
    """

    size: int = 0
    end: bytes = b""
    longest: dict[int, int] = field(default_factory=dict)


class RemoteZip:
    """An archive on a server, of which the directory is read from the first of `urls` that serves it.

    The sha256 of the directory is recorded in `folder` on first use, as `name` + " (directory)". It holds the CRC-32 of
    every member, so no member can change unnoticed.

    Attributes:
        names: all members but folders, in order.
        size: bytes of the whole archive.

    Raises:
        NoRanges: if a URL has the archive but serves only the whole.
        FetchError: if no URL serves its directory.
        InputError: for a member whose name leads out of its folder or is there twice.
    """

    def __init__(self, urls: Sequence[str], *, name: str, folder: Path) -> None:
        self._name, self._target, self._urls = name, folder / name, list(urls)
        tried: list[tuple[str, str]] = []
        failure: type[FetchError] = FetchError
        for url in urls:
            try:
                self._read_directory(url, HashRecord(folder))
            except PermanentError as reason:
                failure = NoRanges if isinstance(reason, _WholeOnly) else failure
                tried.append((url, str(reason)))
            else:
                self.names, self.size = list(self._infos), self._known.size
                return
        raise failure(by_hand(name, tried, self._target))

    def fetch(self, names: Sequence[str], out: Path, *, label: str, at_once: int = 8) -> int:
        """Download members to `out/<name>` by `at_once` threads, and return the bytes that came over the network.

        Files of the right size that are there are kept.

        Raises:
            FetchError: if no URL serves a member with the right CRC-32.
            InputError: for a member that is not there, is no plain file or is too large, and for an unsafe name.
            FullDisk: if the disk is full.
        """
        for name in names:
            if name not in self._infos:
                raise InputError(f"{self._name} holds no {name!r}")
        infos = {name: self._infos[name] for name in names}
        refuse_faults(self._name, {name: zip_fault(info) for name, info in infos.items()})
        files = dict(zip(names, safe_paths(names, out, self._name), strict=True))
        jobs = [n for n in names if not (files[n].is_file() and files[n].stat().st_size == infos[n].file_size)]
        require_room(sum(infos[name].file_size for name in jobs), out)
        received: list[int] = []
        zips = threading.local()  # one open zip per thread and URL: a zip reads one range at a time

        def fetch_one(name: str, stop: threading.Event) -> None:
            content = self._content(name, zips.__dict__, stop, received.append)
            with disk_errors(files[name], lambda: len(content)):
                write_atomically(files[name], [content])

        for _ in tqdm(in_order(fetch_one, jobs, at_once=at_once), desc=label, total=len(jobs), unit=" files"):
            pass
        return sum(received)

    def _content(self, name: str, zips: dict[str, zipfile.ZipFile], stop: threading.Event, on_bytes: _OnBytes) -> bytes:
        """The member from the first URL that serves it. zips: this thread's open zips by URL."""
        info, tried = self._infos[name], []
        if max(info.compress_size, info.file_size) > LARGEST_MEMBER:
            raise InputError(f"{self._name}: member {name!r} is larger than {LARGEST_MEMBER:,} bytes")
        for url in self._urls:
            try:
                if url not in zips:
                    zips[url] = self._open(url, stop, on_bytes)
                with zips[url].open(info) as stream:
                    content = stream.read(info.file_size)
                if len(content) < info.file_size:
                    raise EOFError(f"{len(content)} bytes")
                return content
            except PermanentError as error:
                tried.append((url, str(error)))
            except _DAMAGE as error:
                tried.append((url, f"has other bytes than its directory declares: {error}"))
            zips.pop(url, None)
        raise FetchError(f"{name!r} of " + by_hand(self._name, tried, self._target))

    def _read_directory(self, url: str, record: HashRecord) -> None:
        self._known = known = _Known()
        try:
            with self._open(url, threading.Event(), [].append) as opened:
                infos, start = opened.infolist(), opened.start_dir
                self._infos = zip_index(opened, self._name)
        except _DAMAGE as error:
            raise PermanentError(f"is no zip archive that can be read ({error})") from None
        if any(info.header_offset >= start for info in infos):
            raise PermanentError("has a directory that points past the members")
        known.longest = {info.header_offset: _LONGEST_HEADER + info.compress_size for info in infos}
        directory = known.end[start - known.size :]
        record.require_first_seen(f"{self._name} (directory)", hashlib.sha256(directory).hexdigest(), len(directory))

    def _open(self, url: str, stop: threading.Event, on_bytes: _OnBytes) -> remotezip.RemoteZip:
        return remotezip.RemoteZip(url, FIRST_READ, fetcher=_Fetcher, known=self._known, stop=stop, on_bytes=on_bytes)


class _Fetcher(remotezip.RemoteFetcher):
    """The byte ranges that remotezip asks one URL for."""

    def __init__(self, url: str, *_: object, known: _Known, stop: threading.Event, on_bytes: _OnBytes, **__: object):
        super().__init__(url)
        self._known, self._stop, self._on_bytes = known, stop, on_bytes
        if not known.size:
            self._read(0, 1)

    def fetch(self, data_range: tuple[int, int | None], stream: bool = False) -> remotezip.PartialBuffer:
        """Bytes first to last of a member (stream), or of the archive's end, which is kept in memory."""
        known, (first, last) = self._known, data_range
        if last is None:
            first, last = max(0, known.size + first), known.size - 1
        if stream:
            data = self._read(first, min(last + 1, first + known.longest.get(first, 0)))
        else:
            start = known.size - len(known.end)
            if known.size - first > LARGEST_DIRECTORY:
                raise PermanentError(f"its directory has more than {LARGEST_DIRECTORY:,} bytes")
            if first < start:
                known.end, start = self._read(first, start) + known.end, first
            data = known.end[first - start :][: last + 1 - first]
        return remotezip.PartialBuffer(io.BytesIO(data), first, len(data), stream=False)

    def _read(self, first: int, end: int) -> bytes:
        """The bytes `first` to `end` - 1."""
        if not 0 <= first < end:
            raise zipfile.BadZipFile(f"bytes {first} to {end - 1}, which no archive has")
        return http.retried(partial(self._request, first, end), stop=self._stop)

    def _request(self, first: int, end: int) -> bytes:
        with http.get(self._url, {"Range": f"bytes={first}-{end - 1}"}) as response:
            *span, total = http.content_range(response)
            if response.status_code == 416:
                raise PermanentError(f"416, has no bytes {first} to {end - 1}")
            if response.status_code == 200:
                raise _WholeOnly("serves no parts of it")
            if span != [first, end - 1]:
                raise TransientError("answers with another range than it was asked for")
            if total is None or total != (self._known.size or total):
                raise PermanentError("is not the file that it was before")
            self._known.size, data = total, bytearray()
            for chunk in http.body(response, self._stop):
                self._on_bytes(len(chunk))
                data += chunk
        if len(data) != end - first:
            raise TransientError(f"broke off at {len(data)} of {end - first} bytes")
        return bytes(data)
