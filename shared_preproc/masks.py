"""A lead crop to its binary mask: smoothing, Otsu's threshold, ink against paper.

The fast road of the method, in 8 bits throughout. `shared_preproc.reference` is the same in plain scikit-image; the
two differ in a few of 100,000 pixels. What is done is in `masks.c`.
"""

import ctypes
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.native import NATIVE
from shared_preproc.page import Gray
from shared_preproc.spec import PreprocSpec

__all__ = ["INK", "Mask", "binarize"]

Mask = NDArray[np.uint8]
"""uint8, as the crop: `INK` where something is drawn, 0 where there is paper."""

INK = 255

_UNITS = 256  # that the weights of 8-bit smoothing add up to
_MOST_REACH_PX = 127  # that `masks.c` has room for
_ROWS_COLUMNS = 2
_BINARIZE = NATIVE.binarize
_BINARIZE.argtypes = [
    *(ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int32, ctypes.c_int32),
    *(ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p),
]


def binarize(crop: Gray, spec: PreprocSpec) -> Mask:
    """Mark what is darker than the crop's own threshold (Otsu 1979, over the 256 gray levels after smoothing).

    ``crop`` is uint8 (rows, columns), 0 black to 255 white, and may be a view of a page, of which nothing else is
    looked at; so is the mask, with values 0 and `INK`. A crop of one single level has nothing darker than its
    threshold: its mask is empty.

    Raises:
        ValueError: ``crop`` is something else, or 8 bits cannot express the smoothing that ``spec`` asks for.
    """
    if crop.dtype != np.uint8 or crop.ndim != _ROWS_COLUMNS or not crop.size or crop.strides[1] != 1:
        raise ValueError(f"a crop of {crop.dtype} {crop.shape}; expected uint8 (rows, columns), of pixels side by side")
    (height_px, width_px), mask = crop.shape, np.empty(crop.shape, np.uint8)
    weights = _weights(spec.gaussian_sigma_px, spec.gaussian_radius_px)
    source, target = crop.__array_interface__["data"][0], mask.__array_interface__["data"][0]
    if _BINARIZE(source, crop.strides[0], width_px, height_px, weights.address, weights.reach_px, target):
        raise MemoryError("no room to smooth a crop in")
    return mask


class _Weights(NamedTuple):
    values: NDArray[np.uint16]
    """Of the middle, and of what is so many pixels away on either side."""
    address: int
    reach_px: int
    """Weights further out are 0."""


@cache
def _weights(sigma_px: float, radius_px: int) -> _Weights:
    """A Gaussian's, rounded to 8 bits as OpenCV does: what rounding leaves of one is handed on to the next one inwards.

    Raises:
        ValueError: 8 bits cannot express it.
    """
    rounded, left = [], 0.0
    for weight in (cv2.getGaussianKernel(2 * radius_px + 1, sigma_px)[:radius_px, 0] * _UNITS).tolist():
        rounded.append(round(weight + left))
        left += weight - rounded[-1]
    sides = np.trim_zeros(rounded, "f")[::-1]
    reach_px, middle = len(sides), _UNITS - 2 * sum(sides)
    if middle <= 0 or min(sides, default=0) < 0 or reach_px > _MOST_REACH_PX:
        raise ValueError(f"smoothing with a sigma of {sigma_px} px; expected one that 8 bits can express")
    values = np.array([middle, *sides], np.uint16)
    return _Weights(values, values.ctypes.data, reach_px)
