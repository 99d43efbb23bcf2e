"""The ink in each column of a mask: how much, and where it begins. `columns.c` counts it."""

import ctypes
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_preproc.masks import Mask
from shared_preproc.native import NATIVE

__all__ = ["Columns", "ColumnsPx", "ink_columns"]

ColumnsPx = NDArray[np.int32]
"""A number of rows for each column of a mask: int32 (columns,)."""

_ROWS_COLUMNS = 2
_COUNTS = 2  # of each column
_MOST = 2**20  # rows or columns: far more than a page has
_INK_COLUMNS = NATIVE.ink_columns
_INK_COLUMNS.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p]
_INK_COLUMNS.restype = None
_NEAREST_STRETCH = NATIVE.nearest_stretch
_NEAREST_STRETCH.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *(ctypes.c_int32 for _ in range(4))]
_NEAREST_STRETCH.restype = ctypes.c_int64


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of one mask, from the left."""

    ink_px: ColumnsPx
    """How many rows have ink."""
    upper_px: ColumnsPx
    """The uppermost row with ink; 0 where there is none."""

    def nearest_px(self, start: int, width: int, *, apart: int) -> float:
        """RMS distance, in both numbers, of the ``width`` columns from ``start`` to the nearest others as wide.

        Those begin at least ``apart`` columns away; where there is no room for them, it is infinite.

        Raises:
            ValueError: there are no such columns, or these are not as they should be.
        """
        columns = len(self.ink_px)
        if not (start >= 0 and 0 < width <= columns - start and apart >= 0):
            raise ValueError(f"{width} columns from {start} on, {apart} apart, of {columns}")
        for numbers in (self.ink_px, self.upper_px):
            if numbers.dtype != np.int32 or numbers.shape != (columns,) or not numbers.flags.c_contiguous:
                raise ValueError(
                    f"columns of {numbers.dtype} {numbers.shape}; expected int32 {(columns,)}, side by side"
                )
        counts = _address(self.ink_px), _address(self.upper_px)
        squares: int = _NEAREST_STRETCH(*counts, columns, start, width, min(apart, columns))
        return math.inf if squares < 0 else math.sqrt(squares / (_COUNTS * width))


def ink_columns(mask: Mask) -> Columns:
    """Count in each column of a mask, uint8 (rows, columns), what is not 0.

    Raises:
        ValueError: it is something else.
    """
    if mask.dtype != np.uint8 or mask.ndim != _ROWS_COLUMNS or max(mask.shape) > _MOST:
        raise ValueError(f"a mask of {mask.dtype} {mask.shape}; expected uint8 (rows, columns), {_MOST} at most")
    ink = np.ascontiguousarray(mask)
    height_px, width_px = ink.shape
    ink_px, upper_px = np.empty((_COUNTS, width_px), np.int32)
    _INK_COLUMNS(_address(ink), height_px, width_px, _address(ink_px), _address(upper_px))
    return Columns(ink_px, upper_px)


def _address(numbers: NDArray[np.uint8] | ColumnsPx) -> int:
    address: int = numbers.__array_interface__["data"][0]
    return address
