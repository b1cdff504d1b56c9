"""Members of a .zip, .tar or .tar.gz, written inside of one folder and nowhere else, or refused in one line.

Archives come from the network, so nothing in them is trusted: names (study/fetch/member_names.py), kinds and declared
sizes are checked before anything is written.
"""

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from bsn.disk import disk_errors, require_room, write_atomically
from bsn.errors import InputError
from study.fetch.member_names import UnsafeName, destinations, normalised

_BLOCK = 1 << 20
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError)


@dataclass(frozen=True, kw_only=True)
class _Member:
    """One entry of an index. size: bytes that it declares; fault: why it is no plain file, if it is none."""

    name: str
    size: int
    fault: str | None
    open: Callable[[], IO[bytes]]


def unpack(
    archive: Path, folder: Path, *, wanted: Callable[[str], bool] = lambda name: True, max_bytes: int
) -> list[Path]:
    """Write the members whose name (forward slashes) is `wanted` into `folder`; their paths, in the archive's order.

    A file that is already there is replaced when the new one is whole. Raises InputError, before anything is written,
    for a name that leads out of `folder`, two members of one name, a wanted member that is a link or a device, wanted
    members that declare more than `max_bytes` together, and a damaged index; later for a member whose bytes are not
    what the index declares. Raises FullDisk.
    """
    with _opened(archive) as members:
        chosen = [member for member in members if wanted(member.name)]
        for member in chosen:
            if member.fault is not None:
                raise InputError(f"{archive}: member {member.name!r} is {member.fault}, which is refused")
        total = sum(member.size for member in chosen)
        if total > max_bytes:
            largest = max(chosen, key=lambda member: member.size)
            raise InputError(
                f"{archive}: its members declare {total:,} bytes ({largest.name!r} alone {largest.size:,}), "
                f"more than the {max_bytes:,} that are allowed"
            )
        files = destinations([member.name for member in chosen], folder)
        require_room(total - sum(file.stat().st_size for file in files if file.is_file()), folder / "x")
        for member, file in zip(chosen, files, strict=True):
            with disk_errors(file, lambda needed=member.size: needed):
                write_atomically(file, _content(archive, member))
        return files


def names(archive: Path) -> list[str]:
    """Names of all members but folders, with forward slashes, in the archive's order. Raises InputError."""
    with _opened(archive) as members:
        return [member.name for member in members]


def _content(archive: Path, member: _Member) -> Iterator[bytes]:
    """Blocks of a member's bytes, as many as it declares. Raises InputError when there are more or fewer."""
    left = member.size
    with _read_errors(archive), member.open() as stream:
        while block := stream.read(min(_BLOCK, left + 1)):
            left -= len(block)
            if left < 0:
                break
            yield block
    if left:
        more = "more" if left < 0 else "fewer"
        raise InputError(f"{archive}: member {member.name!r} holds {more} bytes than the {member.size:,} it declares")


@contextmanager
def _opened(archive: Path) -> Iterator[list[_Member]]:
    """The members, readable as long as the context lasts. Raises InputError for a bad index or a bad name in it."""
    kinds = {".zip": _zip_members, ".tar": _tar_members, ".tar.gz": _tar_members}
    members = next((kinds[suffix] for suffix in kinds if archive.name.lower().endswith(suffix)), None)
    if members is None:
        raise InputError(f"{archive} is none of {', '.join(kinds)}")
    if not archive.is_file():
        raise InputError(f"{archive} is missing")
    with _read_errors(archive), archive.open("rb") as stream, _judged_names(archive), members(stream) as found:
        yield found


@contextmanager
def _read_errors(archive: Path) -> Iterator[None]:
    """Tell what the libraries raise for a bad archive as one line."""
    try:
        yield
    except _DAMAGE as error:
        raise InputError(f"{archive} is damaged or cut short ({error}); delete it and fetch it again") from None


@contextmanager
def _judged_names(archive: Path) -> Iterator[None]:
    try:
        yield
    except UnsafeName as error:
        raise InputError(f"{archive}: member {error}, which is refused") from None


@contextmanager
def _zip_members(stream: IO[bytes]) -> Iterator[list[_Member]]:
    with zipfile.ZipFile(stream) as opened:
        yield [
            _Member(
                name=normalised(info.filename),
                size=info.file_size,
                fault=zip_fault(info),
                open=partial(opened.open, info),
            )
            for info in opened.infolist()
            if not info.filename.endswith(("/", "\\"))
        ]


def zip_fault(info: zipfile.ZipInfo) -> str | None:
    """Why a member is not one that is read here; None when it is."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "a symbolic link"
    if kind not in (0, stat.S_IFREG):
        return "a device or pipe"
    if info.flag_bits & 1:
        return "encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"compressed by method {info.compress_type}"
    return None


@contextmanager
def _tar_members(stream: IO[bytes]) -> Iterator[list[_Member]]:
    packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    # Not "r|": a plain tar is read by seeking, so that what is not wanted of 2 GB is never read.
    with tarfile.open(fileobj=stream, mode="r:gz" if packed else "r:", tarinfo=_TarHeader) as opened:
        infos = _tar_index(opened)
        # gzip has one checksum, which stands behind the end of the tar.
        while packed and opened.fileobj.read(_BLOCK):
            pass
        yield [
            _Member(
                name=normalised(info.name),
                size=info.size,
                fault=_tar_fault(info),
                open=partial(opened.extractfile, info),
            )
            for info in infos
            if not info.isdir()
        ]


class _TarHeader(tarfile.TarInfo):
    """A header whose damage is an error: tarfile takes a damaged or missing one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        if len(buf) < tarfile.BLOCKSIZE:
            raise tarfile.ReadError("it has no end")
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            # An empty block is the end.
            if any(buf):
                raise tarfile.ReadError(str(error)) from None
            raise
        if header.size < 0:
            raise tarfile.ReadError("a size is negative")
        return header


def _tar_index(opened: tarfile.TarFile) -> list[tarfile.TarInfo]:
    infos = []
    for info in opened:
        # Where an extended header gives it. It would lead back to earlier headers, and round in circles.
        if info.size < 0:
            raise tarfile.ReadError("a size is negative")
        infos.append(info)
    return infos


def _tar_fault(info: tarfile.TarInfo) -> str | None:
    if info.issym():
        return "a symbolic link"
    if info.islnk():
        return "a hard link"
    if not info.isreg():
        return "a device or pipe"
    try:
        # A second opinion.
        tarfile.data_filter(info, ".")
    except tarfile.FilterError as error:
        return f"turned down ({error})"
    return None
