"""The map between the pixels of a picture and millimetres on the paper: the phase of its printed grid."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["HEAVY_MM", "Floats", "GridMap", "Phase", "Plane"]

Floats = NDArray[np.float64]
Plane = NDArray[np.float32]

HEAVY_MM = 5.0
"""Between the heavy lines of ECG paper."""

_POWERS = [(total - q, q) for total in range(4) for q in range(total + 1)]  # of x and y
_NEWTON, _NEAR_MM = 8, 0.001  # most steps; a shorter one is the last
_REMAP = 30000  # most places that OpenCV's remap takes in a row


@dataclass(frozen=True, eq=False)
class Phase:
    """Grid periods from the picture's middle: a polynomial of the place, and what the paper adds to it."""

    coefficients: Floats
    size_px: tuple[int, int]
    bend: Plane | None
    """Smooth remainder in periods, on a coarse raster over the picture."""

    def terms(self, x_px: Floats, y_px: Floats) -> Floats:
        """Terms of the polynomial at pixels: float64 (..., 10)."""
        width, height = self.size_px
        half = max(width, height) / 2
        x, y = (np.asarray(x_px) - width / 2) / half, (np.asarray(y_px) - height / 2) / half
        across, down = (1.0, x, x * x, x * x * x), (1.0, y, y * y, y * y * y)
        terms = np.empty((*np.broadcast_shapes(x.shape, y.shape), len(_POWERS)))
        for place, (p, q) in enumerate(_POWERS):
            terms[..., place] = across[p] * down[q]
        return terms

    def at(self, x_px: Floats, y_px: Floats) -> Floats:
        """Periods at pixels."""
        periods = self.terms(x_px, y_px) @ self.coefficients
        if self.bend is not None:
            width, height = self.size_px
            rows, columns = self.bend.shape
            across = np.clip(x_px / width * columns - 0.5, 0, columns - 1).astype(np.float32)
            down = np.clip(y_px / height * rows - 0.5, 0, rows - 1).astype(np.float32)
            shape = across.shape
            flat = (across.reshape(1, -1), down.reshape(1, -1))
            parts = [
                cv2.remap(self.bend, flat[0][:, k : k + _REMAP], flat[1][:, k : k + _REMAP], cv2.INTER_LINEAR)
                for k in range(0, max(1, flat[0].shape[1]), _REMAP)
            ]
            periods = periods + np.concatenate(parts, axis=1).reshape(shape)
        return periods

    def raster(self, shape: tuple[int, int]) -> Plane:
        """Periods at the centres of a raster of ``shape`` (rows, columns) over the picture, float32."""
        width, height = self.size_px
        rows, columns = shape
        half = max(width, height) / 2
        x = (((np.arange(columns) + 0.5) * width / columns - 0.5 - width / 2) / half).astype(np.float32)
        y = (((np.arange(rows) + 0.5) * height / rows - 0.5 - height / 2) / half).astype(np.float32)[:, np.newaxis]
        one, x1, y1, xx, xy, yy, xxx, xxy, xyy, yyy = self.coefficients.astype(np.float32)
        along = (one + x * (x1 + x * (xx + x * xxx)))[np.newaxis]
        periods = along + y * ((y1 + x * (xy + x * xxy)) + y * (yy + x * xyy + y * yyy))
        if self.bend is not None:
            periods += cv2.resize(self.bend, (columns, rows), interpolation=cv2.INTER_LINEAR)
        return np.asarray(periods, np.float32)

    @property
    def slope(self) -> tuple[float, float]:
        """Periods a pixel at the picture's middle, across and down."""
        width, height = self.size_px
        half = max(width, height) / 2
        return float(self.coefficients[1] / half), float(self.coefficients[2] / half)


@dataclass(frozen=True, eq=False)
class GridMap:
    """Pixel to millimetre, in both directions.

    Attributes:
        pitch_px: pixels in 5 mm, across and down, at the middle of the grid.
        residual_mm: RMS distance of the grid's lines from the fitted map.
        tilt_deg: angle of the rows to the picture's, clockwise positive.
        coverage: share of the picture in which the grid was followed, 0 to 1.
        size_px: width and height of the picture.
        across: the phase of the upright lines.
        down: the phase of the level lines.
    """

    pitch_px: tuple[float, float]
    residual_mm: float
    tilt_deg: float
    coverage: float
    size_px: tuple[int, int]
    across: Phase
    down: Phase

    def millimetres(self, x_px: Floats, y_px: Floats) -> tuple[Floats, Floats]:
        """Place on the paper of pixels: (across, down) in millimetre from the picture's middle."""
        return HEAVY_MM * self.across.at(x_px, y_px), HEAVY_MM * self.down.at(x_px, y_px)

    def pixels(self, x_mm: Floats, y_mm: Floats) -> tuple[Floats, Floats]:
        """Pixel of places on the paper, by Newton's method with the middle's slope."""
        width, height = self.size_px
        slope = np.array([self.across.slope, self.down.slope]) * HEAVY_MM
        inverse = np.linalg.inv(slope)
        start = self.millimetres(np.array(width / 2), np.array(height / 2))
        x_px = width / 2 + inverse[0, 0] * (x_mm - start[0]) + inverse[0, 1] * (y_mm - start[1])
        y_px = height / 2 + inverse[1, 0] * (x_mm - start[0]) + inverse[1, 1] * (y_mm - start[1])
        for _ in range(_NEWTON):
            at_x, at_y = self.millimetres(x_px, y_px)
            off_x, off_y = x_mm - at_x, y_mm - at_y
            x_px = x_px + inverse[0, 0] * off_x + inverse[0, 1] * off_y
            y_px = y_px + inverse[1, 0] * off_x + inverse[1, 1] * off_y
            if max(np.abs(off_x).max(initial=0.0), np.abs(off_y).max(initial=0.0)) < _NEAR_MM:
                break
        return x_px, y_px
