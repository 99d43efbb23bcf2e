"""EXIF orientation: read it, and turn a stored picture upright."""

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["orientation", "upright"]

_ORIENTATION = 0x0112
_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_NUMBERS = {3: "H", 4: "I"}  # SHORT and LONG: TIFF 6.0, section 2

# Exif 2.32, 4.6.4 A: what brings a picture stored with this orientation upright.
_TO_UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: np.fliplr,
    3: lambda gray: np.rot90(gray, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda gray: np.rot90(gray, -1),
    7: lambda gray: np.rot90(gray, 2).T,
    8: np.rot90,
}


def orientation(exif: bytes) -> int:
    """Read the orientation, 1 to 8, from EXIF metadata; 1 (upright) if it is absent or cannot be read."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = _BYTE_ORDERS.get(exif[:2], "<")
    try:
        (directory,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, directory)
        for start in range(directory + 2, directory + 2 + 12 * entries, 12):
            tag, kind = struct.unpack_from(f"{order}HH", exif, start)
            if tag == _ORIENTATION:
                (value,) = struct.unpack_from(order + _NUMBERS.get(kind, "H"), exif, start + 8)
                return value if value in _TO_UPRIGHT else 1
    except struct.error:
        pass
    return 1


def upright(gray: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn a picture stored with this orientation upright; the result is contiguous."""
    turn = _TO_UPRIGHT.get(orientation)
    return gray if turn is None else np.ascontiguousarray(turn(gray))
