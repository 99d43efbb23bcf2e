"""Where curves run through one another: ink that belongs to two curves tells neither of them."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["crossings"]

_COLUMN = 7  # samples on both sides of a column of pixels
_BESIDE, _BEAT = 5, 11  # samples beside a beat that are left out with it, and where it may be flat
_STEEP_PX = 1.5  # of a beat, in a sample


def crossings(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Samples of each curve that are not known because another one meets it.

    A beat that meets another curve anywhere is not known as a whole.

    Args:
        rows: float32 (3, curves, samples): row of the flat page of each curve, first and last row of its ink.

    Returns:
        bool (curves, samples).
    """
    middle, near = rows[0], np.ones((1, _COLUMN), np.uint8)
    # Ink that goes on from one curve's into another's may do so in the next column.
    top = cv2.erode(np.nan_to_num(rows[1], nan=np.inf), near)
    bottom = cv2.dilate(np.nan_to_num(rows[2], nan=-np.inf), near)
    known, met = np.isfinite(middle), np.zeros(middle.shape, bool)
    for one in range(len(middle)):
        for other in range(one):
            met[[one, other]] |= known[one] & known[other] & (top[one] <= bottom[other]) & (top[other] <= bottom[one])
    steep = np.nan_to_num(np.abs(np.gradient(middle, axis=1))) > _STEEP_PX
    beats = cv2.morphologyEx((steep | met).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((1, _BEAT), np.uint8))
    for beat, touched in zip(beats, met, strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], beat, [0]]).astype(np.int8)))
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            touched[start:end] = touched[start:end].any()
    return cv2.dilate(met.astype(np.uint8), np.ones((1, _BESIDE), np.uint8)) > 0
