"""Read photos and masks; a file that cannot be read is an InputError. No other module opens a photo.

Photos of a data set keep their stored orientation, because the official masks are drawn on it; a user's photos are
turned as their EXIF says. Pillow reads them, because OpenCV fills the rest of a truncated JPEG with grey.
"""

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.Image import Transpose
from PIL.TiffImagePlugin import TiffImageFile

from bsn.errors import InputError, brief

# Pillow's own limit: above any photo of the four sets, and within any machine's memory.
MAX_PIXELS: int = Image.MAX_IMAGE_PIXELS or 2**27

# Pillow warns of metadata that it cannot read, and of sizes that are checked below. Filtered for the whole process,
# because warnings.catch_warnings is not thread-safe, and `bsn score` reads in several threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

_ORIENTATION = 0x0112
# Transpose that turns the stored pixels upright, by EXIF orientation (none for other values), and its inverse.
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
_BLACK = "is all black in 8 bits; scale its values to 0..65535, or save it as 8 bits"
_SUBFILE_TYPE, _BITS_PER_SAMPLE = 254, 258  # tags of TIFF
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")

Result = TypeVar("Result")


class Upright(NamedTuple):
    """A photo, upright and in sRGB.

    Attributes:
        pixels: (H, W, 3) uint8 RGB; transparent pixels keep their stored colour.
        opacity: (H, W) uint8, 0 transparent to 255 opaque; None if every pixel is opaque.
    """

    pixels: np.ndarray
    opacity: np.ndarray | None


def read_photo(file: Path) -> np.ndarray:
    """Read a photo of a data set as it is stored, without turning it or converting its colour space.

    Grey, CMYK and palette photos become RGB; of several frames the first is read. 16-bit and 12-bit values keep their
    upper eight bits; floats are scaled from 0 (black) .. 1 (white) to 0..255. Values outside of these ranges are
    refused, and so are pictures of more than 8 bits that become all black.

    Args:
        file: of any format that Pillow reads.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: the file is missing, empty, truncated, too large, not a picture, or its values are refused.
    """
    return _read(file, file.name, _as_stored)


def read_upright(file: Path | str) -> Upright:
    """Read a user's photo of any format, upright, as its EXIF says, and in sRGB.

    Values are as in `read_photo`. A photo with an RGB colour profile is converted to sRGB. HEIC needs pillow-heif,
    which is optional.

    Args:
        file: of any format that Pillow reads, or HEIC.

    Raises:
        InputError: as in `read_photo`, but with the whole path; and if the EXIF data cannot be read, since the photo's
            orientation is then unknown.
    """
    return _read(file, str(file), _upright)


def decode_upright(content: bytes, name: str) -> Upright:
    """Decode a photo as `read_upright` does.

    Args:
        content: of the file.
        name: for error messages, in place of the path.

    Raises:
        InputError: as in `read_upright`.
    """
    return _read(io.BytesIO(content), name, _upright)


def read_palette(file: Path) -> np.ndarray:
    """Read a mask: the stored indices of a palette PNG, or the values of a grey one.

    Returns:
        (H, W) uint8.

    Raises:
        InputError: as in `read_photo`, or the picture has colours.
    """
    return _read(file, file.name, _indices)


def _read(source: Path | str | io.BytesIO, name: str, decode: Callable[[Image.Image], Result]) -> Result:
    """Open a picture and `decode` it; any error becomes an InputError that names the file."""
    if not isinstance(source, io.BytesIO) and not os.path.isfile(source):
        raise InputError(f"{name} is a link to nothing" if os.path.islink(source) else f"{name} is missing")
    try:
        with source if isinstance(source, io.BytesIO) else open(source, "rb") as stream:
            return decode(_open(stream))
    except InputError as refusal:
        raise InputError(f"{name} {refusal}") from None
    except Image.DecompressionBombError:
        raise InputError(f"{name} has more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except MemoryError as error:
        raise InputError(f"{name} is too large for this machine's memory") from error
    # What a decoder raises depends on the damage. Of its OSErrors only the operating system's have an errno.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{name} cannot be read: {error.strerror}") from error
        raise InputError(f"{name} is truncated or broken ({brief(error)})") from error


def _open(stream: IO[bytes]) -> Image.Image:
    """Identify a picture by its content, without decoding it. The InputError lacks the name, which `_read` adds."""
    if stream.seek(0, os.SEEK_END) == 0:
        raise InputError("is empty (0 bytes)")
    try:
        image = Image.open(stream)
    except UnidentifiedImageError:
        if not _is_heif(stream):
            raise InputError("is not a picture") from None
        image = _open_heif(stream)
    limit = Image.MAX_IMAGE_PIXELS  # read here: a caller may have set it
    if limit is not None and image.width * image.height > limit:
        raise InputError(f"has more than {limit} pixels")
    if image.format == "EPS":
        raise InputError("is not a picture but a program (EPS) that draws one; save it as PNG")
    if _tiff_tag(image, _SUBFILE_TYPE, 0) & 1:
        raise InputError("is a camera's raw file, of which only the thumbnail can be read; save it as JPEG or TIFF")
    return image


def _tiff_tag(image: Image.Image, tag: int, default: Any) -> Any:
    """Value of a TIFF's tag; `default` without it, and in other formats."""
    return image.tag_v2.get(tag, default) if isinstance(image, TiffImageFile) else default


def _is_heif(stream: IO[bytes]) -> bool:
    stream.seek(4)
    return stream.read(4) == b"ftyp" and stream.read(4) in _HEIF_BRANDS


def _open_heif(stream: IO[bytes]) -> Image.Image:
    try:
        import pillow_heif  # optional # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("is a HEIC picture; to read it: pip install pillow-heif") from None
    pillow_heif.register_heif_opener()
    return Image.open(stream)


def _as_stored(image: Image.Image) -> np.ndarray:
    # Pillow turns a TIFF when it decodes it, and no other format.
    turned = image.getexif().get(_ORIENTATION) if image.format == "TIFF" else None
    return np.asarray(_turned(_eight_bits(image).convert("RGB"), _TO_STORED, turned))


def _upright(image: Image.Image) -> Upright:
    picture = _eight_bits(image)
    # After decoding, because Pillow has turned TIFF and HEIC by then and updated their EXIF.
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
    return picture.transpose(turns[orientation]) if isinstance(orientation, int) and orientation in turns else picture


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception as error:
        reason = f"has EXIF data that can't be read ({brief(error)})"
        raise InputError(f"{reason}, and may have to be turned; save it again, upright and without them") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """The decoded picture, with more than 8 bits per value reduced to 8. Raises InputError as `read_photo`."""
    deep = image.mode.startswith(("I", "F"))
    # Pillow reduces 16-bit colour to 8 bits by itself.
    shortened = not deep and any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))
    bits = 12 if _tiff_tag(image, _BITS_PER_SAMPLE, None) == (12,) else 16
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
    """Convert RGB from its ICC profile to sRGB; profiles that are broken or not for RGB (grey, CMYK) are ignored."""
    if not profile:
        return picture
    try:
        source: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB":
            return picture
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB")) or picture
    except (OSError, ImageCms.PyCMSError):
        return picture
