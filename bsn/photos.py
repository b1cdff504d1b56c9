"""Photos and masks: read right, or refused in one line. No other module opens a photo.

A data set's photo is taken as its pixels are stored, because the official masks are drawn on those; a user's own is
turned as its EXIF says. Pillow rather than OpenCV, which fills the rest of a truncated JPEG with grey.
"""

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.Image import Transpose

from bsn.errors import InputError, brief

# More pixels than any photo of the four sets, and few enough for the memory of any machine: Pillow's own limit.
MAX_PIXELS = Image.MAX_IMAGE_PIXELS

_ORIENTATION = 0x0112
# By EXIF orientation: what brings the stored pixels upright (with any other value they are), and the way back.
_TO_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_TO_STORED = {**_TO_UPRIGHT, 6: Transpose.ROTATE_90, 8: Transpose.ROTATE_270}
_BLACK = "is black all over when brought to 8 bits; scale its values to 0..65535, or save it as 8 bits"
_SUBFILE_TYPE, _BITS_PER_SAMPLE = 254, 258  # tags of TIFF
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")

Taken = TypeVar("Taken")


class Upright(NamedTuple):
    """A photo as it is meant to be seen.

    pixels: (H, W, 3) uint8 RGB in sRGB; a transparent pixel has the colour that is stored for it. opacity: (H, W)
    uint8, 0 transparent to 255 opaque; None where every pixel is opaque.
    """

    pixels: np.ndarray
    opacity: np.ndarray | None


def read_photo(file: Path) -> np.ndarray:
    """A data set's photo, uint8 (H, W, 3) RGB: neither turned, nor brought to another colour space.

    Grey, CMYK and palette photos are brought to RGB, and of several frames the first is taken. Of 16 bits per value the
    upper eight are taken (of 12 likewise), floats from 0 (black) to 1 (white) are scaled to 0..255. Other ranges, and
    such pictures that come out wholly black, are refused.

    Raises InputError when the file is missing, empty, truncated, too large, of such a range, or no picture.
    """
    return _read(file, file.name, _as_stored)


def read_upright(file: Path | str) -> Upright:
    """A user's photo, turned once as its EXIF says, in any format; values and errors are as of `read_photo`.

    Its colours are brought to sRGB where it carries an RGB profile. Raises InputError with the whole path, and also
    when the EXIF data can't be read: nobody knows then which way is up. HEIC takes pillow-heif, which is optional.
    """
    return _read(file, str(file), _upright)


def decode_upright(content: bytes, name: str) -> Upright:
    """`read_upright` of a file's content; `name` stands for the path in what is raised."""
    return _read(io.BytesIO(content), name, _upright)


def read_palette(file: Path) -> np.ndarray:
    """A mask: the stored indices of a palette or grey PNG, uint8 (H, W). Raises InputError as `read_photo` does."""
    return _read(file, file.name, _indices)


def _read(source: Path | str | io.BytesIO, name: str, take: Callable[[Image.Image], Taken]) -> Taken:
    """`take` of the picture, opened and not yet decoded. Whatever is raised becomes an InputError that names it."""
    if not isinstance(source, io.BytesIO) and not os.path.isfile(source):
        raise InputError(f"{name} is missing")
    try:
        with source if isinstance(source, io.BytesIO) else open(source, "rb") as stream, warnings.catch_warnings():
            # Pillow's remarks on metadata, and on a size that is checked here.
            warnings.filterwarnings("ignore", module=r"PIL\b")
            return take(_open(stream))
    except InputError as refusal:
        raise InputError(f"{name} {refusal}") from None
    except Image.DecompressionBombError:
        raise InputError(f"{name} has more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except MemoryError as error:
        raise InputError(f"{name} is too large for this machine's memory") from error
    # What a decoder raises depends on where the damage is; only the system's own errors have a number.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{name} cannot be read: {error.strerror}") from error
        raise InputError(f"{name} is truncated or broken ({brief(error)})") from error


def _open(stream: io.BufferedIOBase) -> Image.Image:
    """The picture, identified by its content. Raises InputError with what stands behind the name."""
    if stream.seek(0, os.SEEK_END) == 0:
        raise InputError("is empty (0 bytes)")
    try:
        image = Image.open(stream)
    except UnidentifiedImageError:
        if not _is_heif(stream):
            raise InputError("is not a picture") from None
        image = _open_heif(stream)
    if image.width * image.height > Image.MAX_IMAGE_PIXELS:
        raise InputError(f"has more than {Image.MAX_IMAGE_PIXELS} pixels")
    if image.format == "EPS":
        raise InputError("is not a picture but a program (EPS) that draws one; save it as PNG")
    if image.format == "TIFF" and image.tag_v2.get(_SUBFILE_TYPE, 0) & 1:
        raise InputError("is a camera's raw file, of which only the thumbnail can be read; save it as JPEG or TIFF")
    return image


def _is_heif(stream: io.BufferedIOBase) -> bool:
    stream.seek(4)
    return stream.read(4) == b"ftyp" and stream.read(4) in _HEIF_BRANDS


def _open_heif(stream: io.BufferedIOBase) -> Image.Image:
    try:
        import pillow_heif
    except ImportError:
        raise InputError("is a HEIC picture; to read it: pip install pillow-heif") from None
    pillow_heif.register_heif_opener()
    return Image.open(stream)


def _as_stored(image: Image.Image) -> np.ndarray:
    # Pillow itself turns a TIFF when it decodes it, and no other format.
    turned = image.getexif().get(_ORIENTATION) if image.format == "TIFF" else None
    return np.asarray(_turned(_eight_bits(image).convert("RGB"), _TO_STORED, turned))


def _upright(image: Image.Image) -> Upright:
    picture = _eight_bits(image)
    # Once decoded, a TIFF says no more that it has to be turned; so does HEIC.
    orientation = _orientation(image)
    opacity = None
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        opacity = np.asarray(_turned(picture.getchannel("A"), _TO_UPRIGHT, orientation))
    picture = _in_srgb(picture.convert("RGB"), image.info.get("icc_profile"))
    pixels = np.asarray(_turned(picture, _TO_UPRIGHT, orientation))
    return Upright(pixels, None if opacity is None or (opacity == 255).all() else opacity)


def _indices(image: Image.Image) -> np.ndarray:
    if image.mode not in ("P", "L"):
        raise InputError(f"is a {image.mode} picture, not a palette mask")
    return np.asarray(image)


def _turned(picture: Image.Image, turns: dict[int, Transpose], orientation: object) -> Image.Image:
    return picture.transpose(turns[orientation]) if orientation in turns else picture


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception as error:
        reason = f"has EXIF data that can't be read ({brief(error)})"
        raise InputError(f"{reason}, and may have to be turned; save it again, upright and without them") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """The decoded picture; one of more than 8 bits a value as a grey one of 8. Raises InputError as `read_photo`."""
    deep = image.mode.startswith(("I", "F"))
    # What Pillow brings to 8 bits by itself.
    shortened = not deep and any(";16" in str(tile.args) for tile in image.tile)
    bits = 12 if image.format == "TIFF" and image.tag_v2.get(_BITS_PER_SAMPLE) == (12,) else 16
    image.load()
    if shortened and not np.asarray(image.convert("RGB")).any():
        raise InputError(_BLACK)
    if not deep:
        return image
    values = np.asarray(image)
    white = 1 if image.mode == "F" else 2**bits - 1
    if not (values.min() >= 0 and values.max() <= white):
        raise InputError(
            f"holds values from {values.min():g} to {values.max():g}, and is read from 0 (black) to {white} (white); "
            "save it as 8 or 16 bits"
        )
    eight = (np.rint(255 * values) if image.mode == "F" else values >> (bits - 8)).astype(np.uint8)
    if not eight.any():
        raise InputError(_BLACK)
    return Image.fromarray(eight)


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """A profile that is broken, or not for RGB (the photo was grey or CMYK), says nothing about these numbers."""
    if not profile:
        return picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB":
            return picture
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"))
    except (OSError, ImageCms.PyCMSError):
        return picture
