"""Photo and label files of the official trees: read right, or refused in one line.

Photos are taken as their pixels are stored: an EXIF rotation is not applied, because the official masks
are drawn on the stored pixels. Pillow rather than OpenCV, which fills the rest of a truncated JPEG with grey.
"""

import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from bsn.errors import InputError

# More pixels than any photo of the four sets, and few enough for the memory of any machine: Pillow's own limit.
MAX_PIXELS = Image.MAX_IMAGE_PIXELS


def read_photo(file: Path) -> np.ndarray:
    """uint8 (H, W, 3) RGB. Grey, CMYK, palette and 16-bit photos are brought to 8-bit RGB.

    Raises InputError when the file is missing, empty, truncated, too large or no picture.
    """
    image = _open(file)
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey at 255 where it should scale.
        image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    return np.asarray(image.convert("RGB"))


def read_palette(file: Path) -> np.ndarray:
    """The stored indices of a palette or grey PNG, uint8 (H, W). Raises InputError as `read_photo` does."""
    image = _open(file)
    if image.mode not in ("P", "L"):
        raise InputError(f"{file.name} is a {image.mode} picture, not a palette mask")
    return np.asarray(image)


def _open(file: Path) -> Image.Image:
    if not file.is_file():
        raise InputError(f"{file.name} is missing")
    if file.stat().st_size == 0:
        raise InputError(f"{file.name} is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file)
            image.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise InputError(f"{file.name} has more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise InputError(f"{file.name} is not a picture") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise InputError(f"{file.name} is truncated or broken ({str(error).splitlines()[0]})") from error
    return image
