"""Uploaded bytes to an upright grayscale page. Judges kind and size from the header; knows no lead and no HTTP.

JPEG is decoded by libjpeg-turbo in strict mode, straight to its luma plane: damage that other decoders paint over in
gray is an error here. PNG goes through Pillow. Why so: docs/decisions/0003-decoding.md.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from shared_preproc.errors import UndecodableImageError, UnsuitableDimensionsError, UnsupportedFormatError
from shared_preproc.layout import Layout

__all__ = ["MAX_PAGE_BYTES", "Gray", "ImageFormat", "Page", "decode_page", "on_white"]

MAX_PAGE_BYTES = 32 * 2**20
"""About nine bytes for each pixel of a report page: more than any sensible encoding of one needs."""

_MARKER, _SCAN, _SEQUENTIAL = 0xFF, 0xDA, frozenset({0xC0, 0xC1})  # of a JPEG: ITU T.81, table B.1
_MOST_SEGMENTS = 1000  # before a JPEG's picture; Pillow keeps each, and three million of 4 bytes take 400 MB
_MOST_SCANS = 100  # of a progressive JPEG, which has about ten; twenty bytes are enough for a way over all of it
_MOST_CHUNKS = 20_000  # of a PNG; encoders put at least some kB into one

Gray = NDArray[np.uint8]
ImageFormat = Literal["JPEG", "PNG"]

_JPEG_START = b"\xff\xd8\xff"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_BIT_DEPTH_OFFSET = 24  # PNG specification 11.2.1: after signature, length, "IHDR", width and height
_EXIF_ORIENTATION = 0x0112

# Exif 2.32, 4.6.4 A: what brings a picture stored with this orientation upright.
_TO_UPRIGHT: dict[int, Callable[[Gray], Gray]] = {
    2: np.fliplr,
    3: lambda gray: np.rot90(gray, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda gray: np.rot90(gray, -1),
    7: lambda gray: np.rot90(gray, 2).T,
    8: np.rot90,
}


@dataclass(frozen=True, eq=False)
class Page:
    """One upright report page: ``gray`` is uint8 (height_px, width_px), 0 black to 255 white, BT.601 luma."""

    gray: Gray
    format: ImageFormat

    @property
    def width_px(self) -> int:
        """Columns of the upright page."""
        return int(self.gray.shape[1])

    @property
    def height_px(self) -> int:
        """Rows of the upright page."""
        return int(self.gray.shape[0])


def decode_page(data: bytes, layout: Layout) -> Page:
    """Decode one JPEG or PNG that has the size of a report page in ``layout``.

    Kind and size are judged before a pixel is decoded. Transparency is laid on white, a palette resolved, an EXIF
    orientation applied; what has no faithful 8-bit gray form is refused.

    Raises:
        UnsupportedFormatError: not a JPEG or PNG by content; over `MAX_PAGE_BYTES`, or in far more pieces than any
            encoder makes; several pictures in one file; CMYK; 16 bits a channel.
        UnsuitableDimensionsError: width or height outside the layout's tolerance.
        UndecodableImageError: the header or the image data is truncated or corrupt.
    """
    if len(data) > MAX_PAGE_BYTES:
        raise _unsupported(f"{len(data)} bytes", expected=f"at most {MAX_PAGE_BYTES} bytes")
    if data.startswith(_JPEG_START):
        return _upright_page(*_decode_jpeg(data, layout), "JPEG", layout)
    if data.startswith(_PNG_START):
        return _upright_page(*_decode_png(data, layout), "PNG", layout)
    raise _unsupported("bytes that are neither JPEG nor PNG" if data else "an empty file")


def _decode_jpeg(data: bytes, layout: Layout) -> tuple[Gray, int]:
    _check_segments(data)
    with _damage_refused("JPEG"):
        height_px, width_px, color_space, _ = simplejpeg.decode_jpeg_header(data)
        metadata = JpegImageFile(io.BytesIO(data))
        orientation = metadata.getexif().get(_EXIF_ORIENTATION, 1)
    if color_space in {"CMYK", "YCCK"}:
        raise _unsupported("a CMYK JPEG")
    if "mp" in metadata.info:  # the MPF index of CIPA DC-007
        raise _unsupported("a JPEG that holds several pictures (MPO)")
    _refuse_unless_fitting_either_way(width_px, height_px, layout)
    with _damage_refused("JPEG"):
        gray: Gray = simplejpeg.decode_jpeg(data, colorspace="GRAY", strict=True)[:, :, 0]
    return gray, orientation


def _decode_png(data: bytes, layout: Layout) -> tuple[Gray, int]:
    _check_chunks(data)
    with _damage_refused("PNG"):
        image = PngImageFile(io.BytesIO(data))
    bit_depth = data[_PNG_BIT_DEPTH_OFFSET]
    if bit_depth > 8:  # noqa: PLR2004 - bits
        raise _unsupported("a PNG of 16 bits a channel")
    if bit_depth in {2, 4} and image.mode == "L" and "transparency" in image.info:
        # Pillow scales the pixels to 8 bits but not this level, and so makes another one transparent.
        raise _unsupported(f"a gray PNG of {bit_depth} bits with a transparent level")
    if image.n_frames > 1:
        raise _unsupported("an animated PNG (APNG)")
    _refuse_unless_fitting_either_way(image.width, image.height, layout)
    with _damage_refused("PNG"):
        image.load()
        return np.asarray(on_white(image).convert("L")), image.getexif().get(_EXIF_ORIENTATION, 1)


def _check_segments(data: bytes) -> None:
    """Check that a JPEG is in no more pieces than an encoder makes; decoders take any number, and any time for it.

    Raises:
        UnsupportedFormatError: it is.
        UndecodableImageError: its header is cut short.
    """
    with _damage_refused("JPEG"):
        segments = list(islice(_segments(data), _MOST_SEGMENTS + 1))
        first_scan = next((start for marker, start in segments if marker == _SCAN), 0)
        # Where all components share a scan of a sequential picture, libjpeg refuses another one.
        may_have_more = not any(
            marker in _SEQUENTIAL and data[start + 7] == data[first_scan + 2] for marker, start in segments
        )
    if len(segments) > _MOST_SEGMENTS:
        raise _unsupported(f"a JPEG of more than {_MOST_SEGMENTS} segments")
    if may_have_more and data.count(bytes([_MARKER, _SCAN])) > _MOST_SCANS:
        raise _unsupported(f"a JPEG of more than {_MOST_SCANS} scans")


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """A JPEG's markers up to that of its first scan, and where the length after each stands (ITU T.81, B.1.1).

    A byte that only fills is one more, without a length.

    Raises:
        ValueError, IndexError, struct.error: something else stands there, or nothing.
    """
    start, marker = 2, 0
    while marker != _SCAN:
        if data[start] != _MARKER:
            raise ValueError("no marker after a segment")
        marker, start = data[start + 1], start + 1
        if marker == _MARKER:
            yield marker, start
        else:
            start += 1
            yield marker, start
            start += struct.unpack_from(">H", data, start)[0]


def _check_chunks(data: bytes) -> None:
    """Check that a PNG is whole: IHDR first, each chunk's CRC, IEND. Pillow reads on without the last two.

    Raises:
        UnsupportedFormatError: it is in more chunks than its size explains.
        UndecodableImageError: it is not whole.
    """
    with _damage_refused("PNG"):
        kinds = list(islice(_chunks(data), _MOST_CHUNKS + 1))
        if kinds[0] != b"IHDR":
            raise ValueError("a first chunk that is not IHDR")
    if len(kinds) > _MOST_CHUNKS:
        raise _unsupported(f"a PNG of more than {_MOST_CHUNKS} chunks")


def _chunks(data: bytes) -> Iterator[bytes]:
    """The kinds of a PNG's chunks (PNG specification 5.3).

    Raises:
        ValueError: a CRC is wrong.
        struct.error: the end is missing.
    """
    start, kind = len(_PNG_START), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + length + 8
        if struct.unpack_from(">I", data, end)[0] != zlib.crc32(memoryview(data)[start + 4 : end]):
            raise ValueError(f"a wrong CRC in a chunk {kind!r}")
        yield kind
        start = end + 4


def on_white(image: Image.Image) -> Image.Image:
    """Lay what is transparent in a picture on white, as paper is; an opaque picture is returned as it is."""
    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _upright_page(gray: Gray, orientation: int, image_format: ImageFormat, layout: Layout) -> Page:
    to_upright = _TO_UPRIGHT.get(orientation)
    upright = gray if to_upright is None else np.ascontiguousarray(to_upright(gray))
    page = Page(gray=upright, format=image_format)
    if not layout.fits(page.width_px, page.height_px):
        raise UnsuitableDimensionsError(page.width_px, page.height_px, expected=layout.expected_size)
    return page


def _refuse_unless_fitting_either_way(width_px: int, height_px: int, layout: Layout) -> None:
    """Refuse, before decoding, what no orientation could make fit: the bound on memory and time."""
    if not (layout.fits(width_px, height_px) or layout.fits(height_px, width_px)):
        raise UnsuitableDimensionsError(width_px, height_px, expected=layout.expected_size)


@contextmanager
def _damage_refused(image_format: ImageFormat) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # parsers of hostile bytes raise nearly anything: struct.error, SyntaxError, KeyError
        raise _damaged(image_format) from error


def _damaged(image_format: ImageFormat) -> UndecodableImageError:
    return UndecodableImageError(
        found=f"a {image_format} that is damaged or cut short",
        expected=f"a complete {image_format}",
        remedy="Send the file again from its source; if it fails again, export the report page anew.",
    )


def _unsupported(
    found: str, expected: str = "one JPEG or PNG picture, gray, RGB or palette, 8 bits a channel"
) -> UnsupportedFormatError:
    return UnsupportedFormatError(
        found=found, expected=expected, remedy="Export the report page as a plain RGB JPEG or PNG."
    )
