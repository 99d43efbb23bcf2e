"""What `traces.c` does, once more, pixel by pixel and in plain Python: slow, and easier to believe."""

from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.layout import Box, Layout
from shared_preproc.leads import Lead
from shared_preproc.masks import INK, Mask
from shared_preproc.spec import TraceSpec

Run = tuple[int, int]  # first and last row of ink without a break
Signals = NDArray[np.float32]  # (3, samples): signal, top, bottom


class Window(NamedTuple):
    ink: Mask
    zero_px: float
    name_rows: range
    name_width_px: int
    open_above: bool
    open_below: bool


def plain_traces(masks: Mapping[Lead, Mask], layout: Layout, spec: TraceSpec) -> dict[Lead, tuple[Signals, float]]:
    """Of each lead the signal, the band's upper and its lower edge, and its coverage."""
    traces = {}
    for lead, box in layout.lead_boxes:
        window = find_window(masks, lead, box, layout, spec)
        stroke = find_stroke(window, spec)
        signals = np.array(
            [
                sampled(heights_mv(edge, stroke, window, layout), number, box, layout, spec)
                for number, edge in enumerate(undo_pen(stroke, spec))
            ]
        )
        traces[lead] = signals, len(stroke) / box.width_px
    return traces


def find_window(masks: Mapping[Lead, Mask], lead: Lead, box: Box, layout: Layout, spec: TraceSpec) -> Window:
    page = np.zeros((layout.height_px, box.width_px), np.uint8)
    for other, its in layout.lead_boxes:
        if (its.left, its.right) == (box.left, box.right):
            page[its.top : its.bottom] = masks[other]
    column = [its for _, its in layout.lead_boxes if (its.left, its.right) == (box.left, box.right)]
    zero_px = next(row for row in spec.zero_rows_px if box.top <= row < box.bottom)
    name_top, name_bottom = spec.name_rows_px
    others = [row for row in spec.zero_rows_px if min(column).top <= row < max(column).bottom]
    above, below = [row for row in others if row < zero_px], [row for row in others if row > zero_px]
    first = int(above[-1]) - name_bottom if above else box.top
    end = int(below[0]) + name_bottom if below else box.bottom
    fill = (page > 0).sum(axis=1)
    level = box.top + int(fill[box.top : box.bottom].argmax())
    start = next((row for row in range(level - 1, first, -1) if not fill[row]), first)
    stop = next((row for row in range(level + 1, end) if not fill[row]), end)
    return Window(
        ink=page[start:stop],
        zero_px=zero_px - start,
        name_rows=range(int(zero_px) + name_top - start, int(zero_px) + name_bottom - start),
        name_width_px=spec.augmented_name_width_px if lead.startswith("aV") else spec.name_width_px,
        open_above=bool(above) and start == first,
        open_below=bool(below) and stop == end,
    )


def runs_of(column: NDArray[np.uint8]) -> list[Run]:
    runs, row = [], 0
    for inked, pixels in groupby(column > 0):
        count = len(list(pixels))
        if inked:
            runs.append((row, row + count - 1))
        row += count
    return runs


def without_specks(ink: Mask, least_px: int) -> Mask:
    """A run in the first row or the last may go on beyond it: it counts for more."""
    kept = np.zeros_like(ink)
    for column in range(ink.shape[1]):
        for first, last in runs_of(ink[:, column]):
            beyond_px = least_px // 2 * ((first == 0) + (last == len(ink) - 1))
            if last - first + 1 + beyond_px >= least_px:
                kept[first : last + 1, column] = INK
    return kept


def choose_curve(window: Window, spec: TraceSpec) -> tuple[Mask, NDArray[np.bool_]]:
    """Ink of the widest pieces, and in which columns the name may hang on to it."""
    ink = without_specks(window.ink, spec.stroke_px)
    name_touches, covered = np.zeros((2, ink.shape[1]), np.bool_)
    name_touches[: window.name_width_px] = True
    count, labels = cv2.connectedComponents(ink, connectivity=8)
    pieces = []
    for label in range(1, count):
        columns, rows = np.nonzero((labels == label).T)  # from the left, and in a column from the top
        pieces.append((columns[0] - columns[-1], columns[0], rows[0], label, rows.min(), rows.max(), columns[-1]))
    curve = np.zeros_like(ink)
    for _, left, _, label, top, bottom, right in sorted(pieces):
        if right - left + 1 < spec.stroke_px:
            continue
        if top in window.name_rows and bottom in window.name_rows and right < window.name_width_px:
            name_touches[left : right + 1] = False
        elif covered[left : right + 1].mean() <= 1 / 2:
            covered[left : right + 1] = True
            curve[labels == label] = INK
    return curve, name_touches


class Edge(NamedTuple):
    column: int
    top: int
    bottom: int
    top_is_own: bool = True
    bottom_is_own: bool = True


def find_stroke(window: Window, spec: TraceSpec) -> list[Edge]:
    curve, name_touches = choose_curve(window, spec)
    runs = [runs_of(curve[:, column]) for column in range(curve.shape[1])]
    stroke = [Edge(column, its[0][0], its[-1][1]) for column, its in enumerate(runs) if its]
    others_touch = any(
        (window.open_above and edge.top == 0) or (window.open_below and edge.bottom == len(curve) - 1)
        for edge in stroke
    )
    after = stroke[-1][1:3] if stroke else (0, 0)
    for place in reversed(range(len(stroke))):
        column, top, bottom, *_ = stroke[place]
        thick = bottom - top + 1 > spec.stroke_px + 2
        if thick and (name_touches[column] or others_touch):
            edge = Edge(column, *among(runs[column], window, bool(name_touches[column]), after, spec.stroke_px))
            stroke[place] = edge
            top = edge.top if edge.top_is_own else edge.bottom - spec.stroke_px + 1
            bottom = edge.bottom if edge.bottom_is_own else edge.top + spec.stroke_px - 1
        after = top, bottom
    return stroke


def among(
    runs: list[Run], window: Window, name_touches: bool, after: Run, stroke_px: int
) -> tuple[int, int, bool, bool]:
    def away(run: Run) -> tuple[float, float]:
        first, last = run
        return (
            max(0, first - after[1] - 1, after[0] - last - 1),
            max(0, first - window.zero_px, window.zero_px - last),
        )

    names = window.name_rows
    if name_touches:
        runs = [run for run in runs if run[0] < names.start or run[1] >= names.stop] or runs
    first, last = min(runs, key=away)
    hung_on = name_touches and last - first + 1 > stroke_px + 2
    top_in_doubt = (hung_on and first in names) or (window.open_above and first == 0)
    bottom_in_doubt = (hung_on and last in names) or (window.open_below and last == len(window.ink) - 1)
    if top_in_doubt and bottom_in_doubt:
        top_in_doubt = abs(first - after[0]) >= abs(last - after[1])
        bottom_in_doubt = not top_in_doubt
    return first, last, not top_in_doubt, not bottom_in_doubt


def undo_pen(stroke: list[Edge], spec: TraceSpec) -> tuple[list[float], list[float], list[float]]:
    half_px = (spec.stroke_px - 1) // 2
    upper, lower = [], []
    for place, edge in enumerate(stroke):
        beside = stroke[max(0, place - half_px) : place + half_px + 1]
        high, low = max(one.top for one in beside) + half_px, min(one.bottom for one in beside) - half_px
        upper.append(high if edge.top_is_own else low)
        lower.append(low if edge.bottom_is_own else high)
    middle = [(high + low) / 2 for high, low in zip(upper, lower, strict=True)]
    curve = []
    for place, (high, low) in enumerate(zip(upper, lower, strict=True)):
        flanks = middle[max(0, place - spec.flank_px)], middle[min(len(middle) - 1, place + spec.flank_px)]
        peak = high < low and middle[place] < min(flanks)
        trough = high < low and middle[place] > max(flanks)
        curve.append(float(high if peak else low if trough else middle[place]))
    return curve, list(map(min, upper, curve)), list(map(max, lower, curve))


def heights_mv(rows: list[float], stroke: list[Edge], window: Window, layout: Layout) -> Signals:
    columns = np.arange(window.ink.shape[1])
    if not stroke:
        return np.zeros(len(columns), np.float32)
    heights_px = window.zero_px - np.interp(columns, [edge.column for edge in stroke], rows)
    return (heights_px / (layout.px_per_mm * layout.mm_per_mv)).astype(np.float32)


def sampled(mv: Signals, number: int, box: Box, layout: Layout, spec: TraceSpec) -> Signals:
    """Signal (``number`` 0), the highest of the upper edge (1) and the lowest of the lower one (2) at each instant."""
    px_per_s = layout.px_per_mm * layout.mm_per_s
    around_px, last = int(np.ceil(px_per_s / spec.rate_hz)), box.width_px - 1
    page_column = round((box.left - spec.start_px) / (spec.column_s * px_per_s))
    first_px = spec.start_px + page_column * (spec.column_s * px_per_s) - box.left

    def seen(column: int) -> float:
        around = mv[max(0, column - around_px) : column + around_px + 1]
        return float((mv[min(column, last)], around.max(), around.min())[number])

    samples = []
    for sample in range(spec.samples(box, layout)):
        at_px = min(max(first_px + sample * (px_per_s / spec.rate_hz), 0), last)
        before, beyond = int(at_px), at_px % 1
        samples.append((seen(before + 1) - seen(before)) * beyond + seen(before))
    return np.array(samples, np.float32)
