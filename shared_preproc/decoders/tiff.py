"""TIFF of one page: Pillow and libtiff, with only the tags that the picture needs. Sections: TIFF 6.0."""

import io
import struct
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image, ImageChops
from PIL.TiffImagePlugin import TiffImageFile

from shared_preproc.decoders.exif import orientation
from shared_preproc.decoders.libtiff import errors_raised
from shared_preproc.decoders.stored import Gray, StoredPicture, damage_refused, gray_of, inflated_bytes, unsupported

__all__ = ["open_tiff"]

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _SAMPLE_FORMAT = 256, 257, 258, 259, 262, 277, 339
_STRIP_OFFSETS, _ROWS_A_STRIP, _STRIP_BYTES, _PLANES = 273, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_FILL_ORDER, _FAX3_OPTIONS, _FAX4_OPTIONS, _PREDICTOR, _COLOURS, _EXTRA_SAMPLES = 266, 292, 293, 317, 320, 338
_NEEDED = frozenset(
    {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _SAMPLE_FORMAT}
    | {_STRIP_OFFSETS, _ROWS_A_STRIP, _STRIP_BYTES, _PLANES}
    | {_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES}
    | {_FILL_ORDER, _FAX3_OPTIONS, _FAX4_OPTIONS, _PREDICTOR, _COLOURS, _EXTRA_SAMPLES}
)
_NUMBERS = {1: "B", 3: "H", 4: "I"}  # BYTE, SHORT and LONG: section 2
_UNCOMPRESSED = 1
_FAX = 4
_DEFLATE = frozenset({8, 32946})
_COMPRESSIONS = frozenset({_UNCOMPRESSED, _FAX, 5, 32773}) | _DEFLATE  # 5 is LZW, 32773 PackBits
_REFUSED_COMPRESSIONS = {
    **dict.fromkeys((2, 3), "a TIFF with Group 3 fax compression"),
    **dict.fromkeys((6, 7), "a TIFF with JPEG compression"),
}
_LOW_BIT_FIRST = 2
_END_OF_BLOCK = 2 * "000000000001"  # ITU-T T.6, 2.4.1.1
_END_OF_BLOCK_BYTES, _LAST_BYTES = 3, 5
_GRAY_AND_RGB = frozenset({0, 1, 2, 3})  # photometric: white is 0, black is 0, RGB, palette
_CMYK = 5
_SEPARATE = 2
_MOST_SAMPLES = 4  # of 8 bits: red, green, blue and alpha
_MOST_PIECES = 100_000
_MOST_TILE_PX = 4096


class _Tag(NamedTuple):
    raw: bytes
    """The twelve bytes of its entry."""
    numbers: tuple[int, ...]


def open_tiff(data: bytes) -> StoredPicture:
    """Read the header of a TIFF of one page.

    Raises:
        UnsupportedFormatError: several pages, JPEG inside, CMYK, 16 bits a channel, or a rare layout of pixels.
        UndecodableImageError: the header is damaged, or strips of the picture are missing.
    """
    with damage_refused("TIFF"):
        tags = dict(_needed_tags(data))
        (width_px,), (height_px,) = tags[_WIDTH].numbers, tags[_HEIGHT].numbers
        compression = _number(tags, _COMPRESSION, _UNCOMPRESSED)
        _refuse_unfaithful(tags)
        _check_pieces(tags, width_px, height_px, len(data))
        picture = _with_tags(data, tags)
        try:
            image = TiffImageFile(io.BytesIO(picture))
        except SyntaxError as error:
            raise unsupported("a TIFF whose pixels are laid out in a rare way") from error

    def pixels() -> Gray:
        with damage_refused("TIFF"), errors_raised(), image:
            if compression in _DEFLATE:
                _check_checksums(data, tags, limit=_MOST_SAMPLES * width_px * height_px)
            image.load()
            if compression == _FAX:
                _check_fax_rows(image, data, tags)
            return gray_of(image)

    return StoredPicture("TIFF", (width_px, height_px), orientation(data), pixels)


def _needed_tags(data: bytes) -> Iterator[tuple[int, _Tag]]:
    """Yield the needed tags of the first directory, which must be the only one (section 2)."""
    order = _order(data)
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    if struct.unpack_from(f"{order}I", data, start + 2 + 12 * count)[0]:
        raise unsupported("a TIFF of several pages", remedy="Send the page with the ECG as a file of its own.")
    seen = set[int]()
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, entry)
        if tag in _NEEDED:
            if tag in seen or values > _MOST_PIECES or values == 0:
                raise ValueError("a tag that stands twice, or has no or too many values")
            seen.add(tag)
            layout = f"{order}{values}{_NUMBERS[kind]}"
            inside = struct.calcsize(layout) <= 4  # noqa: PLR2004 - bytes of the entry's own value field
            at = entry + 8 if inside else struct.unpack_from(f"{order}I", data, entry + 8)[0]
            yield tag, _Tag(data[entry : entry + 12], struct.unpack_from(layout, data, at))


def _order(data: bytes) -> str:
    return "<" if data.startswith(b"II") else ">"


def _number(tags: dict[int, _Tag], tag: int, default: int) -> int:
    return tags[tag].numbers[0] if tag in tags else default


def _refuse_unfaithful(tags: dict[int, _Tag]) -> None:
    compression, photometric = _number(tags, _COMPRESSION, _UNCOMPRESSED), tags[_PHOTOMETRIC].numbers[0]
    if compression not in _COMPRESSIONS or (compression == _FAX and _TILE_OFFSETS in tags):
        raise unsupported(_REFUSED_COMPRESSIONS.get(compression, "a TIFF of a rare compression"))
    if photometric == _CMYK:
        raise unsupported("a CMYK TIFF")
    if photometric not in _GRAY_AND_RGB:
        raise unsupported("a TIFF of a rare colour space")
    if max(tags[_BITS].numbers if _BITS in tags else (1,)) > 8 or _number(tags, _SAMPLE_FORMAT, 1) != 1:  # noqa: PLR2004
        raise unsupported("a TIFF of more than 8 bits a channel")
    if max(_number(tags, _TILE_WIDTH, 0), _number(tags, _TILE_HEIGHT, 0)) > _MOST_TILE_PX:
        raise unsupported(f"a TIFF with tiles of more than {_MOST_TILE_PX} px")


def _check_pieces(tags: dict[int, _Tag], width_px: int, height_px: int, file_bytes: int) -> None:
    """Check that the picture has all its strips or tiles, and that they lie in the file (sections 7 and 15)."""
    samples = _number(tags, _SAMPLES, 1)
    if _TILE_OFFSETS in tags:
        across, down = tags[_TILE_WIDTH].numbers[0], tags[_TILE_HEIGHT].numbers[0]
    else:
        across, down = width_px, min(_number(tags, _ROWS_A_STRIP, height_px), height_px)
    offsets, lengths = _pieces(tags)
    planes = samples if _number(tags, _PLANES, 1) == _SEPARATE else 1
    expected = -(-width_px // across) * -(-height_px // down) * planes
    if not expected == len(offsets) == len(lengths):
        raise ValueError("another number of strips or tiles than the size asks for")
    if any(offset + length > file_bytes for offset, length in zip(offsets, lengths, strict=True)):
        raise ValueError("a strip or tile beyond the end of the file")
    row_bits = width_px * sum(tags[_BITS].numbers if _BITS in tags else (1,))
    if _number(tags, _COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED and sum(lengths) < (row_bits + 7) // 8 * height_px:
        raise ValueError("rows are missing")


def _check_checksums(data: bytes, tags: dict[int, _Tag], limit: int) -> None:
    """Check each strip or tile of a Deflate picture against its checksum, which libtiff can pass over."""
    offsets, lengths = _pieces(tags)
    for offset, length in zip(offsets, lengths, strict=True):
        inflated_bytes(data[offset : offset + length], limit)


def _check_fax_rows(image: Image.Image, data: bytes, tags: dict[int, _Tag]) -> None:
    """Check that coding a fax picture again takes as many bytes as it has; libtiff fills up missing rows silently.

    T.6 leaves an encoder no choice but to write the end-of-block code or not. Encoders that waste bytes are accepted.
    """
    rows = min(_number(tags, _ROWS_A_STRIP, image.height), image.height)
    fax = image if tags[_PHOTOMETRIC].numbers[0] else ImageChops.invert(image)  # Pillow writes "black is 0"
    again = io.BytesIO()
    fax.save(again, "TIFF", compression="group4", strip_size=rows * ((image.width + 7) // 8))
    _, coded_bytes = _pieces(dict(_needed_tags(again.getvalue())))
    mirrored = _number(tags, _FILL_ORDER, 1) == _LOW_BIT_FIRST
    for coded, offset, stored in zip(coded_bytes, *_pieces(tags), strict=True):
        strip = data[offset : offset + stored].rstrip(b"\0")
        bits = "".join(f"{byte:08b}"[:: -1 if mirrored else 1] for byte in strip[-_LAST_BYTES:])
        if coded > stored if _END_OF_BLOCK in bits else coded != stored + _END_OF_BLOCK_BYTES:
            raise ValueError("rows are missing")


def _pieces(tags: dict[int, _Tag]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Offsets and lengths of the strips or tiles."""
    if _TILE_OFFSETS in tags:
        return tags[_TILE_OFFSETS].numbers, tags[_TILE_BYTES].numbers
    return tags[_STRIP_OFFSETS].numbers, tags[_STRIP_BYTES].numbers


def _with_tags(data: bytes, tags: dict[int, _Tag]) -> bytes:
    """Give the file a directory of these tags alone; what they point to stays where it is."""
    order, start = _order(data), len(data) + len(data) % 2
    directory = b"".join(tag.raw for tag in tags.values())
    return b"".join(
        (
            data[:4],
            struct.pack(f"{order}I", start),
            memoryview(data)[8:],
            bytes(len(data) % 2),
            struct.pack(f"{order}H", len(tags)),
            directory,
            bytes(4),
        )
    )
