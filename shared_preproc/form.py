"""What is printed on every report page around its signals, and how much of it a page shows.

Frame, calibration pulses, separators and lead names stand at the same pixels in all 409 development pages, whatever
the heart. Each is measured as the share of its printed pixels that are found, so that a person can check it by eye.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_preproc.layout import Box, Layout
from shared_preproc.leads import Lead
from shared_preproc.page import Gray

__all__ = ["Form", "FormSpec", "measure_form"]

_Numbers = NDArray[np.intp]
_Points = NDArray[np.intp]  # (points, 2): row, column
_Shares = NDArray[np.float64]
_Stroke = tuple[tuple[int, int], tuple[int, int]]

_FRAME = Box(284, 1517, 69, 2176)


@dataclass(frozen=True)
class FormSpec:
    """Where the form's parts stand, in page pixels: measured on 409 development pages, all pixel-aligned.

    Lead names are strokes (column, row) to (column, row), from the column's left edge and the row's zero line.
    """

    zero_rows_px: tuple[int, ...] = (463, 763, 1066, 1366)
    """Feet of the calibration pulses, one for each row of leads."""
    frame: Box = _FRAME
    """Through the middle of the frame's line, which is 3 to 4 px wide."""
    frame_margin_px: int = 5
    """How far outside the frame's line there is paper."""
    frame_contrast: int = 15
    """Gray levels between frame and paper, which differ by 55 to 65 on most pages."""
    pulse_columns_px: tuple[int, int, int, int] = (98, 105, 122, 130)
    """Foot, rise, fall, foot."""
    pulse_clear_px: int = 4
    """How far beside its strokes a pulse's neighbourhood is paper."""
    separator_columns_px: tuple[int, ...] = (644, 1136, 1628)
    separator_rows_px: tuple[int, int] = (422, 1107)
    separator_clear_px: int = 5
    """How far left of a separator there is paper, but for the curves that reach it."""
    ink_gray: int = 128
    """What is darker is ink; single dots of the grid are as dark."""
    slack_px: int = 1
    """How far a part may be from its place: the rounding of an exported page."""
    name_left_px: tuple[int, ...] = (150, 642, 1134, 1626)
    """Column that the strokes of names count from, for each column of leads."""
    name_shift_px: int = 4
    """How far left of that a narrower typeface may set a letter."""
    name_width_px: int = 64
    """Columns that hold any name."""


# Strokes that tell a name from the others of its column: of the last letter only, as the first are alike. A curve may
# cross a name and add ink, never take any away: so ink is looked for, and paper is not.
_NAMES: dict[Lead, tuple[_Stroke, ...]] = {
    Lead.I: (((7, -24), (7, -10)),),
    Lead.II: (((7, -24), (7, -10)), ((16, -24), (16, -10)), ((13, -26), (19, -26)), ((13, -8), (19, -8))),
    Lead.III: (((16, -24), (16, -10)), ((24, -24), (24, -10)), ((13, -26), (27, -26)), ((13, -8), (27, -8))),
    Lead.AVR: (((41, -24), (41, -10)), ((49, -23), (49, -20)), ((46, -14), (52, -9))),
    Lead.AVL: (((41, -24), (41, -10)), ((43, -8), (51, -8))),
    Lead.AVF: (((41, -24), (41, -10)), ((43, -26), (51, -26))),
    Lead.V1: (((26, -24), (26, -9)), ((24, -8), (28, -8))),
    Lead.V2: (((23, -8), (32, -8)), ((31, -22), (31, -18)), ((26, -25), (30, -25)), ((30, -15), (28, -12))),
    Lead.V3: (((31, -14), (31, -11)), ((30, -24), (30, -21)), ((26, -17), (29, -17)), ((24, -8), (28, -8))),
    Lead.V4: (((24, -13), (33, -13)), ((30, -24), (30, -10)), ((28, -22), (25, -17))),
    Lead.V5: (((26, -25), (31, -25)), ((24, -18), (27, -18)), ((30, -16), (31, -12)), ((24, -8), (28, -8))),
    Lead.V6: (((24, -17), (24, -12)), ((31, -16), (31, -12)), ((26, -22), (28, -24)), ((26, -8), (29, -8))),
}


@dataclass(frozen=True)
class Form:
    """How much of the printed form a page shows: shares, 0 to 1, of the pixels where each part is printed."""

    frame: float
    pulses: tuple[float, ...]
    """One for each row of leads, from the top: the smaller of ink on its strokes and paper beside them."""
    separators: tuple[float, ...]
    """One for each, from the left: as `pulses`."""
    names: dict[Lead, float]
    """One for each lead but the rhythm strip, whose name differs: its own strokes, whatever else crosses them."""


def measure_form(gray: Gray, layout: Layout, spec: FormSpec) -> Form:
    """Look for the form on a page: ``gray`` is uint8 (height_px, width_px), 0 black to 255 white.

    The page may be up to ``layout.tolerance_px`` larger or smaller than the layout to the right and below.
    """
    ink, paper = _ink(layout, spec), _paper(layout, spec)
    inked, clear = _inked_shares(gray, ink, spec), _clear_shares(gray, paper, spec)
    parts = np.minimum(inked[: len(clear)], clear).tolist()
    shifted = inked[len(clear) :].reshape(-1, spec.name_shift_px + 1)
    return Form(
        frame=_frame(gray, spec),
        pulses=tuple(parts[: len(spec.zero_rows_px)]),
        separators=tuple(parts[len(spec.zero_rows_px) :]),
        names=dict(zip(_names(layout, spec), shifted.max(axis=1).tolist(), strict=True)),
    )


class _Groups(NamedTuple):
    """Pixels of several parts of the form, one part's after the other's: looked at all at once."""

    rows: _Numbers
    columns: _Numbers
    starts: _Numbers
    """Where each part's pixels begin."""
    sizes: _Numbers
    """How many each part has."""

    @classmethod
    def of(cls, parts: list[_Points]) -> "_Groups":
        sizes = np.array([len(points) for points in parts], np.intp)
        rows, columns = np.concatenate(parts).T.copy()
        return cls(rows, columns, np.cumsum(sizes) - sizes, sizes)

    def shares(self, found: NDArray[np.bool_]) -> _Shares:
        """The share of each part's pixels that are ``found``, (pixels,): (parts,)."""
        counts: _Numbers = np.add.reduceat(found, self.starts, dtype=np.intp)
        return counts / self.sizes


def _inked_shares(gray: Gray, ink: _Groups, spec: FormSpec) -> _Shares:
    """Of each part, the share that has ink, or ink right beside it."""
    slack, row_px = range(-spec.slack_px, spec.slack_px + 1), gray.shape[1]
    places, pixels = ink.rows * row_px + ink.columns, gray.ravel()
    near = [pixels.take(places + (down * row_px + right)) for down in slack for right in slack]
    return ink.shares(np.minimum.reduce(near) < spec.ink_gray)


def _clear_shares(gray: Gray, paper: _Groups, spec: FormSpec) -> _Shares:
    """Of each part, the share that has no ink."""
    return paper.shares(gray[paper.rows, paper.columns] >= spec.ink_gray)


@cache
def _ink(layout: Layout, spec: FormSpec) -> _Groups:
    """Where pulses, separators and then names have ink: names once for each shift that a typeface may have."""
    shifts = [(0, -shift) for shift in range(spec.name_shift_px + 1)]
    names = [points + shift for points in _names(layout, spec).values() for shift in np.array(shifts, np.intp)]
    return _Groups.of([part.ink for part in _pulses(layout, spec) + _separators(spec)] + names)


@cache
def _paper(layout: Layout, spec: FormSpec) -> _Groups:
    """Where there is paper beside pulses and separators."""
    return _Groups.of([part.paper for part in _pulses(layout, spec) + _separators(spec)])


def _frame(gray: Gray, spec: FormSpec) -> float:
    """Share of the frame's line that is darker than the paper outside it, and no ink."""
    box, out = spec.frame, spec.frame_margin_px
    rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
    sides = (
        (gray[box.top, columns], gray[box.top - out, columns]),
        (gray[box.bottom, columns], gray[box.bottom + out, columns]),
        (gray[rows, box.left], gray[rows, box.left - out]),
        (gray[rows, box.right], gray[rows, box.right + out]),
    )
    line, paper = (np.concatenate(parts).astype(np.int16) for parts in zip(*sides, strict=True))
    found = (line >= spec.ink_gray) & (paper - line >= spec.frame_contrast)
    return np.count_nonzero(found) / found.size


class _Part(NamedTuple):
    """Where a part of the form has ink, and where there is paper beside it."""

    ink: _Points
    paper: _Points


@cache
def _pulses(layout: Layout, spec: FormSpec) -> tuple[_Part, ...]:
    height_px = round(layout.px_per_mv)  # 1 mV
    foot, rise, fall, end = spec.pulse_columns_px
    clear, middle = spec.pulse_clear_px, (rise + fall) // 2
    parts = []
    for zero in spec.zero_rows_px:
        top = zero - height_px
        ink = _line((foot, zero), (rise, zero), (rise, top), (fall, top), (fall, zero), (end, zero))
        beside = ((rise - clear, zero - clear), (rise - clear, top - clear), (fall + clear, top - clear))
        paper = _line(*beside, (fall + clear, zero - clear))
        parts.append(_Part(ink, np.concatenate([paper, _line((middle, zero), (middle, top + clear))])))
    return tuple(parts)


@cache
def _separators(spec: FormSpec) -> tuple[_Part, ...]:
    (top, bottom), clear = spec.separator_rows_px, spec.separator_clear_px
    return tuple(
        _Part(_line((column, top), (column, bottom)), _line((column - clear, top), (column - clear, bottom)))
        for column in spec.separator_columns_px
    )


@cache
def _names(layout: Layout, spec: FormSpec) -> dict[Lead, _Points]:
    columns = len(spec.name_left_px)
    names = {}
    for index, lead in enumerate(layout.leads):
        if lead in _NAMES:
            corner = spec.zero_rows_px[index // columns], spec.name_left_px[index % columns]
            strokes = np.concatenate([_line(*stroke) for stroke in _NAMES[lead]])
            names[lead] = strokes + np.array(corner, np.intp)
    return names


def _line(*corners: tuple[int, int]) -> _Points:
    """Every pixel on the way through ``corners``, given as (column, row)."""
    pieces = []
    for start, end in pairwise(corners):
        steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
        pieces.append(np.round(np.linspace(start, end, steps + 1)).astype(np.intp)[:, ::-1])
    return np.concatenate(pieces)
