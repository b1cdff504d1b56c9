"""Extract members of .zip, .tar and .tar.gz archives into one folder, and nowhere else.

Archives come from the network: names, kinds and declared sizes are checked before anything is written.
"""

import gzip
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from bsn.disk import disk_errors, require_room, write_atomically
from bsn.errors import InputError

_BLOCK = 1 << 20
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError)


@dataclass(frozen=True, kw_only=True)
class _Member:
    """One file of an archive. size: bytes that its header declares; fault: why it is refused, if it is."""

    name: str
    size: int
    fault: str | None
    open: Callable[[], IO[bytes]]


def unpack(
    archive: Path, folder: Path, *, wanted: Callable[[str], bool] = lambda name: True, max_bytes: int
) -> list[Path]:
    """Extract members into `folder`; each file is replaced only when its new content is complete.

    Args:
        archive: a .zip, .tar or .tar.gz.
        folder: where members go, under their names.
        wanted: whether to extract the member of this name (forward slashes).
        max_bytes: how many bytes all wanted members may declare together.

    Returns:
        The files, in the archive's order.

    Raises:
        InputError: before anything is written, for a damaged index, a name that leads out of `folder` or is there
            twice, a wanted member that is a link or device, and too many bytes; later, for a damaged member.
        FullDisk: if they do not fit on the disk.
    """
    with _opened(archive) as members:
        chosen = [member for member in members if wanted(member.name)]
        refuse_faults(archive, {member.name: member.fault for member in chosen})
        total = sum(member.size for member in chosen)
        if total > max_bytes:
            largest = max(chosen, key=lambda member: member.size)
            raise InputError(
                f"{archive}: its members declare {total:,} bytes ({largest.name!r} alone {largest.size:,}), "
                f"more than the {max_bytes:,} that are allowed"
            )
        files = safe_paths([member.name for member in chosen], folder, archive)
        require_room(total - sum(file.stat().st_size for file in files if file.is_file()), folder / "x")
        for member, file in zip(chosen, files, strict=True):
            with disk_errors(file, lambda needed=member.size: needed):
                write_atomically(file, _content(archive, member))
        return files


def member_names(archive: Path) -> list[str]:
    """The names of all files in the archive, with forward slashes, in its order. Raises InputError."""
    with _opened(archive) as members:
        return [member.name for member in members]


def safe_name(name: str, source: object) -> str:
    """Normalize a name to forward slashes. Raises InputError if it leads out of its folder. source: for the message."""
    slashed = name.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    for unsafe, why in (
        (slashed.startswith("/"), "is an absolute name"),
        (re.match("[A-Za-z]:", "/".join(parts)), "names a drive"),
        (".." in parts, "leads out of its folder"),
        (re.search("[\0-\x1f\x7f]", slashed), "holds control characters"),
        (not parts, "is no name"),
    ):
        if unsafe:
            raise InputError(f"{source}: member {name!r} {why}, which is refused")
    return "/".join(parts)


def safe_paths(names: Sequence[str], folder: Path, source: object) -> list[Path]:
    """Where members go inside of `folder`, in their order. source: for the message.

    Raises:
        InputError: for a name that leads out of `folder`, also over a link that is there; for two names that are one
            file (some disks ignore case); and for a name that is both a file and a folder.
    """
    found: dict[str, str] = {}
    for name in (safe_name(name, source) for name in names):
        if (other := found.get(name.casefold())) is not None:
            why = "is there twice" if other == name else f"and {other!r} are one name"
            raise InputError(f"{source}: member {name!r} {why}, which is refused")
        found[name.casefold()] = name
    folders = {parent for key in found for parent in PurePosixPath(key).parents}
    if both := [name for key, name in found.items() if PurePosixPath(key) in folders]:
        raise InputError(f"{source}: member {both[0]!r} is both a file and a folder, which is refused")
    root = folder.resolve()
    for parent in {(root / name).parent for name in found.values()}:
        if not parent.resolve().is_relative_to(root):
            raise InputError(f"{source}: {str(parent)!r} is a link out of its folder, which is refused")
    return [folder / name for name in found.values()]


def refuse_faults(source: object, faults: dict[str, str | None]) -> None:
    """Raises InputError for the first member that has a fault."""
    for name, fault in faults.items():
        if fault is not None:
            raise InputError(f"{source}: member {name!r} is {fault}, which is refused")


def zip_index(opened: zipfile.ZipFile, source: object) -> dict[str, zipfile.ZipInfo]:
    """The files of a zip by name, in its order. Raises InputError for a name that is unsafe or there twice."""
    found: dict[str, zipfile.ZipInfo] = {}
    for info in opened.infolist():
        if not info.filename.endswith(("/", "\\")):
            name = safe_name(info.filename, source)
            if found.setdefault(name, info) is not info:
                raise InputError(f"{source}: member {name!r} is there twice, which is refused")
    return found


def zip_fault(info: zipfile.ZipInfo) -> str | None:
    """Why a member is refused; None if it is a plain file."""
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


def _tar_fault(info: tarfile.TarInfo) -> str | None:
    if not info.isreg():
        return {tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link"}.get(info.type, "a device or pipe")
    try:
        tarfile.data_filter(info, ".")
    except tarfile.FilterError as error:
        return f"unsafe ({error})"
    return None


@contextmanager
def _opened(archive: Path) -> Iterator[list[_Member]]:
    """The members, readable while the context lasts. Raises InputError for a damaged index or an unsafe name in it."""
    kinds = {".zip": _zip_members, ".tar": _tar_members, ".tar.gz": _tar_members}
    members = next((kinds[suffix] for suffix in kinds if archive.name.lower().endswith(suffix)), None)
    if members is None:
        raise InputError(f"{archive} is none of {', '.join(kinds)}")
    if not archive.is_file():
        raise InputError(f"{archive} is missing")
    with _damage(archive), archive.open("rb") as stream, members(stream, archive) as found:
        yield found


@contextmanager
def _damage(archive: Path) -> Iterator[None]:
    """Raise InputError for what the libraries raise on a damaged archive."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGE as error:
        raise InputError(f"{archive} is damaged or cut short ({error}); delete it and fetch it again") from None


@contextmanager
def _zip_members(stream: IO[bytes], archive: Path) -> Iterator[list[_Member]]:
    with zipfile.ZipFile(stream) as opened:
        yield [
            _Member(name=name, size=info.file_size, fault=zip_fault(info), open=partial(opened.open, info))
            for name, info in zip_index(opened, archive).items()
        ]


@contextmanager
def _tar_members(stream: IO[bytes], archive: Path) -> Iterator[list[_Member]]:
    packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    # Not "r|": a plain tar is read by seeking, so unwanted members cost no reading.
    with tarfile.open(fileobj=stream, mode="r:gz" if packed else "r:") as opened:
        members = []
        for info in opened:
            if info.size < 0:  # would lead back to an earlier header, in circles
                raise tarfile.ReadError("a size is negative")
            if not info.isdir():
                read = partial(tarfile.ExFileObject, opened, info)
                name = safe_name(info.name, archive)
                members.append(_Member(name=name, size=info.size, fault=_tar_fault(info), open=read))
        # tarfile takes a damaged or missing header for the end, which is a block of zeros.
        opened.fileobj.seek(opened.offset)
        end = opened.fileobj.read(tarfile.BLOCKSIZE)
        if len(end) < tarfile.BLOCKSIZE or any(end):
            raise tarfile.ReadError(f"no valid header at byte {opened.offset}" if end else "it has no end")
        while packed and opened.fileobj.read(_BLOCK):  # to gzip's checksum, which is the last thing in the file
            pass
        yield members


def _content(archive: Path, member: _Member) -> Iterator[bytes]:
    """The member's bytes. Raises InputError if they are fewer than it declares; the libraries yield no more."""
    left = member.size
    with _damage(archive), member.open() as stream:
        while block := stream.read(min(_BLOCK, left)):
            left -= len(block)
            yield block
    if left:
        raise InputError(f"{archive}: member {member.name!r} holds fewer bytes than the {member.size:,} it declares")
