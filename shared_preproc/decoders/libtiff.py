"""Errors that libtiff reports while Pillow decodes: Pillow neither raises them nor keeps them off standard error."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import _imaging

__all__ = ["errors_raised"]


class _Errors(threading.local):
    count = 0


_errors = _Errors()
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)  # TIFFErrorHandler: tiffio.h


def _count_error(_module: bytes, _text: bytes, _arguments: int) -> None:
    _errors.count += 1


_handler = _Handler(_count_error)  # held here: libtiff keeps only its address

# libtiff has one handler for the whole process. Pillow's own module gives access to the libtiff that it is linked to.
ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(_handler)


@contextmanager
def errors_raised() -> Iterator[None]:
    """Raise ValueError at the end if libtiff reported an error in this thread."""
    _errors.count = 0
    yield
    if _errors.count:
        raise ValueError("libtiff reported an error")
