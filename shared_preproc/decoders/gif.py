"""GIF of one picture: Pillow, with only the blocks that hold it. Layout: GIF89a specification, sections 18 to 23."""

import io
import struct

from PIL.GifImagePlugin import GifImageFile

from shared_preproc.decoders.stored import Gray, StoredPicture, damage_refused, gray_of, unsupported

__all__ = ["open_gif"]

_IMAGE, _EXTENSION, _GRAPHIC_CONTROL, _TRAILER = 0x2C, 0x21, 0xF9, 0x3B
_HEADER_BYTES, _DESCRIPTOR_BYTES = 13, 10
_MOST_BLOCKS = 300_000  # of 255 bytes in encoders; more means a file of tiny ones


def open_gif(data: bytes) -> StoredPicture:
    """Read a GIF's header and find its picture.

    Raises:
        UnsupportedFormatError: several pictures, one that does not fill the page, or far more blocks than encoders
            write.
        UndecodableImageError: the file is damaged or cut short.
    """
    with damage_refused("GIF"):
        picture = _plain_gif(data)
        size_px: tuple[int, int] = struct.unpack_from("<HH", data, 6)

    def pixels() -> Gray:
        with damage_refused("GIF"), GifImageFile(io.BytesIO(picture)) as image:
            image.load()
            return gray_of(image)

    return StoredPicture("GIF", size_px, 1, pixels)


def _plain_gif(data: bytes) -> bytes:
    position = _HEADER_BYTES + _colours_bytes(data[10])
    parts, control = [data[:position]], b""
    while data[position] != _TRAILER:
        start = position
        if data[start] == _IMAGE:
            if len(parts) > 1:
                raise unsupported("a GIF of several pictures")
            if data[start + 1 : start + 9] != bytes(4) + data[6:10]:
                raise unsupported("a GIF whose picture does not fill its page")
            position = _blocks_end(data, start + _DESCRIPTOR_BYTES + _colours_bytes(data[start + 9]) + 1)
            parts += [control, data[start:position]]
        elif data[start] == _EXTENSION:
            position = _blocks_end(data, start + 2)
            if data[start + 1] == _GRAPHIC_CONTROL:
                control = data[start:position]
        else:
            raise ValueError("no block")
    if len(parts) == 1:
        raise ValueError("no picture")
    return b"".join((*parts, bytes([_TRAILER])))


def _colours_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _blocks_end(data: bytes, position: int) -> int:
    for _ in range(_MOST_BLOCKS):
        length = data[position]
        position += 1 + length
        if not length:
            return position
    raise unsupported(f"a GIF of more than {_MOST_BLOCKS} blocks")
