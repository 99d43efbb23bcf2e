"""Find the calibration pulses of a roughly placed page: they tell which way up it is, and that it is one."""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.form import FormSpec
from shared_preproc.layout import Layout
from shared_preproc.separators import Strength
from shared_preproc.surface import Points

__all__ = ["Pulses", "find_pulses", "half_page"]

_MARGIN_PX = 12  # of paper around a pulse
_REACH_PX = 48  # how far from its place a pulse is looked for, either way


class Pulses(NamedTuple):
    """The pulses of a page, from the top.

    Attributes:
        at_px: float64 (rows, 2): x, y of each pulse's middle as printed.
        by_px: float64 (rows, 2): how far right and down of there the best match is.
        likeness: float64 (rows,): its correlation with a drawn pulse, -1 to 1.
    """

    at_px: Points
    by_px: Points
    likeness: NDArray[np.float64]


def half_page(view: Strength, homography: NDArray[np.float64], layout: Layout, columns_px: int = 0) -> Strength:
    """Bring a picture to a page of half the layout's size, or to its first columns.

    Args:
        view: uint8 (height_px, width_px).
        homography: (3, 3), from the half page to ``view``.
        layout: of the page.
        columns_px: how many of the half page's columns; 0: all.
    """
    size = columns_px or layout.width_px // 2, layout.height_px // 2
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(view, homography, size, flags=flags), np.uint8)


def find_pulses(view: Strength, homography: NDArray[np.float64], layout: Layout, form: FormSpec) -> Pulses:
    """Look for each pulse around its place; arguments as of `half_page`."""
    drawn, corner = _drawn(layout, form)
    rows, columns = drawn.shape
    reach = _REACH_PX // 2
    strip = half_page(view, homography, layout, corner[0] + columns + reach)
    strip = np.pad(strip, ((reach, reach), (reach, 0)))
    foot, _, _, end = form.pulse_columns_px
    at, by, best = [], [], []
    for zero in form.zero_rows_px:
        top = zero // 2 + corner[1]
        window = strip[top : top + rows + 2 * reach, corner[0] :]
        likeness = cv2.matchTemplate(window, drawn, cv2.TM_CCOEFF_NORMED)
        row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
        at.append(((foot + end) / 2, zero - layout.px_per_mv / 2))
        by.append((2.0 * (column - reach), 2.0 * (row - reach) - zero % 2))
        best.append(float(likeness[row, column]))
    return Pulses(np.array(at), np.array(by), np.array(best))


@cache
def _drawn(layout: Layout, form: FormSpec) -> tuple[Strength, tuple[int, int]]:
    """A pulse at half size, and its left upper corner: column of the half page, row from the zero line's."""
    foot, rise, fall, end = form.pulse_columns_px
    height_px = round(layout.px_per_mv)
    height_px += height_px % 2
    left = foot - _MARGIN_PX - foot % 2
    canvas = np.zeros((height_px + 2 * _MARGIN_PX, end - left + _MARGIN_PX), np.uint8)
    line = ((foot, height_px), (rise, height_px), (rise, 0), (fall, 0), (fall, height_px), (end, height_px))
    points = np.array(line, np.int32) - np.array((left, -_MARGIN_PX), np.int32)
    cv2.polylines(canvas, [points], isClosed=False, color=255, thickness=3)
    half = cv2.GaussianBlur(cv2.resize(canvas, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), (0, 0), 0.8)
    return np.asarray(half, np.uint8), (left // 2, -(height_px + _MARGIN_PX) // 2)
