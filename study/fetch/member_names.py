"""Names that come from outside, an archive's index for one, and the files that they may become."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath


class UnsafeName(ValueError):
    """A name that could become a file where none belongs; the text says what is wrong with it."""


def normalised(name: str) -> str:
    """`name` with forward slashes only and without empty parts. Raises UnsafeName if it leads out of its folder."""
    slashed = name.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if slashed.startswith("/"):
        raise UnsafeName(f"{name!r} is an absolute name")
    if re.match("[A-Za-z]:", "/".join(parts)):
        raise UnsafeName(f"{name!r} names a drive")
    if ".." in parts:
        raise UnsafeName(f"{name!r} leads out of its folder")
    if re.search("[\0-\x1f\x7f]", slashed):
        raise UnsafeName(f"{name!r} holds control characters")
    if not parts:
        raise UnsafeName(f"{name!r} is no name")
    return "/".join(parts)


def destinations(names: Sequence[str], folder: Path) -> list[Path]:
    """Where members of these names go inside of `folder`, in their order.

    Raises UnsafeName for a name out of it, for two of one name (upper and lower case are one on some disks), for one
    that is both a file and a folder, and where a link that is already there leads out of `folder`.
    """
    names = [normalised(name) for name in names]
    seen: dict[str, str] = {}
    for name in names:
        other = seen.get(name.casefold())
        if other is not None:
            raise UnsafeName(f"{name!r} is there twice" if other == name else f"{name!r} and {other!r} are one name")
        seen[name.casefold()] = name
    inner = {parent for name in names for parent in PurePosixPath(name.casefold()).parents}
    if both := [name for name in names if PurePosixPath(name.casefold()) in inner]:
        raise UnsafeName(f"{both[0]!r} is both a file and a folder")
    root = folder.resolve()
    for parent in {(root / name).parent for name in names}:
        if not parent.resolve().is_relative_to(root):
            raise UnsafeName(f"{str(parent)!r} is a link out of its folder")
    return [folder / name for name in names]
