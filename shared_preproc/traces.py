"""Masks to the drawn curve in millivolt: gaps bridged, the pen's width undone, sampled.

The pen turns a curve into a band: its upper edge is the curve's running maximum over the pen's width plus half a pen,
its lower edge the running minimum less half a pen. The opposite running extremes undo both (grayscale closing and
opening; Serra 1982). Why so: docs/decisions/0004-traces.md.

This file says where on a page to look for leads; `traces.c` reads them.
"""

import ctypes
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared_preproc.layout import Box, Layout
from shared_preproc.leads import Lead
from shared_preproc.masks import Mask
from shared_preproc.native import NATIVE
from shared_preproc.spec import TraceSpec

__all__ = ["Trace", "page_traces"]


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
    columns_mv: NDArray[np.float32] | None = None
    """The curve in every column of its box; None where it was not read off a page."""


def page_traces(masks: Mapping[Lead, Mask], layout: Layout, spec: TraceSpec) -> dict[Lead, Trace]:
    """Trace every lead of a page from its full-size masks (`shared_preproc.masks.binarize`), in page order.

    A lead without ink is flat at 0 mV, with coverage 0.

    Raises:
        ValueError: a mask is not uint8, or not as large as its lead's box; or no page can be traced by these numbers.
    """
    plan = _plan(layout, spec)
    inks = [_checked(masks[lead], box) for lead, box in layout.lead_boxes]  # held until they have been looked at
    pointers = (ctypes.c_void_p * len(inks))(*[ink.__array_interface__["data"][0] for ink in inks])
    samples_mv = np.empty((_EDGES, plan.ends[-1]), np.float32)
    columns_mv = np.empty(plan.column_ends[-1], np.float32)
    inked_px = np.empty(len(inks), np.int32)
    if _TRACE_LEADS(plan.leads, pointers, len(inks), plan.pen, samples_mv, columns_mv, inked_px):
        raise MemoryError("no room to trace a page in")
    traces = {}
    for (lead, box), (start, end), (left, right), columns in zip(
        layout.lead_boxes, pairwise(plan.ends), pairwise(plan.column_ends), inked_px.tolist(), strict=True
    ):
        signal_mv, top_mv, bottom_mv = samples_mv[:, start:end]
        traces[lead] = Trace(signal_mv, top_mv, bottom_mv, columns / box.width_px, columns_mv[left:right])
    return traces


def _checked(mask: Mask, box: Box) -> Mask:
    if mask.dtype != np.uint8 or mask.shape != (box.height_px, box.width_px):
        raise ValueError(
            f"a mask of {mask.dtype} {mask.shape}; expected uint8 {(box.height_px, box.width_px)}, as its lead's box is"
        )
    return np.ascontiguousarray(mask)


class _Lead(ctypes.Structure):
    """`Lead` of `traces.c`: rows are the page's, columns count from the box's left edge."""

    _fields_: ClassVar = [
        *((name, ctypes.c_int32) for name in ("top", "bottom", "left", "right", "first", "end")),
        *((name, ctypes.c_int32) for name in ("name_top", "name_bottom", "name_width_px")),
        *((name, ctypes.c_int32) for name in ("another_above", "another_below", "samples")),
        *((name, ctypes.c_double) for name in ("zero_px", "first_px")),
    ]


class _Pen(ctypes.Structure):
    """`Pen` of `traces.c`."""

    _fields_: ClassVar = [
        *((name, ctypes.c_int32) for name in ("stroke_px", "flank_px", "around_px")),
        *((name, ctypes.c_double) for name in ("step_px", "px_per_mv")),
    ]


_Structure = TypeVar("_Structure", bound=ctypes.Structure)
_MOST = 2**20  # of any number: far more than a page has pixels or samples in a row, and sums of two fit 32 bits
_EDGES = 3  # the curve, and the upper and the lower edge of its band
_TRACE_LEADS = NATIVE.trace_leads
_TRACE_LEADS.argtypes = [
    ctypes.POINTER(_Lead),
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_int32,
    ctypes.POINTER(_Pen),
    np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS"),
    np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS"),
    np.ctypeslib.ndpointer(np.int32, flags="C_CONTIGUOUS"),
]


class _Plan(NamedTuple):
    """Where on a page its leads are, and how they are sampled."""

    leads: ctypes.Array[_Lead]
    pen: _Pen
    ends: list[int]
    """Of each lead's samples, after a 0."""
    column_ends: list[int]
    """Of each lead's columns, after a 0."""


@cache
def _plan(layout: Layout, spec: TraceSpec) -> _Plan:
    """Check once what `traces.c` relies on.

    Raises:
        ValueError: a page cannot be traced by these numbers.
    """
    px_per_s = layout.px_per_s
    leads = [_lead(lead, box, layout, spec) for lead, box in layout.lead_boxes]
    for name, lead in zip(layout.leads, leads, strict=True):
        if not (lead.left < lead.right and lead.first <= lead.top < lead.bottom <= lead.end and lead.samples >= 0):
            raise ValueError(f"{name} has a box without room between the names of the leads above and below it")
    if not 1 <= spec.stroke_px <= min(box.height_px for _, box in layout.lead_boxes):
        raise ValueError(f"a pen of {spec.stroke_px} px; expected at least 1, and no more than a box's height")
    if not 0 <= spec.flank_px <= layout.width_px:
        raise ValueError(f"flanks of {spec.flank_px} px; expected at least 0, and no more than the page's width")
    pen = _exactly(
        _Pen,
        stroke_px=spec.stroke_px,
        flank_px=spec.flank_px,
        around_px=math.ceil(px_per_s / spec.rate_hz),
        step_px=px_per_s / spec.rate_hz,
        px_per_mv=layout.px_per_mv,
    )
    samples, columns = (lead.samples for lead in leads), (box.width_px for _, box in layout.lead_boxes)
    return _Plan(
        (_Lead * len(leads))(*leads),
        pen,
        ends=list(accumulate(samples, initial=0)),
        column_ends=list(accumulate(columns, initial=0)),
    )


def _exactly(structure: type[_Structure], **numbers: float) -> _Structure:
    """Make a structure of C, which would take the lowest bits of whatever is too large for it.

    Raises:
        ValueError: one is.
    """
    for name, value in numbers.items():
        if not abs(value) <= _MOST:
            raise ValueError(f"{name} is {value}; expected at most {_MOST}")
    return structure(**numbers)


def _lead(lead: Lead, box: Box, layout: Layout, spec: TraceSpec) -> _Lead:
    """Say where to look for a lead: in the boxes above and below, too, up to their zero lines."""
    zero_px = spec.zero_row_px(box)
    name_top, name_bottom = spec.name_rows_px
    column = [other for _, other in layout.lead_boxes if (other.left, other.right) == (box.left, box.right)]
    top, bottom = min(other.top for other in column), max(other.bottom for other in column)
    above = [int(row) - name_bottom for row in spec.zero_rows_px if top <= row < zero_px]
    below = [int(row) + name_bottom for row in spec.zero_rows_px if zero_px < row < bottom]
    column_px = spec.column_s * layout.px_per_mm * layout.mm_per_s
    page_column = round((box.left - spec.start_px) / column_px)
    return _exactly(
        _Lead,
        **box._asdict(),
        first=max([top, *above]),
        end=min([bottom, *below]),
        name_top=int(zero_px) + name_top,
        name_bottom=int(zero_px) + name_bottom,
        name_width_px=spec.augmented_name_width_px if lead.startswith("aV") else spec.name_width_px,
        another_above=bool(above),
        another_below=bool(below),
        samples=spec.samples(box, layout),
        zero_px=zero_px,
        first_px=spec.start_px + page_column * column_px - box.left,
    )
