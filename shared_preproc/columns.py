"""What ink there is in each column of a mask: how much, and where it begins. Knows no page and no lead."""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.masks import INK, Mask

__all__ = ["ColumnsPx", "ink_px", "upper_edge_px"]

ColumnsPx = NDArray[np.int32]
"""A number of rows for each column of a mask: int32 (columns,)."""


def ink_px(mask: Mask) -> ColumnsPx:
    """How many rows have ink."""
    return np.asarray(cv2.reduce(mask, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0] // INK, np.int32)


def upper_edge_px(mask: Mask) -> ColumnsPx:
    """The uppermost row with ink; 0 where there is none.

    With each row's ink marked by how far from below the row is, the largest mark is that of the uppermost. Marks of
    8 bits are much the fastest, so no more than 255 rows are looked at together.
    """
    edge_px = np.zeros(mask.shape[1], np.int32)
    for start in reversed(range(0, len(mask), INK)):
        rows = mask[start : start + INK]
        marks = np.arange(INK, INK - len(rows), -1, dtype=np.uint8)
        largest = (rows & marks[:, np.newaxis]).max(axis=0)
        edge_px = np.where(largest, start + INK - largest.astype(np.int32), edge_px)
    return edge_px
