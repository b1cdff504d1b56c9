"""Some members of a large .zip on a server, without the rest of it.

The directory at the archive's end is read by HTTP Range, then each wanted member by one Range request of its own.
"""

import hashlib
import io
import struct
import threading
import zipfile
import zlib
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from bsn.disk import disk_errors, require_room, write_atomically
from bsn.errors import InputError
from study.fetch.archives import zip_fault
from study.fetch.bars import CountBar
from study.fetch.checksums import Record
from study.fetch.downloads import FetchError, by_hand
from study.fetch.member_names import UnsafeName, destinations, normalised
from study.fetch.ranges import Ranges, WholeOnly
from study.fetch.web import Refused
from study.fetch.workers import in_order

LARGEST_DIRECTORY = 64 << 20  # bytes; that of COCO-Stuff 10K, 20 000 members, is about 2 MB
LARGEST_MEMBER = 256 << 20  # bytes, packed and unpacked: a member is held in memory
# The header before a member's bytes: its signature, the lengths of its name and of its extra field.
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LONGEST_LOCAL_HEADER = _LOCAL_HEADER.size + 2 * 0xFFFF


class NoRanges(FetchError):
    """The archive is there, but no address serves parts of it: fetch the whole."""


class RemoteZip:
    """An archive of which only the directory is here, from the first of `urls` that serves it.

    names: its members but folders, in order. size: bytes of the whole archive. The sha256 of the directory is recorded
    in `folder/first_seen.json` under `name` + " (directory)"; the directory holds every member's CRC-32, so no member
    can change unseen. Raises FetchError when no address serves it, NoRanges when one has it but serves the whole only,
    InputError for a member's name that leads out of its folder.
    """

    def __init__(self, urls: Sequence[str], *, name: str, folder: Path) -> None:
        self._name = name
        self._target = folder / name
        tried: list[tuple[str, str]] = []
        unserved: type[FetchError] = FetchError
        for url in urls:
            first = Ranges(url)
            try:
                infos, self._ends = self._read_directory(first, Record(folder))
            except Refused as reason:
                unserved = NoRanges if isinstance(reason, WholeOnly) else unserved
                tried.append((url, str(reason)))
                continue
            self.size = first.size
            self._infos = self._by_name(infos)
            self.names = list(self._infos)
            self._addresses = [first, *(Ranges(other, size=self.size) for other in urls if other != url)]
            return
        raise unserved(by_hand(name, tried, self._target))

    def fetch(self, names: Sequence[str], out: Path, *, label: str, at_once: int = 8) -> int:
        """Write members to `out/<name>`; returns the bytes that came over the network for them.

        Each is checked against its CRC-32 and put in place whole. Files that are there with the member's size are
        kept. Raises FetchError when no address gives one, InputError for a member that is not there or not a plain
        file, and for a name that leads out of `out`; FullDisk.
        """
        for name in names:
            if name not in self._infos:
                raise InputError(f"{self._name} holds no {name!r}")
            if (fault := zip_fault(self._infos[name])) is not None:
                raise InputError(f"{self._name}: member {name!r} is {fault}, which is refused")
        try:
            files = destinations(names, out)
        except UnsafeName as error:
            raise InputError(f"{self._name}: member {error}, which is refused") from None
        jobs = [
            (name, file)
            for name, file in zip(names, files, strict=True)
            if not (file.is_file() and file.stat().st_size == self._infos[name].file_size)
        ]
        require_room(sum(self._infos[name].file_size for name, _ in jobs), out)
        with CountBar(label, len(jobs)) as bar:
            for _ in in_order(partial(self._fetch_one, bar), jobs, at_once=at_once):
                pass
            return bar.bytes

    def _read_directory(self, address: Ranges, record: Record) -> tuple[list[zipfile.ZipInfo], dict[int, int]]:
        """The members, and for each one's start the byte that it ends before. Raises Refused."""
        tail = _Tail(address)
        try:
            with zipfile.ZipFile(tail) as opened:
                infos, start = opened.infolist(), opened.start_dir
        except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError) as error:
            raise Refused(f"is no zip archive that can be read ({error})") from None
        if any(info.header_offset >= start for info in infos):
            raise Refused("has a directory that points past the members")
        directory = tail.bytes_from(start)
        key = f"{self._name} (directory)"
        change = record.changed_since_first_seen(key, hashlib.sha256(directory).hexdigest(), len(directory))
        if change is not None:
            raise Refused(change)
        return infos, _ends(infos, start)

    def _by_name(self, infos: Sequence[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        found: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            if info.filename.endswith(("/", "\\")):
                continue
            try:
                name = normalised(info.filename)
                if name in found:
                    raise UnsafeName(f"{name!r} is there twice")
            except UnsafeName as error:
                raise InputError(f"{self._name}: member {error}, which is refused") from None
            found[name] = info
        return found

    def _fetch_one(self, bar: CountBar, job: tuple[str, Path], stop: threading.Event) -> None:
        name, file = job
        info = self._infos[name]
        if max(info.compress_size, info.file_size) > LARGEST_MEMBER:
            raise InputError(f"{self._name}: member {name!r} is larger than {LARGEST_MEMBER:,} bytes")
        tried = []
        for address in self._addresses:
            try:
                raw = address.read(info.header_offset, self._ends[info.header_offset], stop=stop, came=bar.adds)
                data = _unpacked(info, raw)
            except Refused as reason:
                tried.append((address.url, str(reason)))
                continue
            with disk_errors(file, lambda: info.file_size):
                write_atomically(file, [data])
            bar.done()
            return
        raise FetchError(f"{name!r} of " + by_hand(self._name, tried, self._target))


class _Tail(io.RawIOBase):
    """The archive as a file for zipfile, which reads the directory from the end; only the end is ever fetched."""

    _AHEAD = 1 << 16  # bytes; fetched at least, for the search for the end record goes in small steps

    def __init__(self, address: Ranges) -> None:
        self._address = address
        self._tail = b""
        self._at = 0
        self._fetch(0, 1)  # tells the size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._address.size}[whence]
        if at < 0:
            raise zipfile.BadZipFile("a position before its start")
        self._at = at
        return at

    def readinto(self, buffer: memoryview) -> int:
        data = self.bytes_from(self._at)[: len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def bytes_from(self, first: int) -> bytes:
        """All bytes from `first` to the end. Raises Refused when they are too many to be a directory."""
        start = self._address.size - len(self._tail)
        if first < start:
            if self._address.size - first > LARGEST_DIRECTORY:
                raise Refused(f"its directory has more than {LARGEST_DIRECTORY:,} bytes")
            ahead = max(0, min(first, start - self._AHEAD))
            self._tail = self._fetch(ahead, start) + self._tail
            start = ahead
        return self._tail[first - start :]

    def _fetch(self, first: int, end: int) -> bytes:
        return self._address.read(first, end, stop=threading.Event(), came=lambda count: None)


def _ends(infos: Sequence[zipfile.ZipInfo], directory: int) -> dict[int, int]:
    """For each member's start in the archive, the byte that it ends before: the next member's, or the directory's."""
    largest = {info.header_offset: _LONGEST_LOCAL_HEADER + info.compress_size for info in infos}
    starts = sorted({*largest, directory})
    return {start: min(end, start + largest[start]) for start, end in pairwise(starts)}


def _unpacked(info: zipfile.ZipInfo, raw: bytes) -> bytes:
    """A member from its bytes in the archive, header included. Raises Refused unless they are what `info` declares."""
    if len(raw) < _LOCAL_HEADER.size or not raw.startswith(b"PK\3\4"):
        raise Refused("has no member where its directory says")
    _, name_length, extra_length = _LOCAL_HEADER.unpack_from(raw)
    start = _LOCAL_HEADER.size + name_length + extra_length
    data = raw[start : start + info.compress_size]
    if info.compress_type == zipfile.ZIP_DEFLATED:
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, info.file_size + 1)
        except zlib.error:
            data = b""
    if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise Refused("has other bytes than its directory declares")
    return data
