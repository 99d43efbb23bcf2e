"""PNG: Pillow, with only the chunks that a page needs, and their data checked against the header.

Sections: PNG specification, third edition.
"""

import io
import struct
import zlib
from typing import NamedTuple

from PIL.PngImagePlugin import PngImageFile

from shared_preproc.decoders.exif import orientation
from shared_preproc.decoders.stored import Gray, StoredPicture, damage_refused, gray_of, inflated_bytes, unsupported

__all__ = ["PNG_START", "open_png"]

PNG_START = b"\x89PNG\r\n\x1a\n"

_MOST_CHUNKS = 20_000
_ONCE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"acTL", b"eXIf"})
_CHECKED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type: 11.2.1
_GRAY, _PALETTE = 0, 3
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # 8.1


class _Header(NamedTuple):
    width_px: int
    height_px: int
    bit_depth: int
    colour_type: int
    compression: int
    filtering: int
    interlacing: int

    @property
    def data_bytes(self) -> int:
        """Length of the image data once decompressed: each row has one byte for its filter (9.1)."""
        row_bits = self.bit_depth * _CHANNELS[self.colour_type]
        passes = _ADAM7 if self.interlacing else _WHOLE
        total = 0
        for left, top, across, down in passes:
            columns, rows = -((left - self.width_px) // across), -((top - self.height_px) // down)
            if columns > 0 and rows > 0:
                total += rows * (1 + (columns * row_bits + 7) // 8)
        return total


def open_png(data: bytes) -> StoredPicture:
    """Read a PNG's header and check its chunks.

    Raises:
        UnsupportedFormatError: 16 bits a channel, animated, a transparent level in 2 or 4 bit gray, or far more
            chunks than encoders write.
        UndecodableImageError: the header or a chunk is damaged, or the end is missing.
    """
    with damage_refused("PNG"):
        chunks, pieces = _needed_chunks(data)
        header = _Header(*struct.unpack(">IIBBBBB", chunks[b"IHDR"]))
        if 0 in (header.width_px, header.height_px):
            raise ValueError("no size")
        _refuse_unfaithful(header, chunks)

    def pixels() -> Gray:
        with damage_refused("PNG"):
            stream = b"".join(pieces)
            if inflated_bytes(stream, header.data_bytes) != header.data_bytes:
                raise ValueError("the image data has another length than the header says")
            with PngImageFile(io.BytesIO(_plain_png(chunks, stream))) as image:
                image.load()
                return gray_of(image)

    exif = chunks.get(b"eXIf", b"")
    return StoredPicture("PNG", (header.width_px, header.height_px), orientation(exif), pixels)


def _needed_chunks(data: bytes) -> tuple[dict[bytes, bytes], list[memoryview]]:
    """Give a PNG's chunks by kind, and the pieces of its image data (5.3)."""
    view, start, kind, count = memoryview(data), len(PNG_START), b"", 0
    chunks: dict[bytes, bytes] = {}
    pieces: list[memoryview] = []
    while kind != b"IEND":
        previous, count = kind, count + 1
        if count > _MOST_CHUNKS:
            raise unsupported(f"a PNG of more than {_MOST_CHUNKS} chunks")
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        if kind in _CHECKED and checksum != zlib.crc32(view[start + 4 : end]):
            raise ValueError("a wrong checksum")
        if (kind == b"IHDR") != (count == 1):
            raise ValueError("the header is not the first chunk")
        if kind == b"IDAT":
            if pieces and previous != b"IDAT":
                raise ValueError("another chunk inside the image data")
            pieces.append(view[start + 8 : end])
        elif kind in _ONCE:
            if kind in chunks:
                raise ValueError("a chunk that may stand once stands twice")
            chunks[kind] = data[start + 8 : end]
        start = end + 4
    return chunks, pieces


def _refuse_unfaithful(header: _Header, chunks: dict[bytes, bytes]) -> None:
    if header.bit_depth > 8:  # noqa: PLR2004 - bits
        raise unsupported("a PNG of 16 bits a channel")
    if b"tRNS" in chunks and header.colour_type == _GRAY and header.bit_depth in {2, 4}:
        # Pillow scales the pixels to 8 bits but not this level, and so makes another one transparent.
        raise unsupported(f"a gray PNG of {header.bit_depth} bits with a transparent level")
    if struct.unpack_from(">I", chunks.get(b"acTL", bytes(4)))[0] > 1:
        raise unsupported("an animated PNG (APNG)")


def _plain_png(chunks: dict[bytes, bytes], stream: bytes) -> bytes:
    picture = {**chunks, b"IDAT": stream, b"IEND": b""}
    kinds: tuple[bytes, ...] = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
    return PNG_START + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
        for kind, body in ((kind, picture[kind]) for kind in kinds if kind in picture)
    )
