"""Where on a page a lead's ink is looked for: around its zero line, as far as there is ink. Knows no curve."""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from shared_preproc.layout import Box, Layout
from shared_preproc.leads import Lead
from shared_preproc.masks import Mask
from shared_preproc.spec import TraceSpec

__all__ = ["Window", "find_windows"]


class Window(NamedTuple):
    """What surrounds a lead's zero line. Rows count from its first."""

    ink: Mask
    zero_px: float
    name_rows: range
    name_width_px: int
    open_above: bool
    """Whether ink in the first row goes on to another lead's; so `open_below` for the last."""
    open_below: bool


def find_windows(ink: Mask, layout: Layout, spec: TraceSpec) -> list[Window]:
    """Each lead's window in the ink of a page, uint8 (height_px, width_px), in page order.

    It is the rows with ink without a break around the box's fullest, up to the next leads' zero lines at most.
    """
    surroundings = _surroundings(layout, spec)
    columns = {one.column: None for one in surroundings}
    fills = {
        column: cv2.reduce(
            ink[column.top : column.bottom, column.left : column.right], 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S
        )[:, 0]
        for column in columns
    }
    windows = []
    for one in surroundings:
        fill = fills[one.column][one.first - one.column.top : one.end - one.column.top]
        level = one.box_rows.start + int(fill[one.box_rows.start : one.box_rows.stop].argmax())
        blank = np.flatnonzero(fill == 0)
        start, stop = int(blank[blank < level].max(initial=0)), int(blank[blank > level].min(initial=len(fill)))
        windows.append(
            Window(
                ink=ink[one.first + start : one.first + stop, one.column.left : one.column.right],
                zero_px=one.zero_px - start,
                name_rows=range(one.name_rows.start - start, one.name_rows.stop - start),
                name_width_px=one.name_width_px,
                open_above=one.below_another and start == 0,
                open_below=one.above_another and stop == len(fill),
            )
        )
    return windows


class _Surrounding(NamedTuple):
    """The most that a window can be: rows count from the page's ``first``."""

    column: Box
    """Of the leads that stand above each other."""
    first: int
    end: int
    box_rows: range
    zero_px: float
    name_rows: range
    name_width_px: int
    below_another: bool
    above_another: bool


@cache
def _surroundings(layout: Layout, spec: TraceSpec) -> tuple[_Surrounding, ...]:
    return tuple(_surrounding(lead, box, layout, spec) for lead, box in layout.lead_boxes)


def _surrounding(lead: Lead, box: Box, layout: Layout, spec: TraceSpec) -> _Surrounding:
    zero_px = next(row for row in spec.zero_rows_px if box.top <= row < box.bottom)
    name_top, name_bottom = spec.name_rows_px
    column = [other for _, other in layout.lead_boxes if (other.left, other.right) == (box.left, box.right)]
    top, bottom = min(other.top for other in column), max(other.bottom for other in column)
    above = [int(row) - name_bottom for row in spec.zero_rows_px if top <= row < zero_px]
    below = [int(row) + name_bottom for row in spec.zero_rows_px if zero_px < row < bottom]
    first, end = max([top, *above]), min([bottom, *below])
    zero = int(zero_px) - first
    return _Surrounding(
        column=Box(top, bottom, box.left, box.right),
        first=first,
        end=end,
        box_rows=range(box.top - first, box.bottom - first),
        zero_px=zero_px - first,
        name_rows=range(zero + name_top, zero + name_bottom),
        name_width_px=spec.augmented_name_width_px if lead.startswith("aV") else spec.name_width_px,
        below_another=bool(above),
        above_another=bool(below),
    )
