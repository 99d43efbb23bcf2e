"""The curve's own stroke in the ink around each lead: names, other leads and specks left out. Knows no millivolt."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_preproc.runs import Numbers, Runs, find_pieces, find_runs
from shared_preproc.spec import TraceSpec
from shared_preproc.windows import Window

__all__ = ["Stroke", "find_stroke"]

_Run = tuple[int, int]  # first and last row of unbroken ink in a column


class Stroke(NamedTuple):
    """Edges of the curves' stroke in the columns with ink: rows of the lead's window, and whether each is its own."""

    column: Numbers
    lead: Numbers
    """Whose column it is, in page order."""
    top: Numbers
    bottom: Numbers
    top_is_own: NDArray[np.bool_]
    bottom_is_own: NDArray[np.bool_]

    def narrow(self, place: int, stroke_px: int) -> _Run:
        """The rows of the stroke alone, as far as its own edges tell."""
        top, bottom = int(self.top[place]), int(self.bottom[place])
        if self.top_is_own[place]:
            return top, bottom if self.bottom_is_own[place] else top + stroke_px - 1
        return bottom - stroke_px + 1, bottom


def find_stroke(windows: Sequence[Window], lefts: Sequence[int], spec: TraceSpec) -> Stroke:
    """The stroke in windows that lie beside each other, none right at the next one, with their first columns."""
    runs = find_runs([window.ink for window in windows], lefts, spec.stroke_px)
    curve, name_touches = _curve(runs, windows, lefts, spec)
    uppermost = np.flatnonzero(np.diff(curve.column, prepend=-1))
    lowest = np.flatnonzero(np.diff(curve.column, append=-1))
    column = curve.column[uppermost]
    own = np.ones((2, len(column)), np.bool_)
    lead = np.searchsorted(lefts, column, "right") - 1
    stroke = Stroke(column, lead, curve.first[uppermost], curve.last[lowest], *own)
    thick = stroke.bottom - stroke.top + 1 > spec.stroke_px + 2
    doubtful = thick & (name_touches[column] | _others_touch(stroke, windows)[lead])
    places = np.flatnonzero(doubtful)[::-1]
    nexts = np.minimum(places + 1, np.searchsorted(lead, lead[places], "right") - 1)
    edges = zip(uppermost[places].tolist(), lowest[places].tolist(), strict=True)
    around = zip(lead[places].tolist(), name_touches[column[places]].tolist(), strict=True)
    first, last = curve.first.tolist(), curve.last.tolist()
    for place, right, (begin, end), (number, touches) in zip(
        places.tolist(), nexts.tolist(), edges, around, strict=True
    ):
        runs_here = list(zip(first[begin : end + 1], last[begin : end + 1], strict=True))
        after = stroke.narrow(right, spec.stroke_px)
        settled = _settled(runs_here, after, windows[number], touches, spec)
        stroke.top[place], stroke.bottom[place], stroke.top_is_own[place], stroke.bottom_is_own[place] = settled
    return stroke


def _curve(
    runs: Runs, windows: Sequence[Window], lefts: Sequence[int], spec: TraceSpec
) -> tuple[Runs, NDArray[np.bool_]]:
    """The connected pieces that make up the curves: widest first, each where no wider one already is.

    And for each column, whether the lead's name may hang on to the curve there: none of its letters stands apart.
    """
    name_touches, covered = np.zeros((2, lefts[-1] + windows[-1].ink.shape[1]), np.bool_)
    for window, left in zip(windows, lefts, strict=True):
        name_touches[left : left + window.name_width_px] = True
    pieces = find_pieces(runs)
    in_curve = np.zeros(len(pieces.left), np.bool_)
    widths_px = pieces.right - pieces.left + 1
    leads = np.searchsorted(lefts, pieces.left, "right") - 1
    broad = np.flatnonzero(widths_px >= spec.stroke_px)
    for piece in broad[np.argsort(-widths_px[broad], kind="stable")].tolist():
        window, name_right = windows[leads[piece]], lefts[leads[piece]] + windows[leads[piece]].name_width_px
        left, right, top, bottom = (int(edge[piece]) for edge in pieces[1:])
        if top in window.name_rows and bottom in window.name_rows and right < name_right:
            name_touches[left : right + 1] = False
        elif covered[left : right + 1].mean() <= 1 / 2:
            covered[left : right + 1] = in_curve[piece] = True
    return runs.where(in_curve[pieces.of_run]), name_touches


def _others_touch(stroke: Stroke, windows: Sequence[Window]) -> NDArray[np.bool_]:
    """For each window, whether ink of another lead's reaches its open side."""
    touched = np.zeros(len(windows), np.bool_)
    for number, window in enumerate(windows):
        if window.open_above or window.open_below:
            mine = stroke.lead == number
            above = window.open_above and not stroke.top[mine].all()
            touched[number] = above or (window.open_below and len(window.ink) - 1 in stroke.bottom[mine])
    return touched


def _settled(
    runs: Sequence[_Run], after: _Run, window: Window, name_touches: bool, spec: TraceSpec
) -> tuple[int, int, bool, bool]:
    """The stroke's edges, and whether they are its own, among ``runs`` of a name or another lead, too.

    ``after`` is the stroke to the right of them. Ink of a name lies between its rows, so an edge outside of them is the
    curve's; other leads' ink reaches the window's open side.
    """
    name_rows, last_row = window.name_rows, len(window.ink) - 1
    clear = [run for run in runs if run[0] < name_rows.start or run[1] >= name_rows.stop] if name_touches else runs
    first, last = _continuing(clear or runs, after, window.zero_px)
    hung_on = name_touches and last - first >= spec.stroke_px + 2
    top_in_doubt = (hung_on and first in name_rows) or (window.open_above and first == 0)
    bottom_in_doubt = (hung_on and last in name_rows) or (window.open_below and last == last_row)
    if top_in_doubt and bottom_in_doubt:
        top_in_doubt = abs(first - after[0]) >= abs(last - after[1])
        bottom_in_doubt = not top_in_doubt
    return first, last, not top_in_doubt, not bottom_in_doubt


def _continuing(runs: Sequence[_Run], after: _Run, zero_px: float) -> _Run:
    """The run that continues ``after``; of several, that nearest to the zero line: other leads come from far."""

    def away(run: _Run) -> tuple[float, float]:
        first, last = run
        return max(0, first - after[1] - 1, after[0] - last - 1), max(0, first - zero_px, zero_px - last)

    return runs[0] if len(runs) == 1 else min(runs, key=away)
