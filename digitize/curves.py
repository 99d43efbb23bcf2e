"""One curve after another through the ink: the most likely way from run to run, then the pen undone."""

import ctypes
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.gridmap import Floats
from shared_preproc.native import NATIVE

__all__ = ["Curve", "follow"]


class _Pen(ctypes.Structure):
    """`Pen` of shared_preproc/curve.c."""

    _fields_: ClassVar = [
        *((name, ctypes.c_int32) for name in ("level", "threshold", "carry_most")),
        *((name, ctypes.c_float) for name in ("carry", "height", "height_most", "away", "thick")),
    ]


_FOLLOW = NATIVE.follow_curve
_FOLLOW.argtypes = [
    ctypes.c_void_p,
    ctypes.c_int32,
    ctypes.c_int32,
    ctypes.c_ssize_t,
    ctypes.POINTER(_Pen),
    np.ctypeslib.ndpointer(np.int32, flags="C_CONTIGUOUS"),
    np.ctypeslib.ndpointer(np.int32, flags="C_CONTIGUOUS"),
]
_THRESHOLD = 90  # of 255
_BRIDGED_PX = 12  # columns without ink that are interpolated over
_THIN_PX = 7


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve on the flat page, one entry a column from `left` on; rows, downward; NaN where none was found.

    Attributes:
        middle: the curve.
        top, bottom: edges of the band in which it lies, the pen undone.
        run_top, run_bottom: first and last row of the ink that was met; NaN in gaps, which the others bridge.
        pen_px: width of the pen.
    """

    left: int
    middle: Floats
    top: Floats
    bottom: Floats
    run_top: Floats
    run_bottom: Floats
    pen_px: float

    @property
    def inked(self) -> NDArray[np.bool_]:
        """Columns in which ink was met, before gaps were bridged."""
        return np.isfinite(self.run_top)


def follow(ink: NDArray[np.uint8], left: int, right: int, level: float, reach: tuple[float, float]) -> Curve:
    """Follow the curve near row ``level`` between two columns of ink, looking ``reach`` rows up and down."""
    first, end = max(0, int(level - reach[0])), min(ink.shape[0], int(level + reach[1]))
    window = ink[first:end, left:right]
    width = right - left
    top, bottom = np.empty(width, np.int32), np.empty(width, np.int32)
    pen = _Pen(round(level) - first, _THRESHOLD, 100, 5.0, 1.0, 200.0, 0.01, 0.03)
    if _FOLLOW(window.ctypes.data, end - first, width, ink.strides[0], pen, top, bottom):
        raise MemoryError("no room to follow a curve in")
    return _undone(window, first, left, top, bottom)


def _undone(
    window: NDArray[np.uint8], first: int, left: int, top: NDArray[np.int32], bottom: NDArray[np.int32]
) -> Curve:
    found = top >= 0
    columns = np.flatnonzero(found)
    if len(columns) < 2:  # noqa: PLR2004 - nothing to interpolate
        empty = np.full(len(top), np.nan)
        return Curve(left, empty, empty, empty, empty, empty, 0.0)
    height = window.shape[0]

    def ink_at(rows: NDArray[np.int32]) -> Floats:
        return np.where((rows >= 0) & (rows < height), window[np.clip(rows, 0, height - 1), columns], 0) / 255.0

    upper = top[columns] + 1 - ink_at(top[columns]) - ink_at(top[columns] - 1)
    lower = bottom[columns] + ink_at(bottom[columns]) + ink_at(bottom[columns] + 1)
    thick = lower - upper
    thin = thick[thick < _THIN_PX]
    pen_px = float(np.median(thin)) if len(thin) else 3.0
    every = np.arange(len(top))
    upper_all, lower_all = np.interp(every, columns, upper), np.interp(every, columns, lower)
    reach = np.ones((1, max(1, round(pen_px)) | 1), np.uint8)
    high = cv2.dilate((upper_all + pen_px / 2)[np.newaxis].astype(np.float32), reach)[0]
    low = cv2.erode((lower_all - pen_px / 2)[np.newaxis].astype(np.float32), reach)[0]
    middle = _at_extremes(high.astype(np.float64), low.astype(np.float64), max(2, round(pen_px) + 1))
    nearest = np.abs(
        every[:, np.newaxis]
        - columns[np.clip(np.searchsorted(columns, every)[:, np.newaxis] + [-1, 0], 0, len(columns) - 1)]
    )
    known = nearest.sum(axis=1) <= _BRIDGED_PX
    known[[0, -1]] = found[[0, -1]]
    known &= (every >= columns[0]) & (every <= columns[-1])
    # Rows count pixels' edges so far; a pixel's centre is half a row on.
    middle, high, low = (np.where(known, first + edge - 0.5, np.nan) for edge in (middle, high, low))
    run_top, run_bottom = (np.where(found, first + edge, np.nan) for edge in (top, bottom))
    return Curve(left, middle, np.minimum(high, low), np.maximum(high, low), run_top, run_bottom, pen_px)


def _at_extremes(high: Floats, low: Floats, beside: int) -> Floats:
    """Middle of a band on its flanks, its upper edge at a peak and its lower edge at a trough (rows count downward)."""
    middle = (high + low) / 2
    padded = np.pad(middle, beside, mode="edge")
    before, after = padded[: -2 * beside] - middle, padded[2 * beside :] - middle
    same_side = np.sign(before) == np.sign(after)
    turn = np.where(same_side, np.sign(before) * np.minimum(np.abs(before), np.abs(after)), 0.0)
    half = np.maximum(np.abs(low - high) / 2, 1e-6)
    return middle - np.clip(turn / half, -1.0, 1.0) * half * (np.abs(low - high) > 1.0)
