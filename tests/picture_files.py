"""Picture files of every kind, with parts added, dropped or untrue. All are drawn; none holds a person's data."""

import struct
import zlib
from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from tests.factories import encoded, page_array, page_jpeg, page_png, progressive_jpeg

PNG_START = b"\x89PNG\r\n\x1a\n"
SCAN = b"\xff\xda"
END = b"\xff\xd9"


def page_image() -> Image.Image:
    """The drawn page, RGB."""
    return Image.fromarray(page_array())


def black_and_white() -> Image.Image:
    """The drawn page as a fax shows it."""
    return Image.fromarray(np.asarray(page_image().convert("L")) > 128)


def jpeg_with(*segments: tuple[int, bytes], page: bytes | None = None) -> bytes:
    """A page with segments of these markers before its own."""
    page = page_jpeg() if page is None else page
    added = (struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    return page[:2] + b"".join(added) + page[2:]


def jpeg_of_frame(marker: int) -> bytes:
    """A page whose frame header claims another way of coding."""
    return page_jpeg().replace(b"\xff\xc0", bytes((0xFF, marker)), 1)


def jpeg_without_last_scan() -> bytes:
    """A progressive page that ends, with its end marker, before its last scan."""
    return SCAN.join(progressive_jpeg().split(SCAN)[:-1]) + END


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and body of each chunk."""
    chunks, start = [], len(PNG_START)
    while start < len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        chunks.append((kind, data[start + 8 : start + 8 + length]))
        start += length + 12
    return chunks


def png_of(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks, their checksums right."""
    return PNG_START + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    """A page with these chunks after its header."""
    header, *others = png_chunks(page_png())
    return png_of([header, *chunks, *others])


def png_of_rows(change: Callable[[bytes], bytes]) -> bytes:
    """A page whose image data, decompressed, was changed; every checksum is right."""
    chunks = png_chunks(page_png())
    rows = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    return png_of([chunks[0], (b"IDAT", zlib.compress(change(rows), 1)), (b"IEND", b"")])


def exif(orientation: int) -> bytes:
    """EXIF metadata with this orientation alone, as a TIFF file has it."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def tiff(image: Image.Image, compression: str | None = None, **tags: int) -> bytes:
    """A TIFF in one strip; ``tags`` by their names in lower case (photometric, fill_order, orientation)."""
    directory = ImageFileDirectory_v2()
    numbers = {"photometric": 262, "fill_order": 266, "orientation": 274}
    directory.update({numbers[name]: value for name, value in tags.items()})
    return encoded(image, "TIFF", compression=compression, strip_size=2**30, tiffinfo=directory)


def with_tiff_tags(data: bytes, changes: dict[int, int]) -> bytes:
    """A little-endian TIFF whose directory has other values for these tags."""
    changed = bytearray(data)
    for tag, value in changes.items():
        struct.pack_into("<I", changed, _value_at(data, tag), value)
    return bytes(changed)


def tiff_tag(data: bytes, tag: int) -> int:
    """The value of a tag in a little-endian TIFF."""
    return int(struct.unpack_from("<I", data, _value_at(data, tag))[0])


def _value_at(data: bytes, tag: int) -> int:
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    entries = range(start + 2, start + 2 + 12 * count, 12)
    return 8 + next(entry for entry in entries if struct.unpack_from("<H", data, entry)[0] == tag)


def tiff_with_many_tags(count: int, bytes_each: int) -> bytes:
    """A TIFF with private tags that all point to the same large part of the file."""
    page = tiff(page_image())
    (start,) = struct.unpack_from("<I", page, 4)
    (own,) = struct.unpack_from("<H", page, start)
    entries = page[start + 2 : start + 2 + 12 * own]
    private = b"".join(struct.pack("<HHII", 0xF000 + tag % 0xFFF, 7, bytes_each, 8) for tag in range(count))
    at = len(page) + len(page) % 2
    page = page.ljust(at, b"\0")
    return page[:4] + struct.pack("<I", at) + page[8:] + struct.pack("<H", own + count) + entries + private + bytes(4)


def gif_with_comment(blocks: int) -> bytes:
    """A GIF with a comment of this many full blocks."""
    page = encoded(page_image(), "GIF")
    return page[:-1] + b"\x21\xfe" + blocks * (b"\xff" + bytes(255)) + b"\0" + page[-1:]


def gif_of_height(height_px: int) -> bytes:
    """A GIF that claims another height than its data have rows."""
    page = encoded(page_image(), "GIF")
    claimed = struct.pack("<H", height_px)
    at = page.index(b"\x2c\0\0\0\0", 13)
    return page[:8] + claimed + page[10 : at + 7] + claimed + page[at + 9 :]


def webp_with(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP page with these chunks after its picture."""
    page = encoded(page_image(), "WEBP", lossless=True, method=0)
    added = b"".join(kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in chunks)
    return b"RIFF" + struct.pack("<I", len(page) - 8 + len(added)) + page[8:] + added


def webp_of_size(side_px: int) -> bytes:
    """A few bytes that claim a lossless WebP of ``side_px`` squared."""
    body = struct.pack("<BI", 0x2F, (side_px - 1) | (side_px - 1) << 14)
    return b"RIFF" + struct.pack("<I", 18) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body + b"\0"


def compression_bomb() -> bytes:
    """One kilobyte that unpacks to one megabyte."""
    return zlib.compress(bytes(2**20), 9)
