"""Uploaded bytes to an upright gray picture of any size. docs/decisions/0003-decoding.md says how and why."""

from collections.abc import Callable
from dataclasses import dataclass

from shared_preproc.decoders.bmp import open_bmp
from shared_preproc.decoders.exif import upright
from shared_preproc.decoders.gif import open_gif
from shared_preproc.decoders.jpeg import open_jpeg
from shared_preproc.decoders.png import open_png
from shared_preproc.decoders.stored import Gray, ImageFormat, StoredPicture, on_white, unsupported
from shared_preproc.decoders.tiff import open_tiff
from shared_preproc.decoders.webp import open_webp
from shared_preproc.errors import UnsuitableDimensionsError
from shared_preproc.kinds import Kind, kind_of

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "Gray",
    "ImageFormat",
    "Picture",
    "decode_picture",
    "decoded",
    "on_white",
    "open_picture",
]

MAX_BYTES = 32 * 2**20
"""Largest file: a photograph of 50 megapixels, or a report page without compression, has less."""
MAX_PIXELS = 51_000_000
"""Largest picture: cameras of 50 megapixels make 8192 x 6144. It bounds the memory of a request."""

_MAX_PIXELS: dict[ImageFormat, int] = {"WebP": 30_000_000}  # Pillow takes three times the memory for it

_OPENERS: dict[Kind, Callable[[bytes], StoredPicture]] = {
    Kind.JPEG: open_jpeg,
    Kind.PNG: open_png,
    Kind.TIFF: open_tiff,
    Kind.WEBP: open_webp,
    Kind.BMP: open_bmp,
    Kind.GIF: open_gif,
}


@dataclass(frozen=True, eq=False)
class Picture:
    """One upright picture: ``gray`` is uint8 (height_px, width_px), 0 black to 255 white, BT.601 luma."""

    gray: Gray
    format: ImageFormat

    @property
    def width_px(self) -> int:
        """Columns of the upright picture."""
        return int(self.gray.shape[1])

    @property
    def height_px(self) -> int:
        """Rows of the upright picture."""
        return int(self.gray.shape[0])


def decode_picture(data: bytes) -> Picture:
    """Decode one picture of at most `MAX_PIXELS`.

    Kind and size are judged before a pixel is decoded. Transparency is laid on white, a palette resolved, an EXIF
    orientation applied.

    Raises:
        UnsupportedFormatError: the bytes are no picture of a supported kind, or one without a faithful 8-bit gray form.
        UnsuitableDimensionsError: more than `MAX_PIXELS`.
        UndecodableImageError: the file is damaged or cut short.
    """
    return decoded(open_picture(data))


def open_picture(data: bytes) -> StoredPicture:
    """Read the header of a picture of any size.

    Raises:
        UnsupportedFormatError, UndecodableImageError: as `decode_picture`.
    """
    if len(data) > MAX_BYTES:
        raise unsupported(f"{len(data)} bytes", expected=f"at most {MAX_BYTES} bytes")
    kind = kind_of(data)
    opener = _OPENERS.get(kind)
    if opener is None:
        raise unsupported(kind.found, remedy=kind.remedy)
    return opener(data)


def decoded(stored: StoredPicture) -> Picture:
    """Decode the pixels of an opened picture and turn it upright.

    Raises:
        UnsuitableDimensionsError, UndecodableImageError: as `decode_picture`.
    """
    width_px, height_px = stored.size_px
    most_pixels = _MAX_PIXELS.get(stored.format, MAX_PIXELS)
    if width_px * height_px > most_pixels:
        raise UnsuitableDimensionsError(
            width_px,
            height_px,
            expected=f"at most {most_pixels // 10**6} megapixels",
            remedy="Photograph or export the page with fewer pixels.",
        )
    return Picture(upright(stored.pixels(), stored.orientation), stored.format)
