"""Ways to spoil bytes: any bytes, and JPEG and PNG by their parts.

Each takes its chance from a ``Random`` that is given, so that a seed makes the same bytes again.
"""

import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random

__all__ = ["Mutator", "once_in", "spoil", "spoil_image"]

Mutator = Callable[[Random, bytes], bytes]

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8"
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_SIZES_PX = (0, 1, 1572, 2213, 2214, 16384, 65500, 65535)
_BOMB = zlib.compress(bytes(8 * 2**20), 9)
"""A thousand times its size when it is unpacked."""

Segment = tuple[bytes, bytes]
"""Kind and content: a PNG's chunk, or a JPEG's marker segment up to its scan."""


def once_in(count: int, random: Random) -> bool:
    """Throw a die of so many sides."""
    return random.randrange(count) == 0


def spoil(random: Random, data: bytes) -> bytes:
    """Spoil bytes of any kind, once to three times."""
    for _ in range(random.randint(1, 3)):
        data = random.choice(_ANY)(random, data)
    return data


def spoil_image(random: Random, data: bytes) -> bytes:
    """Spoil a JPEG or PNG: as bytes, by its parts, or both."""
    if not once_in(3, random):
        data = _spoil_png(random, data) if data.startswith(_PNG_START) else _spoil_jpeg(random, data)
    return spoil(random, data) if once_in(2, random) else data


def _truncated(random: Random, data: bytes) -> bytes:
    return data[: random.randint(0, len(data))]


def _flipped(random: Random, data: bytes) -> bytes:
    flipped = bytearray(data)
    for _ in range(random.choice((1, 4, 64)) if data else 0):
        flipped[_place(random, data)] ^= 1 << random.randrange(8)
    return bytes(flipped)


def _cut(random: Random, data: bytes) -> bytes:
    start = _place(random, data)
    return data[:start] + data[start + random.choice((1, 7, 1000)) :]


def _doubled(random: Random, data: bytes) -> bytes:
    start = _place(random, data)
    return data[: start + random.choice((1, 7, 1000))] + data[start:]


def _inserted(random: Random, data: bytes) -> bytes:
    start = _place(random, data)
    return data[:start] + random.randbytes(random.choice((1, 3, 300))) + data[start:]


def _edged(random: Random, data: bytes) -> bytes:
    """Overwrite a number with one at the edge of what its width holds."""
    start, order = _place(random, data), random.choice("<>")
    number = struct.pack(f"{order}I", random.choice(_EDGES))[: random.choice((1, 2, 4))]
    return data[:start] + number + data[start + len(number) :]


_ANY: Sequence[Mutator] = (_truncated, _flipped, _cut, _doubled, _inserted, _edged)


def _place(random: Random, data: bytes) -> int:
    """Where to spoil; every other time near the start, where the headers are."""
    end = len(data) if once_in(2, random) else min(len(data), 64)
    return random.randrange(end) if end else 0


def _rearranged(random: Random, parts: list[Segment]) -> list[Segment]:
    """Shuffle, drop, double or spoil segments of a picture."""
    at = random.randrange(len(parts))
    kind, content = parts[at]
    shuffled = random.sample(parts, len(parts))
    return random.choice(
        (
            shuffled,
            parts[:at] + parts[at + 1 :],
            [*parts[:at], parts[at], *parts[at:]],
            [*parts[:at], (kind, spoil(random, content)), *parts[at + 1 :]],
        )
    )


def _spoil_png(random: Random, data: bytes) -> bytes:
    parts = _png_chunks(data)
    spoiled = random.choice((_rearranged, _with_png_rubbish, _with_png_header, _with_png_header))(random, parts)
    return _PNG_START + b"".join(_png_chunk(kind, content) for kind, content in spoiled)


def _png_chunks(data: bytes) -> list[Segment]:
    parts, start = [], len(_PNG_START)
    while start < len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        parts.append((kind, data[start + 8 : start + 8 + length]))
        start += length + 12
    return parts


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _with_png_header(random: Random, parts: list[Segment]) -> list[Segment]:
    """Lie in IHDR: about the size, or about the kind of the pixels."""
    width, height, *kinds = struct.unpack(">IIBBBBB", parts[0][1])
    if once_in(2, random):
        width, height = (random.choice((*_SIZES_PX, *_EDGES)) for _ in range(2))
    else:
        kinds = [random.choice((0, 1, 2, 3, 4, 6, 8, 16, 255)) for _ in kinds]
    return [(b"IHDR", struct.pack(">IIBBBBB", width, height, *kinds)), *parts[1:]]


def _with_png_rubbish(random: Random, parts: list[Segment]) -> list[Segment]:
    junk = random.randbytes(random.choice((0, 1, 26, 300)))
    rubbish = random.choice(
        (
            (b"acTL", struct.pack(">II", random.choice(_EDGES), 0)),
            (b"fcTL", junk),
            (b"eXIf", _tiff(random)),
            (b"tRNS", junk),
            (b"PLTE", junk),
            (b"iCCP", b"name\0\0" + _BOMB),
            (b"zTXt", b"Comment\0\0" + _BOMB),
            (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _BOMB),
            (b"IDAT", _BOMB),
            (random.randbytes(4), junk),
        )
    )
    at = random.randint(0, len(parts))
    return [*parts[:at], rubbish, *parts[at:]]


def _spoil_jpeg(random: Random, data: bytes) -> bytes:
    parts, scan = _jpeg_segments(data)
    spoiled = random.choice((_rearranged, _with_jpeg_rubbish, _with_jpeg_frame))(random, parts)
    segments = (kind + struct.pack(">H", (len(content) + 2) & 0xFFFF) + content for kind, content in spoiled)
    return _JPEG_START + b"".join(segments) + scan


def _jpeg_segments(data: bytes) -> tuple[list[Segment], bytes]:
    parts, start = [], len(_JPEG_START)
    while data[start : start + 2] != b"\xff\xda":
        length = struct.unpack_from(">H", data, start + 2)[0]
        parts.append((data[start : start + 2], data[start + 4 : start + 2 + length]))
        start += length + 2
    return parts, data[start:]


def _with_jpeg_frame(random: Random, parts: list[Segment]) -> list[Segment]:
    """Lie in the frame header: about the size, the components, or the way it is coded."""
    at = next(index for index, (kind, _) in enumerate(parts) if kind in {b"\xff\xc0", b"\xff\xc1", b"\xff\xc2"})
    kind, content = parts[at]
    if once_in(2, random):
        content = content[:1] + struct.pack(">HH", random.choice(_SIZES_PX), random.choice(_SIZES_PX)) + content[5:]
    elif once_in(2, random):
        content = random.choice((content[:1], b"\x0c")) + content[1:5] + random.randbytes(len(content) - 5)
    else:
        kind = bytes((0xFF, random.randint(0xC0, 0xCF)))
    return [*parts[:at], (kind, content), *parts[at + 1 :]]


def _with_jpeg_rubbish(random: Random, parts: list[Segment]) -> list[Segment]:
    junk = random.randbytes(random.choice((0, 1, 16, 300)))
    rubbish = random.choice(
        (
            (b"\xff\xe1", b"Exif\0\0" + _tiff(random)),
            (b"\xff\xe2", b"MPF\0" + _tiff(random)),
            (b"\xff\xe2", b"ICC_PROFILE\0" + junk),
            (b"\xff\xee", b"Adobe" + junk),
            (b"\xff\xed", b"Photoshop 3.0\0" + junk),
            (b"\xff\xdd", junk),
            (b"\xff\xc4", junk),
            (b"\xff\xdb", junk),
            (b"\xff\xfe", bytes(60_000)),
        )
    )
    at = random.randint(0, len(parts))
    return [*parts[:at], rubbish, *parts[at:]]


def _tiff(random: Random) -> bytes:
    """Metadata as EXIF has it, with any orientation and offsets that lead anywhere; or plain rubbish."""
    if once_in(5, random):
        return random.randbytes(random.choice((0, 7, 200)))
    entries = [(0x0112, random.randint(0, 13), random.choice((0, 1, 2, *_EDGES)), random.choice((1, 3, 6, 9, *_EDGES)))]
    entries += [(random.getrandbits(16), random.randint(0, 13), 1, random.choice((8, *_EDGES))) for _ in range(3)]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + struct.pack("<I", random.choice((0, 8)))
