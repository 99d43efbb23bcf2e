"""Where the leads of a row start and end: pulses stand beside them, and the layout says how long rows are."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from digitize.arrangement import Arrangement
from digitize.curves import Curve, follow
from digitize.errors import WHOLE_PAGE, UndigitizedPageError
from digitize.flat import PX_PER_MM
from digitize.pulses import Pulse, find_pulse
from digitize.rows import Row

__all__ = ["FollowedRow", "find_timing", "follow_row", "without_lone_pulse"]

_MARGIN_MM = 22.0  # beside the rows, where pulses stand
_LENGTH_MM = 4.0  # by which a row may be shorter or longer than the layout says
_ALIKE_MM = 1.0  # by which lengths of rows that were found rightly differ
_LEAST_GAP_PX = 5  # wider than a grid line's trace in the ink
_GAP_REACH_MM = 6.0  # from a pulse
_GAP_PX = 20  # a wider one ends a row
_COLUMNS_OFF, _PITCH_OFF = 0.15, 0.015  # of columns of names from those of leads: at most, and to tell where they start
_NAME_OFF_MM = (-2.0, 4.5)  # of a name's left edge from its lead's start


@dataclass(frozen=True, eq=False)
class FollowedRow:
    """A row, its curve and pulse, and the columns where its leads start and end; NaN where a pulse hides that.

    ``reach``: rows above and below the zero line in which its curve was looked for.
    """

    row: Row
    curve: Curve
    pulse: Pulse | None
    start: float
    end: float
    reach: float

    @property
    def pulse_last(self) -> bool:
        """Whether the pulse stands behind the curve."""
        return self.pulse is not None and self.pulse.left - self.curve.left > len(self.curve.middle) / 2

    @property
    def zero(self) -> float:
        """Row of 0 mV."""
        return self.pulse.foot if self.pulse else self.row.baseline


def follow_row(ink: NDArray[np.uint8], row: Row, arrangement: Arrangement, longest_px: float) -> FollowedRow:
    """Follow the curve of a row, ``longest_px`` long at most, and set its leads apart from its pulse."""
    margin = _MARGIN_MM * PX_PER_MM
    left = max(0, int(arrangement.first_x - margin))
    right = min(ink.shape[1], int(arrangement.first_x + longest_px + margin))
    reach = min(1.4 * arrangement.row_px, 40 * PX_PER_MM)
    curve = follow(ink, left, right, row.baseline, (reach, reach))
    start, end = _extent(curve)
    pulse = find_pulse(ink, row.baseline, left, int(arrangement.first_x + 9 * PX_PER_MM))
    if pulse is not None:
        return FollowedRow(row, curve, pulse, _after_gap(curve, pulse.right), end, reach)
    known = np.flatnonzero(np.isfinite(curve.middle))
    last = left + int(known[-1]) if len(known) else right
    pulse = find_pulse(ink, row.baseline, int(last - margin), min(right, last + 8))
    if pulse is not None:
        end = _before_gap(curve, pulse.left)
    return FollowedRow(row, curve, pulse, start, end, reach)


def without_lone_pulse(followed: list[FollowedRow]) -> list[FollowedRow]:
    """Leave out what looks like a pulse in one row alone, and is not as high and wide as pulses are."""
    pulses = [each.pulse for each in followed if each.pulse]
    if len(pulses) != 1 or len(followed) == 1 or pulses[0].usual:
        return followed
    return [replace(each, pulse=None) for each in followed]


def _extent(curve: Curve) -> tuple[float, float]:
    """First and last column of the longest stretch without a wide gap."""
    known = np.flatnonzero(np.isfinite(curve.middle))
    if not len(known):
        return np.nan, np.nan
    parts = np.split(known, np.flatnonzero(np.diff(known) > _GAP_PX) + 1)
    longest = max(parts, key=len)
    return curve.left + longest[0] + curve.pen_px / 2, curve.left + longest[-1] - curve.pen_px / 2


def _after_gap(curve: Curve, stroke: float) -> float:
    """Where the lead starts after a pulse: behind a gap; NaN where the pulse runs into the lead."""
    first = int(stroke) - curve.left + 3
    gap = _gap(curve.inked[first : first + int(_GAP_REACH_MM * PX_PER_MM)])
    return np.nan if gap is None else curve.left + first + gap[1] + curve.pen_px / 2


def _before_gap(curve: Curve, stroke: float) -> float:
    """Where the lead ends before a pulse: ahead of a gap; NaN where it runs into the pulse."""
    last = int(stroke) - curve.left - 3
    gap = _gap(curve.inked[max(0, last - int(_GAP_REACH_MM * PX_PER_MM)) : last][::-1])
    return np.nan if gap is None else curve.left + last - 1 - gap[1] - curve.pen_px / 2


def _gap(inked: NDArray[np.bool_]) -> tuple[int, int] | None:
    """First stretch without ink that is wider than a grid line and ends: its start and end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], inked, [False]]).astype(np.int8)))
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=False):
        if end - start >= _LEAST_GAP_PX and end < len(inked):
            return start, end
    return None


def find_timing(
    followed: list[FollowedRow], arrangement: Arrangement, px_per_s: float
) -> tuple[float, float, float | None]:
    """Column of t = 0, seconds in a column, and the pixels of one where all rows are a little shorter or longer.

    Curves and the pulses beside them tell where rows start and end. Where both are as far apart as the layout and the
    speed say, that is proof. What looks like more curve beside a row is a pulse, a frame or a shadow: then one of them
    is right, and the names tell which.

    Raises:
        UndigitizedPageError: nothing is proof.
    """
    layout = arrangement.layout
    pitches = [arrangement.column_px / (column_s * px_per_s) for column_s in layout.columns_s]
    if layout.columns > 1 and all(abs(pitch - 1) > _COLUMNS_OFF for pitch in pitches):
        raise UndigitizedPageError(
            "timing",
            found=f"names in columns of {arrangement.column_px / PX_PER_MM:.0f} mm",
            expected=f"{layout.columns} columns of {layout.columns_s[0]:g} or {layout.columns_s[1]:g} s",
            remedy=WHOLE_PAGE,
        )
    starts = _starts(followed)
    ends = _ends(followed)
    for column_s in layout.columns_s:
        length_px = column_s * layout.columns * px_per_s
        agreed = _agreed(followed, length_px)
        if agreed is not None:
            return agreed, column_s, _alike_px(followed, length_px, layout.columns)
        off_px = np.abs(np.subtract.outer(starts, ends) + length_px)
        proven = np.argwhere(off_px <= _LENGTH_MM * PX_PER_MM)
        if not len(proven):
            continue
        by_pulse, end_by_pulse = proven[0]
        measured_px = None if by_pulse or end_by_pulse else _alike_px(followed, length_px, layout.columns)
        return starts[by_pulse], column_s, measured_px
    known = ends[0] - starts[0] if np.isfinite(ends[0] - starts[0]) else np.inf
    for column_s in layout.columns_s:
        length_px = column_s * layout.columns * px_per_s
        if known < length_px:
            continue
        places = [*starts, *(end - length_px for end in ends)]
        fitting = [place for place in places if _at_names(place, arrangement, length_px / layout.columns)]
        if fitting and np.ptp(fitting) <= _LENGTH_MM * PX_PER_MM:
            return fitting[0], column_s, None
    lengths_px = [column_s * layout.columns * px_per_s for column_s in layout.columns_s]
    nearest = min(lengths_px, key=lambda each: abs(known - each))
    raise UndigitizedPageError(
        "timing",
        found=f"rows of {known / PX_PER_MM:.0f} mm",
        expected=f"{nearest / PX_PER_MM:.0f} mm, as the layout and the speed say",
        remedy="Send the whole page, not cropped at the sides. " + WHOLE_PAGE,
    )


def _agreed(followed: list[FollowedRow], length_px: float) -> float | None:
    """Where rows of this length start, by starts and ends of curves alike: the place on which most agree."""
    starts = [each.start for each in followed if np.isfinite(each.start)]
    ends = [each.end - length_px for each in followed if np.isfinite(each.end)]
    best: list[float] = []
    for place in starts + ends:
        near = [[each for each in side if abs(each - place) <= _ALIKE_MM * PX_PER_MM] for side in (starts, ends)]
        if all(near) and len(near[0] + near[1]) > len(best):
            best = near[0] + near[1]
    return float(np.median(best)) if len(best) >= max(len(followed), 2) else None


def _starts(followed: list[FollowedRow]) -> list[float]:
    """Where the curves start, and where pulses before them end, which hide that; behind a pulse may be a gap."""
    pulses = [each.pulse.right for each in followed if each.pulse and not each.pulse_last and np.isnan(each.start)]
    return [_median([each.start for each in followed]), _median(pulses)]


def _ends(followed: list[FollowedRow]) -> list[float]:
    """Where the curves end, and where pulses behind them start, which hide that."""
    pulses = [each.pulse.left for each in followed if each.pulse and each.pulse_last and np.isnan(each.end)]
    return [_median([each.end for each in followed]), _median(pulses)]


def _alike_px(followed: list[FollowedRow], length_px: float, columns: int) -> float | None:
    """Pixels of a column, where rows of leads are as long as one another, but not as long as ``length_px``."""
    lengths = [each.end - each.start for each in followed if not each.row.strip]
    off = abs(float(np.median(lengths)) - length_px)
    alike = np.ptp(lengths) < _ALIKE_MM * PX_PER_MM < off and columns > 1
    return float(np.median(lengths)) / columns if alike else None


def _at_names(start: float, arrangement: Arrangement, column_px: float) -> bool:
    """Whether leads may start there: names begin near them, and are as far apart as the layout and the speed say."""
    if arrangement.layout.columns == 1 or abs(arrangement.column_px / column_px - 1) > _PITCH_OFF:
        return False
    least, most = (off_mm * PX_PER_MM for off_mm in _NAME_OFF_MM)
    return least <= arrangement.first_x - start <= most


def _median(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if 2 * len(known) >= len(values) > 0 else np.nan
