"""Where on a page a lead's ink is looked for: around its zero line, as far as there is ink. Knows no curve."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.layout import Box, Layout
from shared_preproc.leads import Lead
from shared_preproc.masks import Mask
from shared_preproc.spec import TraceSpec

__all__ = ["Window", "find_windows"]

_Sides = tuple[int, int]  # of a column of leads: where it begins, and where it ends


class Window(NamedTuple):
    """What surrounds a lead's zero line. Rows count from its first."""

    ink: Mask
    zero_px: float
    name_rows: range
    name_width_px: int
    open_above: bool
    """Whether ink in the first row goes on to another lead's; so `open_below` for the last."""
    open_below: bool


def find_windows(masks: Mapping[Lead, Mask], layout: Layout, spec: TraceSpec) -> list[Window]:
    """Each lead's window in the ink of a page, from its full-size masks, in page order.

    It is the rows with ink without a break around the box's fullest, up to the next leads' zero lines at most.
    """
    fills = _fills(masks, layout)
    windows = []
    for one in _surroundings(layout, spec):
        fill = fills[one.sides][one.first : one.end]
        level = one.box_rows.start + int(fill[one.box_rows.start : one.box_rows.stop].argmax())
        paper = (fill == 0).nonzero()[0]
        above, below = paper.searchsorted((level, level + 1)).tolist()
        start = int(paper[above - 1]) if above else 0
        stop = int(paper[below]) if below < len(paper) else len(fill)
        windows.append(
            Window(
                ink=_ink(masks, one, one.first + start, one.first + stop),
                zero_px=one.zero_px - start,
                name_rows=range(one.name_rows.start - start, one.name_rows.stop - start),
                name_width_px=one.name_width_px,
                open_above=one.below_another and start == 0,
                open_below=one.above_another and stop == len(fill),
            )
        )
    return windows


def _fills(masks: Mapping[Lead, Mask], layout: Layout) -> dict[_Sides, NDArray[np.int32]]:
    """How much ink there is in each row of the page, in each column of leads."""
    fills = {(box.left, box.right): np.zeros(layout.height_px, np.int32) for _, box in layout.lead_boxes}
    for lead, box in layout.lead_boxes:
        fill = cv2.reduce(masks[lead], 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]
        fills[box.left, box.right][box.top : box.top + len(fill)] = fill
    return fills


def _ink(masks: Mapping[Lead, Mask], surrounding: "_Surrounding", start: int, stop: int) -> Mask:
    """Rows ``start`` to ``stop`` of the page, from all boxes that they cross: a tall beat does not stay in its own."""
    left, right = surrounding.sides
    shape = stop - start, right - left
    parts = [
        (box.top, masks[lead][max(start - box.top, 0) : max(stop - box.top, 0)]) for lead, box in surrounding.column
    ]
    for _, rows in parts:
        if rows.shape == shape:
            return rows
    ink = np.zeros(shape, np.uint8)
    for top, rows in parts:
        first = max(top - start, 0)
        ink[first : first + len(rows), : rows.shape[1]] = rows
    return ink


class _Surrounding(NamedTuple):
    """The most that a window can be: rows count from the page's ``first``."""

    sides: _Sides
    column: tuple[tuple[Lead, Box], ...]
    """All leads between them, one above the other."""
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
    sides = box.left, box.right
    column = tuple((other, its) for other, its in layout.lead_boxes if (its.left, its.right) == sides)
    top, bottom = min(its.top for _, its in column), max(its.bottom for _, its in column)
    above = [int(row) - name_bottom for row in spec.zero_rows_px if top <= row < zero_px]
    below = [int(row) + name_bottom for row in spec.zero_rows_px if zero_px < row < bottom]
    first, end = max([top, *above]), min([bottom, *below])
    zero = int(zero_px) - first
    return _Surrounding(
        sides=sides,
        column=column,
        first=first,
        end=end,
        box_rows=range(box.top - first, box.bottom - first),
        zero_px=zero_px - first,
        name_rows=range(zero + name_top, zero + name_bottom),
        name_width_px=spec.augmented_name_width_px if lead.startswith("aV") else spec.name_width_px,
        below_another=bool(above),
        above_another=bool(below),
    )
