"""From what a user names to photos as they are meant to be seen, and back to files.

The data sets' photos are taken as stored (bsn/data/photos.py); a user's own are turned as their EXIF says, and their
colours brought to sRGB where they carry a profile of their own.
"""

import glob
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps

from bsn.data.photos import read_photo
from bsn.disk import disk_errors, write_png
from bsn.errors import InputError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_ORIENTATION = 0x0112


@dataclass(frozen=True, kw_only=True)
class Found:
    """files: each once, in the order of the arguments. empty: a line for each argument that named no photo."""

    files: list[Path]
    empty: list[str]


def find_photos(arguments: Sequence[str]) -> Found:
    """The photos that files, folders (their own photos, not those of folders in them) and glob patterns name.

    `**` in a pattern is any depth of folders. A file is taken whatever its name; in a folder, what ends in one of
    SUFFIXES.
    """
    files: dict[Path, None] = {}
    empty = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            named = sorted(file for file in path.iterdir() if _is_photo(file))
            trouble = f"{argument} is a folder without photos ({', '.join(SUFFIXES)})"
        elif glob.has_magic(argument) and not path.exists():
            named = [file for file in sorted(map(Path, glob.glob(argument, recursive=True))) if _is_photo(file)]
            trouble = f"{argument} matches no photo ({', '.join(SUFFIXES)})"
        else:
            named = [path] if path.exists() else []
            trouble = f"{argument} is not there; name a photo, a folder, or a pattern such as 'photos/*.jpg'"
        files |= dict.fromkeys(named)
        if not named:
            empty.append(trouble)
    return Found(files=list(files), empty=empty)


def read_upright(file: Path) -> np.ndarray:
    """`upright`, with the whole path in what it refuses."""
    try:
        return upright(file)
    except InputError as error:
        raise InputError(str(error).replace(file.name, str(file), 1)) from None


def upright(file: Path) -> np.ndarray:
    """uint8 (H, W, 3) RGB in sRGB, turned as its EXIF says. Transparency is dropped.

    Raises InputError for what `bsn.data.photos.read_photo` refuses.
    """
    picture = Image.fromarray(read_photo(file))
    with Image.open(file) as header:
        picture.getexif()[_ORIENTATION] = header.getexif().get(_ORIENTATION, 1)
        profile = header.info.get("icc_profile")
    if profile:
        picture = _in_srgb(picture, profile)
    return np.asarray(ImageOps.exif_transpose(picture))


def write_picture(file: Path, picture: np.ndarray) -> None:
    """A PNG of uint8 (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA. Raises InputError when the disk will not have it."""
    order = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[picture.shape[2] if picture.ndim == 3 else 2]
    with disk_errors(file):
        write_png(file, picture if order is None else cv2.cvtColor(picture, order))


def _is_photo(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """A profile that is broken, or not for RGB (the photo was grey or CMYK), says nothing about these numbers."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB":
            return picture
        exif = picture.getexif()[_ORIENTATION]
        picture = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"))
        picture.getexif()[_ORIENTATION] = exif
    except (OSError, ImageCms.PyCMSError):
        pass
    return picture
