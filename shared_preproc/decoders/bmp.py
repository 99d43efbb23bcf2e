"""BMP: Pillow; uncompressed pixels only."""

import io
import struct

from PIL.BmpImagePlugin import BmpImageFile

from shared_preproc.decoders.stored import Gray, StoredPicture, damage_refused, gray_of, unsupported

__all__ = ["open_bmp"]

_OS2_HEADER_BYTES = 12
_UNCOMPRESSED = frozenset({0, 3, 6})  # BI_RGB, BI_BITFIELDS and BI_ALPHABITFIELDS: [MS-WMF] 2.1.1.7


def open_bmp(data: bytes) -> StoredPicture:
    """Read a BMP's header.

    Raises:
        UnsupportedFormatError: run-length coded, or with a JPEG or PNG inside.
        UndecodableImageError: the header is damaged, or the file is cut short.
    """
    with damage_refused("BMP"):
        if struct.unpack_from("<I", data, 14)[0] == _OS2_HEADER_BYTES:
            width_px, height_px = struct.unpack_from("<HH", data, 18)
        else:
            width_px, height_px, compression = struct.unpack_from("<ii4xI", data, 18)
            if compression not in _UNCOMPRESSED:
                raise unsupported("a compressed BMP")
        if width_px <= 0 or height_px == 0:
            raise ValueError("no size")

    def pixels() -> Gray:
        with damage_refused("BMP"), BmpImageFile(io.BytesIO(data)) as image:
            image.load()
            return gray_of(image)

    return StoredPicture("BMP", (width_px, abs(height_px)), 1, pixels)
