"""Masks to the drawn curve in millivolt: gaps bridged, the pen's width undone, sampled. Knows no model.

The pen turns a curve into a band: its upper edge is the curve's running maximum over the pen's width plus half a pen,
its lower edge the running minimum less half a pen. The opposite running extremes undo both (grayscale closing and
opening; Serra 1982). Why so: docs/decisions/0004-traces.md.

The leads' columns are worked on all at once, one lead's after the other's: thirteen times as many calls would cost
several times as much.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.layout import Layout
from shared_preproc.leads import Lead
from shared_preproc.masks import Mask
from shared_preproc.runs import Numbers
from shared_preproc.spec import TraceSpec
from shared_preproc.strokes import Stroke, find_stroke
from shared_preproc.windows import Window, find_windows

__all__ = ["Trace", "page_traces"]

_Edges = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]  # the curve, and the band's two


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
    """Trace every lead of a page from its full-size masks (`shared_preproc.masks.binarize`), in page order.

    A lead without ink is flat at 0 mV, with coverage 0.
    """
    row = _row(layout, spec)
    windows = find_windows(masks, layout, spec)
    stroke = find_stroke(windows, row.lefts, spec)
    starts = np.searchsorted(stroke.lead, np.arange(len(windows) + 1))
    heights_px = _heights_px(stroke, starts, windows, row, spec)
    samples_mv = _sampled(heights_px / (layout.px_per_mm * layout.mm_per_mv), row)
    return dict(zip(layout.leads, _traces(samples_mv, np.diff(starts), layout, row), strict=True))


class _Row(NamedTuple):
    """Every lead's columns in one row, each lead's with ``around_px`` more on both sides, in which it is held."""

    lefts: tuple[int, ...]
    """Where each lead's own columns begin."""
    lead: Numbers
    """Whose each column is, in page order."""
    around_px: int
    """How far to both sides of a sample the band's edges are looked at."""
    before: Numbers
    """For each sample of the page, the column before it, or at it."""
    beyond: NDArray[np.float64]
    """How far after that the sample lies, 0 to 1."""
    samples: tuple[int, ...]
    """Of each lead."""


@cache
def _row(layout: Layout, spec: TraceSpec) -> _Row:
    px_per_s = layout.px_per_mm * layout.mm_per_s
    column_px, around_px = spec.column_s * px_per_s, math.ceil(px_per_s / spec.rate_hz)
    lefts, before, beyond, end = [], [], [], 0
    for _, box in layout.lead_boxes:
        page_column = round((box.left - spec.start_px) / column_px)
        first_px = spec.start_px + page_column * column_px - box.left
        at_px = first_px + np.arange(spec.samples(box, layout)) * (px_per_s / spec.rate_hz)
        held_px = at_px.clip(0, box.width_px - 1)
        lefts.append(end + around_px)
        before.append(np.floor(held_px).astype(np.intp) + lefts[-1])
        beyond.append(held_px % 1)
        end = lefts[-1] + box.width_px + around_px
    return _Row(
        lefts=tuple(lefts),
        lead=np.repeat(np.arange(len(lefts)), [box.width_px + 2 * around_px for _, box in layout.lead_boxes]),
        around_px=around_px,
        before=np.concatenate(before),
        beyond=np.concatenate(beyond),
        samples=tuple(map(len, before)),
    )


def _heights_px(
    stroke: Stroke, starts: Numbers, windows: list[Window], row: _Row, spec: TraceSpec
) -> NDArray[np.float64]:
    """Curve, upper and lower edge over the zero line in every column of ``row``, (3, columns): gaps are bridged."""
    heights_px = np.zeros((3, len(row.lead)))
    if not stroke.column.size:
        return heights_px
    is_gap = np.ones(len(row.lead), np.bool_)
    is_gap[stroke.column] = False
    gap = np.flatnonzero(is_gap)
    outermost = stroke.column.take([starts[:-1], starts[1:] - 1], mode="clip")
    held = gap.clip(*outermost[:, row.lead[gap]])
    zero_px = np.array([window.zero_px for window in windows])[row.lead]
    for height_px, edge_px in zip(heights_px, _undo_pen(stroke, starts, spec), strict=True):
        height_px[stroke.column] = edge_px
        height_px[gap] = np.interp(held, stroke.column, edge_px)
        np.subtract(zero_px, height_px, out=height_px)
    if (inkless := starts[1:] == starts[:-1]).any():
        heights_px[:, inkless[row.lead]] = 0
    return heights_px


def _undo_pen(stroke: Stroke, starts: Numbers, spec: TraceSpec) -> _Edges:
    """The curve, and the upper and the lower edge of the band it was drawn in: rows in each column with ink."""
    at, first, last = np.arange(len(stroke.lead)), starts[stroke.lead], (starts - 1)[stroke.lead + 1]

    def beside(offset: int) -> Numbers:
        return np.maximum(at + offset, first) if offset < 0 else np.minimum(at + offset, last)

    half_px = (spec.stroke_px - 1) // 2
    pen = [beside(offset) for offset in range(-half_px, half_px + 1)]
    high = reduce(np.maximum, [stroke.top[places] for places in pen]) + half_px
    low = reduce(np.minimum, [stroke.bottom[places] for places in pen]) - half_px
    high, low = np.where(stroke.top_is_own, high, low), np.where(stroke.bottom_is_own, low, high)
    middle = (high + low) / 2  # where the curve rises or falls; a sharper peak is at `high`, a sharper trough at `low`
    before, after = middle[beside(-spec.flank_px)], middle[beside(spec.flank_px)]
    peak = (middle < np.minimum(before, after)) & (high < low)
    trough = (middle > np.maximum(before, after)) & (high < low)
    curve = np.where(peak, high, np.where(trough, low, middle))
    return curve, np.minimum(high, curve), np.maximum(low, curve)


def _sampled(heights_mv: NDArray[np.float64], row: _Row) -> NDArray[np.float32]:
    """Signal, upper and lower edge, (3, columns of ``row``), at the instants of all leads, (3, samples)."""
    around = np.ones((1, 2 * row.around_px + 1), np.uint8)
    curve, top, bottom = heights_mv.astype(np.float32)
    channels = np.stack([curve, cv2.dilate(top[None], around)[0], cv2.erode(bottom[None], around)[0]])
    before, after = (channels.take(columns, axis=1).astype(np.float64) for columns in (row.before, row.before + 1))
    return ((after - before) * row.beyond + before).astype(np.float32)


def _traces(samples_mv: NDArray[np.float32], inked: Numbers, layout: Layout, row: _Row) -> Iterator[Trace]:
    end = 0
    for (_, box), count, inked_px in zip(layout.lead_boxes, row.samples, inked.tolist(), strict=True):
        start, end = end, end + count
        signal_mv, top_mv, bottom_mv = samples_mv[:, start:end]
        yield Trace(signal_mv, top_mv, bottom_mv, inked_px / box.width_px)
