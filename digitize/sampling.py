"""Curves of the flat page to millivolt on the page's clock, and the pixels that they came from."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.curves import Curve, follow
from digitize.extent import FollowedRow
from digitize.flat import FlatPage
from digitize.gridmap import Floats
from digitize.layouts import Layout
from digitize.names import NAMES

__all__ = ["RATE_HZ", "Axes", "Sampled", "sample_leads", "sample_row"]

RATE_HZ = 500.0
_PEN = 80  # ink from here on is the pen's
_STROKE_PX = 4  # a pulse's pen
_EDGE_PX = 9  # beside a column's edge, where a separator may stand
_SEPARATOR_PX = 64  # above and below the zero line
_TALL_PX = 13  # least height of a separator's stroke
_DASH_PX = 7  # between its dashes
_IN_MOST = 0.6

Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Axes:
    """Where the page's clock and its leads lie on the flat page.

    Attributes:
        start: column of t = 0.
        px_per_s, px_per_mv: scale.
        column_s: seconds in a column of leads.
        column_px: from the start of one column of leads to the next; where it is less than `column_s` takes, the page
            leaves the end of each lead out.
    """

    start: float
    px_per_s: float
    px_per_mv: float
    column_s: float
    column_px: float


@dataclass(frozen=True, eq=False)
class Sampled:
    """Curves on the page's clock; NaN where nothing is printed or readable.

    Attributes:
        mv: float32 (3, ..., samples), the curve, its top and bottom.
        pixels: float32 (2, ..., samples), across and down in the picture.
        rows: float32 (3, ..., samples), the curve on the flat page, first and last row of its ink.
    """

    mv: Floats32
    pixels: Floats32
    rows: Floats32

    def without(self, unknown: NDArray[np.bool_]) -> "Sampled":
        """The same with NaN where ``unknown``, bool (..., samples)."""
        return Sampled(*(np.where(unknown, np.float32(np.nan), each) for each in (self.mv, self.pixels, self.rows)))


def sample_leads(
    page: FlatPage, ink: NDArray[np.uint8], rows: list[FollowedRow], axes: Axes, layout: Layout
) -> Sampled:
    """Each of the 12 leads in its part of the clock.

    Each lead is followed by itself: what its neighbour does at their common edge, or a separator there, says nothing
    about it.
    """
    clock = np.arange(round(axes.column_s * layout.columns * RATE_HZ)) / RATE_HZ
    leads = Sampled(*(np.full((count, len(NAMES), len(clock)), np.nan, np.float32) for count in (3, 2, 3)))
    width = axes.column_px if layout.columns > 1 else axes.column_s * axes.px_per_s
    before, after = _separator(ink, rows, axes, layout.columns)
    for each in rows:
        for column, lead in enumerate(each.row.leads):
            inside = (clock >= column * axes.column_s) & (clock < (column + 1) * axes.column_s)
            first = axes.start + column * axes.column_px
            left = first + after * (column > 0)
            curve = _curve(ink, each, left, first + width - before * (column + 1 < layout.columns))
            x = first + (clock[inside] - column * axes.column_s) * axes.px_per_s
            one = _sampled(page, curve, each.zero, axes.px_per_mv, x)
            index = NAMES.index(lead)
            leads.mv[:, index, inside] = -one.mv[[0, 2, 1]] if lead in layout.inverted else one.mv
            leads.pixels[:, index, inside] = one.pixels
            leads.rows[:, index, inside] = one.rows
    return leads


def _separator(ink: NDArray[np.uint8], rows: list[FollowedRow], axes: Axes, columns: int) -> tuple[int, int]:
    """How far strokes between columns reach to the left and right of their edge: most rows have them at one place."""
    edges = [round(axes.start + column * axes.column_px) for column in range(1, columns)]
    if not edges or edges[0] < _EDGE_PX or edges[-1] + _EDGE_PX >= ink.shape[1]:
        return 0, 0
    reach = _SEPARATOR_PX
    padded = cv2.copyMakeBorder(ink, reach, reach, 0, 0, cv2.BORDER_CONSTANT, value=0)
    windows = [
        padded[round(each.row.baseline) : round(each.row.baseline) + 2 * reach, edge - _EDGE_PX : edge + _EDGE_PX + 1]
        for each in rows
        for edge in edges
        if 0 <= round(each.row.baseline) < len(ink)
    ]
    common = (np.mean([window >= _PEN for window in windows], axis=0) >= _IN_MOST).astype(np.uint8)
    common = cv2.morphologyEx(common, cv2.MORPH_CLOSE, np.ones((_DASH_PX, 1), np.uint8))
    strokes = cv2.morphologyEx(common, cv2.MORPH_OPEN, np.ones((_TALL_PX, 1), np.uint8)).max(axis=0)
    at = np.flatnonzero(strokes) - _EDGE_PX
    return (max(0, 1 - int(at[0])), max(0, 1 + int(at[-1]))) if len(at) else (0, 0)


def sample_row(page: FlatPage, ink: NDArray[np.uint8], row: FollowedRow, axes: Axes, page_s: float) -> Sampled:
    """A row that runs over the whole page, (..., samples)."""
    clock = np.arange(round(page_s * RATE_HZ)) / RATE_HZ
    curve = _curve(ink, row, axes.start, axes.start + page_s * axes.px_per_s)
    return _sampled(page, curve, row.zero, axes.px_per_mv, axes.start + clock * axes.px_per_s)


def _curve(ink: NDArray[np.uint8], each: FollowedRow, first: float, last: float) -> Curve:
    """Follow a part of a row, its pulse left out."""
    left, right = round(first), round(last) + 1
    if each.pulse and each.pulse.right < (first + last) / 2:
        left = max(left, round(each.pulse.right) + _STROKE_PX)
    elif each.pulse:
        right = min(right, round(each.pulse.left) - _STROKE_PX)
    left = min(max(0, left), ink.shape[1] - 2)
    return follow(ink, left, max(left + 2, min(ink.shape[1], right)), each.row.baseline, (each.reach, each.reach))


def _sampled(page: FlatPage, curve: Curve, zero: float, px_per_mv: float, x: Floats) -> Sampled:
    """A curve at columns of the flat page."""
    columns = curve.left + np.arange(len(curve.middle))
    rows = np.stack([_between(x, columns, edge) for edge in (curve.middle, curve.top, curve.bottom)])
    page_x, page_y = page.page_pixels(x, np.nan_to_num(rows[0], nan=zero))
    pixels = np.stack([page_x, page_y]).astype(np.float32)
    pixels[:, ~np.isfinite(rows[0])] = np.nan
    at = np.clip(np.rint(x).astype(int) - curve.left, 0, len(columns) - 1)
    ink = np.stack([rows[0], curve.run_top[at], curve.run_bottom[at]]).astype(np.float32)
    return Sampled(((zero - rows) / px_per_mv).astype(np.float32), pixels, ink)


def _between(x: Floats, columns: NDArray[np.int64], edge: Floats) -> Floats:
    known = np.isfinite(edge)
    if not known.any():
        return np.full(len(x), np.nan)
    value = np.interp(x, columns[known], edge[known], left=np.nan, right=np.nan)
    nearest = np.clip(np.rint(x - columns[0]).astype(int), 0, len(columns) - 1)
    return np.where(known[nearest], value, np.nan)
