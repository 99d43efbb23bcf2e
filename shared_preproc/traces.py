"""Masks to the drawn curve in millivolt: lead names dropped, gaps bridged, the pen's width undone. Knows no model.

The pen turns a curve into a band: its upper edge is the curve's running maximum over the pen's width plus half a pen,
its lower edge the running minimum less half a pen. The opposite running extremes undo both (grayscale closing and
opening; Serra 1982). Why so: docs/decisions/0004-traces.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.layout import Box, Layout
from shared_preproc.leads import Lead
from shared_preproc.masks import Mask
from shared_preproc.spec import TraceSpec

__all__ = ["Trace", "page_ink", "page_traces", "trace"]

_Rows = NDArray[np.floating]  # for each column of a box, or each with ink
_Run = tuple[int, int]  # first and last row of unbroken ink in a column


@dataclass(frozen=True, eq=False)
class Trace:
    """The curve of one lead, in millivolt from the printed zero line, upward positive: float32 (samples,).

    Leads of one page column, and the rhythm strip at the same page columns, are sampled at the same instants.
    """

    signal_mv: NDArray[np.float32]
    top_mv: NDArray[np.float32]
    """Upper edge of the drawn band, the pen undone, at its highest until the neighbouring samples."""
    bottom_mv: NDArray[np.float32]
    """The same of its lower edge. Noise faster than the pen is a band: its middle is the signal."""
    coverage: float
    """Share of the box's columns in which ink of the curve was found, 0 to 1."""


def page_traces(masks: Mapping[Lead, Mask], layout: Layout, spec: TraceSpec) -> dict[Lead, Trace]:
    """Trace every lead of a page from its full-size masks (`shared_preproc.masks.binarize`), in page order."""
    ink = page_ink(masks, layout)
    return {lead: trace(ink, lead, layout, spec) for lead in layout.leads}


def page_ink(masks: Mapping[Lead, Mask], layout: Layout) -> Mask:
    """Put masks back where they were cut: uint8 (height_px, width_px), `INK` on 0, as a tall beat crosses boxes."""
    ink = np.zeros((layout.height_px, layout.width_px), np.uint8)
    for lead, box in layout.lead_boxes:
        height_px, width_px = masks[lead].shape
        ink[box.top : box.top + height_px, box.left : box.left + width_px] = masks[lead]
    return ink


def trace(ink: Mask, lead: Lead, layout: Layout, spec: TraceSpec) -> Trace:
    """Trace one lead in the ink of a page (`page_ink`). A lead without ink is flat at 0 mV, with coverage 0."""
    box = dict(layout.lead_boxes)[lead]
    window = _window(ink, lead, box, layout, spec)
    curve, name_touches = _curve_ink(window, spec)
    by_column = cv2.transpose(curve).view(np.bool_)
    columns = np.flatnonzero(by_column.any(axis=1))
    if not columns.size:
        return _sample(np.zeros((3, box.width_px)), 0.0, box, layout, spec)
    stroke = _stroke(by_column[columns], name_touches[columns], window, spec)
    edges_px = [np.interp(np.arange(box.width_px), columns, edge) for edge in _undo_pen(stroke, spec)]
    return _sample(window.zero_px - np.stack(edges_px), columns.size / box.width_px, box, layout, spec)


class _Window(NamedTuple):
    """What surrounds a lead's zero line. Rows and columns below count from its corner."""

    ink: Mask
    zero_px: float
    name: Box
    open_above: bool
    """Whether ink in the first row goes on to another lead's; so `open_below` for the last."""
    open_below: bool


def _window(ink: Mask, lead: Lead, box: Box, layout: Layout, spec: TraceSpec) -> _Window:
    """The rows that hold ink without a break around the box's fullest, up to the next leads' zero lines at most."""
    zero_px = next(row for row in spec.zero_rows_px if box.top <= row < box.bottom)
    name_top, name_bottom = spec.name_rows_px
    column = [other for _, other in layout.lead_boxes if (other.left, other.right) == (box.left, box.right)]
    top, bottom = min(other.top for other in column), max(other.bottom for other in column)
    above = [int(row) - name_bottom for row in spec.zero_rows_px if top <= row < zero_px]
    below = [int(row) + name_bottom for row in spec.zero_rows_px if zero_px < row < bottom]
    first, end = max([top, *above]), min([bottom, *below])
    zero = int(zero_px) - first
    fill = cv2.reduce(ink[first:end, box.left : box.right], 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]
    level = box.top - first + int(fill[box.top - first : box.bottom - first].argmax())
    blank = np.flatnonzero(fill == 0)
    start, stop = int(blank[blank < level].max(initial=0)), int(blank[blank > level].min(initial=end - first))
    name_width_px = spec.augmented_name_width_px if lead.startswith("aV") else spec.name_width_px
    return _Window(
        ink=ink[first + start : first + stop, box.left : box.right],
        zero_px=zero_px - first - start,
        name=Box(zero - start + name_top, zero - start + name_bottom, 0, name_width_px),
        open_above=bool(above) and start == 0,
        open_below=bool(below) and stop == end - first,
    )


def _curve_ink(window: _Window, spec: TraceSpec) -> tuple[Mask, NDArray[np.bool_]]:
    """The connected pieces that make up the curve: widest first, each where no wider one already is.

    And for each column, whether the lead's name may hang on to the curve there: none of its letters stands apart.
    """
    ink = cv2.morphologyEx(window.ink, cv2.MORPH_OPEN, np.ones((spec.stroke_px, 1), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(ink, 8, cv2.CV_16U, cv2.CCL_DEFAULT)
    name, name_touches = window.name, np.arange(ink.shape[1]) < window.name.right
    covered, curve = np.zeros(ink.shape[1], np.bool_), np.zeros(ink.shape, np.bool_)
    broad = 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_WIDTH] >= spec.stroke_px)
    for piece in broad[np.argsort(-stats[broad, cv2.CC_STAT_WIDTH])]:
        left, top, width, height, _ = stats[piece].tolist()
        span = slice(left, left + width)
        if name.top <= top and top + height <= name.bottom and left + width <= name.right:
            name_touches[span] = False
        elif covered[span].mean() <= 1 / 2:
            covered[span] = True
            curve |= labels == piece
    return curve.view(np.uint8), name_touches


class _Stroke(NamedTuple):
    """Edges of the curve's stroke in the columns with ink: rows, and whether each is the curve's own."""

    top: NDArray[np.intp]
    bottom: NDArray[np.intp]
    top_is_own: NDArray[np.bool_]
    bottom_is_own: NDArray[np.bool_]

    def narrow(self, place: int, stroke_px: int) -> _Run:
        """The rows of the stroke alone, as far as its own edges tell."""
        top, bottom = int(self.top[place]), int(self.bottom[place])
        if self.top_is_own[place]:
            return top, bottom if self.bottom_is_own[place] else top + stroke_px - 1
        return bottom - stroke_px + 1, bottom


def _stroke(ink: NDArray[np.bool_], name_touches: NDArray[np.bool_], window: _Window, spec: TraceSpec) -> _Stroke:
    """Find the edges in ``ink`` (columns, rows); where a name or another lead touches, from right to left.

    Ink of a name lies between its rows, so an edge outside of them is the curve's; other leads' ink reaches the
    window's open side.
    """
    name, last_row = window.name, ink.shape[1] - 1
    top, bottom = ink.argmax(axis=1), last_row - ink[:, ::-1].argmax(axis=1)
    stroke = _Stroke(top, bottom, np.ones(len(ink), np.bool_), np.ones(len(ink), np.bool_))
    others_touch = (window.open_above and not top.all()) or (window.open_below and bottom.max() == last_row)
    thick = bottom - top + 1 > spec.stroke_px + 2
    places = np.flatnonzero((name_touches | others_touch) & thick)[::-1]
    for place, runs in zip(places.tolist(), _runs(ink[places]), strict=True):
        after = stroke.narrow(min(place + 1, len(ink) - 1), spec.stroke_px)
        clear = [run for run in runs if run[0] < name.top or run[1] >= name.bottom] if name_touches[place] else runs
        first, last = _continuing(clear or runs, after, window.zero_px)
        hung_on = name_touches[place] and last - first >= spec.stroke_px + 2
        top_in_doubt = (hung_on and name.top <= first < name.bottom) or (window.open_above and first == 0)
        bottom_in_doubt = (hung_on and name.top <= last < name.bottom) or (window.open_below and last == last_row)
        if top_in_doubt and bottom_in_doubt:
            top_in_doubt = abs(first - after[0]) >= abs(last - after[1])
            bottom_in_doubt = not top_in_doubt
        top[place], bottom[place] = first, last
        stroke.top_is_own[place], stroke.bottom_is_own[place] = not top_in_doubt, not bottom_in_doubt
    return stroke


def _runs(ink: NDArray[np.bool_]) -> list[list[_Run]]:
    """The runs of ink in each column of ``ink`` (columns, rows)."""
    padded = np.zeros((ink.shape[0], ink.shape[1] + 2), np.bool_)
    padded[:, 1:-1] = ink
    columns, rows = np.nonzero(padded[:, 1:] != padded[:, :-1])
    runs: list[list[_Run]] = [[] for _ in ink]
    for column, first, end in zip(columns[::2].tolist(), rows[::2].tolist(), rows[1::2].tolist(), strict=True):
        runs[column].append((first, end - 1))
    return runs


def _continuing(runs: list[_Run], after: _Run, zero_px: float) -> _Run:
    """The run that continues ``after``; of several, that nearest to the zero line: other leads come from far."""

    def away(run: _Run) -> tuple[float, float]:
        first, last = run
        return max(0, first - after[1] - 1, after[0] - last - 1), max(0, first - zero_px, zero_px - last)

    return min(runs, key=away)


def _undo_pen(stroke: _Stroke, spec: TraceSpec) -> tuple[_Rows, _Rows, _Rows]:
    """The curve, and the upper and the lower edge of the band it was drawn in: rows in each column with ink."""
    pen = np.ones((1, spec.stroke_px), np.uint8)
    half_px = (spec.stroke_px - 1) / 2
    high = cv2.dilate(stroke.top.astype(np.float32)[None], pen)[0] + half_px
    low = cv2.erode(stroke.bottom.astype(np.float32)[None], pen)[0] - half_px
    high, low = np.where(stroke.top_is_own, high, low), np.where(stroke.bottom_is_own, low, high)
    middle = (high + low) / 2  # where the curve rises or falls; a sharper peak is at `high`, a sharper trough at `low`
    at = np.arange(len(middle))
    before, after = middle.take(at - spec.flank_px, mode="clip"), middle.take(at + spec.flank_px, mode="clip")
    peak = (middle < np.minimum(before, after)) & (high < low)
    trough = (middle > np.maximum(before, after)) & (high < low)
    curve = np.where(peak, high, np.where(trough, low, middle))
    return curve, np.minimum(high, curve), np.maximum(low, curve)


def _sample(heights_px: _Rows, coverage: float, box: Box, layout: Layout, spec: TraceSpec) -> Trace:
    """Curve, upper and lower edge over the zero line, (3, columns of ``box``), at the instants of its page column."""
    px_per_s = layout.px_per_mm * layout.mm_per_s
    column_px = spec.column_s * px_per_s
    page_column = round((box.left - spec.start_px) / column_px)
    samples = spec.samples(box, layout)
    at_px = spec.start_px + page_column * column_px - box.left + np.arange(samples) * (px_per_s / spec.rate_hz)
    around = np.ones((1, 2 * math.ceil(px_per_s / spec.rate_hz) + 1), np.uint8)
    curve, top, bottom = (heights_px / (layout.px_per_mm * layout.mm_per_mv)).astype(np.float32)

    channels = curve, cv2.dilate(top[None], around)[0], cv2.erode(bottom[None], around)[0]
    signal_mv, top_mv, bottom_mv = (
        np.interp(at_px, np.arange(box.width_px), channel).astype(np.float32) for channel in channels
    )
    return Trace(signal_mv, top_mv, bottom_mv, coverage)
