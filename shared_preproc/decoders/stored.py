"""A picture whose header has been read and whose pixels have not, and the ways in which a decoder refuses one."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared_preproc.errors import PreprocError, UndecodableImageError, UnsupportedFormatError

__all__ = [
    "Gray",
    "ImageFormat",
    "StoredPicture",
    "damage_refused",
    "gray_of",
    "inflated_bytes",
    "on_white",
    "unsupported",
]

Gray = NDArray[np.uint8]
ImageFormat = Literal["JPEG", "PNG", "TIFF", "WebP", "BMP", "GIF"]

_BAND_PIXELS = 2**20
_SLICE_BYTES = 2**14  # zlib makes at most a thousand times as many of them
_SIDEWAYS = frozenset({5, 6, 7, 8})  # orientations that swap width and height: Exif 2.32, 4.6.4 A


@dataclass(frozen=True, eq=False)
class StoredPicture:
    """A picture as it lies in its file.

    ``stored_size_px`` is (width, height) in the file, ``orientation`` the EXIF value (1 to 8) that turns it upright.
    ``pixels`` decodes it to gray, uint8 (height, width), and raises `UndecodableImageError` if it is damaged.
    """

    format: ImageFormat
    stored_size_px: tuple[int, int]
    orientation: int
    pixels: Callable[[], Gray]

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        width_px, height_px = self.stored_size_px
        return (height_px, width_px) if self.orientation in _SIDEWAYS else (width_px, height_px)


def gray_of(image: Image.Image) -> Gray:
    """Convert a loaded picture to gray, uint8 (height, width), BT.601 luma; what is transparent is laid on white.

    Bands of rows bound the memory: Pillow keeps four bytes a pixel for each picture on the way.
    """
    gray = np.empty((image.height, image.width), np.uint8)
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        gray[top : top + rows] = np.asarray(on_white(band).convert("L"))
    return gray


def on_white(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on white paper; return an opaque one unchanged."""
    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def inflated_bytes(stream: bytes, limit: int) -> int:
    """Count the bytes that a zlib stream decompresses to; stop soon after ``limit``.

    Raises:
        zlib.error: the stream is damaged.
    """
    inflater, total = zlib.decompressobj(), 0
    for start in range(0, len(stream), _SLICE_BYTES):
        total += len(inflater.decompress(stream[start : start + _SLICE_BYTES]))
        if total > limit or inflater.eof:
            break
    return total


@contextmanager
def damage_refused(image_format: ImageFormat) -> Iterator[None]:
    """Turn any exception of a parser into `UndecodableImageError`; hostile bytes make parsers raise nearly anything."""
    try:
        yield
    except PreprocError:
        raise
    except Exception as error:
        raise UndecodableImageError(
            found=f"a {image_format} that is damaged or cut short",
            expected=f"a complete {image_format}",
            remedy="Send the file again from its source; if it fails again, export the report page anew.",
        ) from error


def unsupported(
    found: str,
    expected: str = "one JPEG, PNG, TIFF, WebP, BMP or GIF picture, gray, RGB or palette, 8 bits a channel",
    remedy: str = "Export the report page as a plain RGB JPEG or PNG.",
) -> UnsupportedFormatError:
    """Make the error for a kind of picture that cannot be read faithfully, or not within bounds."""
    return UnsupportedFormatError(found=found, expected=expected, remedy=remedy)
