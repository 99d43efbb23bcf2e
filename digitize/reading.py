"""A gray picture of an ECG page to a digitized recording, or the reason why not."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.arrangement import Arrangement, arrange
from digitize.checks import check
from digitize.curves import Curve, follow
from digitize.digitized import Digitized, LeadFacts, Scale, Source, Strip
from digitize.errors import UndigitizedPageError
from digitize.flat import PX_PER_MM, FlatPage, flatten
from digitize.gridmap import Floats, find_grid
from digitize.layouts import Layout
from digitize.names import NAMES, Token, find_tokens
from digitize.rows import Pulse, Row, erase_tokens, find_pulse, find_rows
from shared_preproc.recording import RECORDED_LEADS

__all__ = ["RATE_HZ", "digitize"]

RATE_HZ = 500.0
_MOST_PX = 5000  # of a side that is worked on
_RESIDUAL_MM = 0.45
_SURE = 0.6  # score from which a speed or gain counts as read
_PROVEN = 0.75  # and from which it needs no pulse
_DOUBTFUL = 0.5  # from which another reading speaks against it
_LINE_MM = 2.5  # down, between texts of one line
_WIDTH_AGREES = 0.12
_LEAST_NAMES = 6
_READ_WITH_GAPS, _ROWS_UNREAD = 8, 3  # names that must be read where a row has none; rows that may have none
_RUNNER_UP = 0.75
_MARGIN_MM = 22.0  # beside the rows, where pulses stand
_LENGTH_MM = 4.0  # by which a row may be shorter or longer than the layout says
_PULSE_AGREES = 0.06
_LEAST_COVERAGE = 0.8
_LINE_PX = 7  # a grid line that was taken out of the ink of a stroke is no thicker
_LEAST_GAP_PX = 5  # wider than a grid line's trace in the ink
_GAP_REACH_MM = 6.0  # from a pulse
_GAP_PX = 20  # a wider one ends a row
_EDGE_PX = 9  # beside a column's edge, where a separator may cross the curve
_BAR_PX = 16  # height from which a stroke there counts as one
_EXPORT = "Send the whole page as an export or PDF, or a flat, sharp picture of it from straight above."


def digitize(gray: NDArray[np.uint8]) -> Digitized:
    """Read the curves of an ECG page of any cart.

    Args:
        gray: uint8 (height, width), upright.

    Returns:
        Leads in millivolt on the page's clock, with the source of every fact.

    Raises:
        UndigitizedPageError: scale, names, layout, timing or curves are not proven.
    """
    gray = _sized(gray)
    grid = find_grid(gray)
    if grid is None or grid.residual_mm > _RESIDUAL_MM:
        found = "no grid" if grid is None else f"a grid whose lines lie {grid.residual_mm:.2f} mm off"
        raise UndigitizedPageError(
            "grid", found=found, expected=f"a millimetre grid, its lines within {_RESIDUAL_MM} mm", remedy=_EXPORT
        )
    page = flatten(gray, grid)
    tokens = find_tokens(page)
    arrangement = _arrangement(tokens)
    ink = erase_tokens(np.rint(page.ink * 255).astype(np.uint8), tokens)
    ink = np.asarray(cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((_LINE_PX, 1), np.uint8)), np.uint8)
    return _read(page, ink, arrangement, tokens)


def _sized(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = _MOST_PX / max(gray.shape)
    if factor >= 1:
        return np.ascontiguousarray(gray)
    return np.asarray(cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def _arrangement(tokens: list[Token]) -> Arrangement:
    found = arrange(tokens)
    read = len(found.read) if found else 0
    if found is None or read < _LEAST_NAMES:
        raise UndigitizedPageError(
            "names",
            found=f"{read} lead names in places that agree",
            expected=f"at least {_LEAST_NAMES} of the twelve lead names",
            remedy="Send the whole page with readable lead names, upright. " + _EXPORT,
        )
    cells = [
        (row, column)
        for row, leads in enumerate(found.layout.rows)
        for column, lead in enumerate(leads)
        if lead in found.read
    ]
    rows, columns = {row for row, _ in cells}, {column for _, column in cells}
    unread = len(found.layout.rows) - len(rows)
    alone = len(columns) < found.layout.columns or (unread > 0 and read < _READ_WITH_GAPS) or unread > _ROWS_UNREAD
    if alone or found.against or found.runner_up[1] > _RUNNER_UP * found.score:
        what = "a row or column without a readable name" if alone else "names that contradict one another"
        raise UndigitizedPageError(
            "layout",
            found=f"{what} for {found.layout.name}; next {found.runner_up[0] or 'none'}",
            expected="one layout that the names agree with, and no other",
            remedy="Send the whole page with readable lead names, upright. " + _EXPORT,
        )
    return found


_BAR_SPREAD_PX = 5


@dataclass(frozen=True, eq=False)
class _Followed:
    row: Row
    curve: Curve
    pulse: Pulse | None
    start: float
    end: float


@dataclass(frozen=True)
class _Axes:
    start: float
    """Column of t = 0."""
    px_per_s: float
    px_per_mv: float


def _read(page: FlatPage, ink: NDArray[np.uint8], arrangement: Arrangement, tokens: list[Token]) -> Digitized:
    layout = arrangement.layout
    printed_speed, speed_alone = _printed(tokens, "mm/s")
    printed_gain, gain_alone = _printed(tokens, "mm/mV")
    longest_px = max(layout.columns_s) * layout.columns * (printed_speed or 25.0) * PX_PER_MM
    rows = find_rows(ink, arrangement, tokens)
    followed = [_follow(ink, row, arrangement, longest_px) for row in rows]
    pulses = [each.pulse for each in followed if each.pulse]
    speed, speed_source = _speed(printed_speed, pulses, proven=speed_alone)
    gain, gain_source, pulse_mm = _gain(printed_gain, pulses, proven=gain_alone)
    px_per_s = speed * PX_PER_MM
    start, column_s = _timing(followed, layout, px_per_s)
    axes = _Axes(start, px_per_s, gain * PX_PER_MM)
    strips = [each for each in followed if each.row.strip]
    samples = round(column_s * layout.columns * RATE_HZ)
    clock = np.arange(samples) / RATE_HZ
    bands = np.full((3, len(NAMES), samples), np.nan, np.float32)
    places = np.full((2, len(NAMES), samples), np.nan, np.float32)
    facts: dict[str, LeadFacts] = {}
    for each in followed:
        if each.row.strip:
            continue
        for column, lead in enumerate(each.row.leads):
            first, last = column * column_s, (column + 1) * column_s
            inside = (clock >= first) & (clock < last)
            sign = -1.0 if lead in layout.inverted else 1.0
            index = NAMES.index(lead)
            band, place = _sampled(page, each, axes, clock[inside], inner=layout.columns > 1)
            bands[:, index, inside] = band if sign > 0 else -band[[0, 2, 1]]
            places[:, index, inside] = place
            coverage = float(np.isfinite(band[0]).mean())
            facts[lead] = LeadFacts(lead, "read" if lead in arrangement.read else "by position", first, last, coverage)
    worst = min(facts.values(), key=lambda fact: fact.coverage)
    if worst.coverage < _LEAST_COVERAGE:
        raise UndigitizedPageError(
            "curves",
            found=f"the curve of {worst.name} over {worst.coverage:.0%} of its place",
            expected=f"one curve over at least {_LEAST_COVERAGE:.0%} of each lead's place",
            remedy="Send a picture on which every lead is whole. " + _EXPORT,
        )
    strip_records = []
    for each in strips:
        band, place = _sampled(page, each, axes, clock)
        coverage = float(np.isfinite(band[0]).mean())
        if each.row.name and coverage >= _LEAST_COVERAGE:
            strip_records.append(Strip(each.row.leads[0], band[0], band[1], band[2], place[0], place[1], coverage))
    checks, doubts = check(bands[0], strip_records, layout, RATE_HZ)
    if len(strips) > len(strip_records):
        doubts.append("A row below the leads has no readable name; it is left out.")
    by_place = [fact.name for fact in facts.values() if fact.known == "by position"]
    if by_place:
        doubts.append(f"The names of {', '.join(by_place)} follow from their places; they were not read.")
    grid = page.grid
    scale = Scale(speed, speed_source, gain, gain_source, pulse_mm, grid.pitch_px, grid.residual_mm, grid.tilt_deg)
    share = arrangement.runner_up[1] / arrangement.score
    leads = tuple(facts[str(lead)] for lead in RECORDED_LEADS)
    runner_up = (arrangement.runner_up[0], share)
    return Digitized(
        signal_mv=bands[0],
        top_mv=bands[1],
        bottom_mv=bands[2],
        page_x=places[0],
        page_y=places[1],
        rate_hz=RATE_HZ,
        leads=leads,
        strips=tuple(strip_records),
        layout=layout.name,
        runner_up=runner_up,
        scale=scale,
        checks=checks,
        doubts=tuple(doubts),
    )


def _printed(tokens: list[Token], unit: str) -> tuple[float | None, bool]:
    """The number that stands before a unit, ``None`` where none was read; whether it proves the scale alone.

    Alone it does where speed and gain stand beside each other, both read surely, and nothing reads otherwise.

    Raises:
        UndigitizedPageError: two were read that differ.
    """
    read = [token for token in tokens if token.text.endswith(unit)]
    sure = {token.text for token in read if token.score >= _SURE}
    if len(sure) > 1:
        kind = "speed" if unit == "mm/s" else "gain"
        raise UndigitizedPageError(
            kind,
            found=f"{' and '.join(sorted(sure))} on one page",
            expected=f"one {kind} for all leads",
            remedy="Print the page again with one speed and one gain.",
        )
    if not sure:
        return None, False
    text = sure.pop()
    best = max((token for token in read if token.text == text), key=lambda token: token.score)
    beside = any(
        token.text.split("mm")[1] != best.text.split("mm")[1]
        and token.text[0].isdigit()
        and token.score >= _PROVEN
        and abs(token.y - best.y) < _LINE_MM * PX_PER_MM
        for token in tokens
        if "mm/" in token.text
    )
    alone = best.score >= _PROVEN and beside and all(token.text == text for token in read if token.score >= _DOUBTFUL)
    return float(text.removesuffix(unit)), alone


def _follow(ink: NDArray[np.uint8], row: Row, arrangement: Arrangement, longest_px: float) -> _Followed:
    margin = _MARGIN_MM * PX_PER_MM
    left = max(0, int(arrangement.first_x - margin))
    right = min(ink.shape[1], int(arrangement.first_x + longest_px + margin))
    reach = min(1.4 * arrangement.row_px, 40 * PX_PER_MM)
    curve = follow(ink, left, right, row.baseline, (reach, reach))
    start, end = _extent(curve)
    pulse = find_pulse(ink, row.baseline, left, int(arrangement.first_x + 9 * PX_PER_MM))
    if pulse is not None:
        return _Followed(row, curve, pulse, _after_gap(curve, pulse.right), end)
    known = np.flatnonzero(np.isfinite(curve.middle))
    last = left + int(known[-1]) if len(known) else right
    pulse = find_pulse(ink, row.baseline, int(last - margin), min(right, last + 8))
    if pulse is not None:
        end = _before_gap(curve, pulse.left)
    return _Followed(row, curve, pulse, start, end)


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


def _speed(printed: float | None, pulses: list[Pulse], *, proven: bool) -> tuple[float, Source]:
    width = float(np.median([pulse.width_mm for pulse in pulses])) if pulses else np.nan
    by_pulse = next((speed for speed in (25.0, 50.0) if abs(width / (0.2 * speed) - 1) < _WIDTH_AGREES), None)
    if printed is not None and printed == by_pulse:
        return printed, "printed and pulse"
    if printed is not None and proven and not pulses:
        return printed, "printed"
    if by_pulse is None or printed is not None:
        what = "no printed speed" if printed is None else f"{printed:g} mm/s, not surely read,"
        raise UndigitizedPageError(
            "speed",
            found=f"{what} and no calibration pulse of 0.2 s that agrees",
            expected="25 mm/s or 50 mm/s, printed or proven by a calibration pulse",
            remedy="Send the whole page with its footer, where the paper's speed is printed.",
        )
    return by_pulse, "pulse"


def _gain(printed: float | None, pulses: list[Pulse], *, proven: bool) -> tuple[float, Source, float | None]:
    height = float(np.median([pulse.height_mm for pulse in pulses])) if pulses else None
    by_pulse = None
    if height is not None:
        by_pulse = next((gain for gain in (5.0, 10.0, 20.0) if abs(height / gain - 1) < _PULSE_AGREES), None)
    if printed is not None and printed == by_pulse:
        return printed, "printed and pulse", height
    if printed is not None and proven and height is None:
        return printed, "printed", None
    if by_pulse is None or printed is not None:
        what = "no printed gain" if printed is None else f"{printed:g} mm/mV printed"
        pulse = "no calibration pulse" if height is None else f"a calibration pulse of {height:.1f} mm"
        raise UndigitizedPageError(
            "gain",
            found=f"{what} and {pulse}",
            expected="a printed gain, a calibration pulse of 1 mV of 5, 10 or 20 mm, or both that agree",
            remedy="Send the whole page with its calibration pulses, and its footer, where the gain is printed.",
        )
    return by_pulse, "pulse", height


def _timing(followed: list[_Followed], layout: Layout, px_per_s: float) -> tuple[float, float]:
    """Column of t = 0 and seconds in a column: rows must be as long as the layout says.

    Raises:
        UndigitizedPageError: they are not.
    """
    start, end = (_median([getattr(each, side) for each in followed]) for side in ("start", "end"))
    known = end - start if np.isfinite(end - start) else np.inf
    column_s = min(layout.columns_s, key=lambda each: abs(known - each * layout.columns * px_per_s))
    length_px = column_s * layout.columns * px_per_s
    if np.isnan(start) and np.isfinite(end):
        # A pulse runs into the lead: its end tells when it started, if the pulse is no farther away.
        strokes = [each.pulse.right for each in followed if each.pulse]
        for each_s in layout.columns_s:
            candidate = end - each_s * layout.columns * px_per_s
            if abs(candidate - _median(strokes)) < _LENGTH_MM * PX_PER_MM:
                return candidate, each_s
    if np.isnan(end) and np.isfinite(start):
        strokes = [each.pulse.left for each in followed if each.pulse]
        for each_s in layout.columns_s:
            if abs(start + each_s * layout.columns * px_per_s - _median(strokes)) < _LENGTH_MM * PX_PER_MM:
                return start, each_s
    if not abs(known - length_px) <= _LENGTH_MM * PX_PER_MM:
        raise UndigitizedPageError(
            "timing",
            found=f"rows of {known / PX_PER_MM:.0f} mm",
            expected=f"{length_px / PX_PER_MM:.0f} mm, as the layout and the speed say",
            remedy="Send the whole page, not cropped at the sides. " + _EXPORT,
        )
    return start, column_s


def _median(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if 2 * len(known) >= len(values) > 0 else np.nan


def _sampled(
    page: FlatPage, each: _Followed, axes: _Axes, clock: Floats, *, inner: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Curve and edges in millivolt, float32 (3, samples), and their pixels in the picture, float32 (2, samples)."""
    curve = each.curve
    x = axes.start + clock * axes.px_per_s
    zero = each.pulse.foot if each.pulse else each.row.baseline
    columns = curve.left + np.arange(len(curve.middle))
    rows = np.stack([_between(x, columns, edge) for edge in (curve.middle, curve.top, curve.bottom)])
    if inner:
        _hold_edges(rows, x)
    band = ((zero - rows) / axes.px_per_mv).astype(np.float32)
    page_x, page_y = page.page_pixels(x, np.nan_to_num(rows[0], nan=zero))
    place = np.stack([page_x, page_y]).astype(np.float32)
    place[:, ~np.isfinite(band[0])] = np.nan
    return band, place


def _hold_edges(rows: Floats, x: Floats) -> None:
    """Take a separator out of a lead's first and last columns: what stands beside it is held."""
    for side in (slice(None), slice(None, None, -1)):
        part, at = rows[:, side], np.abs(x[side] - x[side][0])
        near = at <= _EDGE_PX
        tall = np.flatnonzero((part[2] - part[1] > _BAR_PX) & near)
        if len(tall) and any(np.ptp(part[edge, tall]) > _BAR_SPREAD_PX for edge in (1, 2)):
            continue  # a beat, not a separator
        beside = np.flatnonzero(at > (at[tall[-1]] if len(tall) else 0.0) + 2.0)
        if len(tall) and len(beside) and part[2, beside[0]] - part[1, beside[0]] < _BAR_PX / 2:
            part[:, : beside[0]] = part[:, beside[0]][:, np.newaxis]


def _between(x: Floats, columns: NDArray[np.int64], edge: Floats) -> Floats:
    known = np.isfinite(edge)
    if not known.any():
        return np.full(len(x), np.nan)
    value = np.interp(x, columns[known], edge[known], left=np.nan, right=np.nan)
    nearest = np.clip(np.rint(x - columns[0]).astype(int), 0, len(columns) - 1)
    return np.where(known[nearest], value, np.nan)
