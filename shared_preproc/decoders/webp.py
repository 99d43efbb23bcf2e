"""WebP: Pillow, with only the chunks that hold the picture. Layout: RFC 9649, section 2."""

import io
import struct
from collections.abc import Iterator

from PIL.WebPImagePlugin import WebPImageFile

from shared_preproc.decoders.exif import orientation
from shared_preproc.decoders.stored import Gray, StoredPicture, damage_refused, gray_of, unsupported

__all__ = ["open_webp"]

_MOST_CHUNKS = 1000
_LOSSY_START = b"\x9d\x01\x2a"  # RFC 6386, 9.1
_LOSSLESS_START = 0x2F  # RFC 9649, 3.4
_HAS_ALPHA = 0x10


def open_webp(data: bytes) -> StoredPicture:
    """Read a WebP's header.

    Raises:
        UnsupportedFormatError: animated, or far more chunks than encoders write.
        UndecodableImageError: the header is damaged, or the file is cut short.
    """
    with damage_refused("WebP"):
        chunks = dict(_chunks(data))
        if b"ANIM" in chunks or b"ANMF" in chunks:
            raise unsupported("an animated WebP")
        size_px = _lossless_size(chunks[b"VP8L"]) if b"VP8L" in chunks else _lossy_size(chunks[b"VP8 "])
        picture = _plain_webp(chunks, size_px)

    def pixels() -> Gray:
        with damage_refused("WebP"), WebPImageFile(io.BytesIO(picture)) as image:
            image.load()
            return gray_of(image)

    return StoredPicture("WebP", size_px, orientation(chunks.get(b"EXIF", b"")), pixels)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and body of each chunk; each kind may stand once."""
    end, start, seen = 8 + struct.unpack_from("<I", data, 4)[0], 12, set[bytes]()
    if end > len(data):
        raise ValueError("cut short")
    while start + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, start)
        if start + 8 + length > end:
            raise ValueError("a chunk beyond the end")
        if kind in seen and kind != b"ANMF":
            raise ValueError("a chunk that stands twice")
        if len(seen) == _MOST_CHUNKS:
            raise unsupported(f"a WebP of more than {_MOST_CHUNKS} chunks")
        seen.add(kind)
        yield kind, data[start + 8 : start + 8 + length]
        start += 8 + length + length % 2


def _lossy_size(body: bytes) -> tuple[int, int]:
    if body[3:6] != _LOSSY_START:
        raise ValueError("no key frame")
    width_px, height_px = struct.unpack_from("<HH", body, 6)
    return width_px & 0x3FFF, height_px & 0x3FFF


def _lossless_size(body: bytes) -> tuple[int, int]:
    signature, bits = struct.unpack_from("<BI", body)
    if signature != _LOSSLESS_START:
        raise ValueError("no signature")
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)


def _plain_webp(chunks: dict[bytes, bytes], size_px: tuple[int, int]) -> bytes:
    parts: list[tuple[bytes, bytes]] = []
    if b"ALPH" in chunks and b"VP8L" not in chunks:
        sides = b"".join(struct.pack("<I", side - 1)[:3] for side in size_px)
        parts += [(b"VP8X", struct.pack("<I", _HAS_ALPHA) + sides), (b"ALPH", chunks[b"ALPH"])]
    kind = b"VP8L" if b"VP8L" in chunks else b"VP8 "
    parts.append((kind, chunks[kind]))
    body = b"".join(kind + struct.pack("<I", len(part)) + part + bytes(len(part) % 2) for kind, part in parts)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
