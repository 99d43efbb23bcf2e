"""A gray picture of an ECG page to a digitized recording, or the reason why not."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.arrangement import Arrangement, arrange
from digitize.checks import check
from digitize.digitized import Digitized, LeadFacts, Scale, Strip
from digitize.errors import WHOLE_PAGE, UndigitizedPageError
from digitize.extent import FollowedRow, find_timing, follow_row
from digitize.flat import PX_PER_MM, FlatPage, flatten
from digitize.grid import find_grid
from digitize.gridmap import Floats
from digitize.names import NAMES, Token, find_tokens, read_places
from digitize.rows import erase_rules, erase_tokens, find_rows
from digitize.scale import printed_value, prove_gain, prove_speed
from shared_preproc.recording import RECORDED_LEADS

__all__ = ["RATE_HZ", "digitize"]

RATE_HZ = 500.0
_MOST_PX = 5000  # of a side that is worked on
_LEAST_PX = 100  # of a side on which three rows of leads could be told apart
_RESIDUAL_MM = 0.45
_LEAST_NAMES = 6
_READ_WITH_GAPS, _ROWS_UNREAD = 8, 3  # names that must be read where a row has none; rows that may have none
_RUNNER_UP = 0.75
_LEAST_COVERAGE = 0.8
_LINE_PX = 7  # a grid line that was taken out of the ink of a stroke is no thicker
_BAR_SPREAD_PX = 5
_EDGE_PX = 9  # beside a column's edge, where a separator may cross the curve
_BAR_PX = 16  # height from which a stroke there counts as one


def digitize(gray: NDArray[np.uint8]) -> Digitized:
    """Read the curves of an ECG page of any cart.

    Args:
        gray: uint8 (height, width), upright.

    Returns:
        Leads in millivolt on the page's clock, with the source of every fact.

    Raises:
        UndigitizedPageError: scale, names, layout, timing or curves are not proven.
    """
    scale = min(1.0, _MOST_PX / max(gray.shape))
    gray = _resized(gray, scale)
    grid = find_grid(gray) if min(gray.shape) >= _LEAST_PX else None
    if grid is None or grid.residual_mm > _RESIDUAL_MM:
        found = "no grid" if grid is None else f"a grid whose lines lie {grid.residual_mm:.2f} mm off"
        raise UndigitizedPageError(
            "grid", found=found, expected=f"a millimetre grid, its lines within {_RESIDUAL_MM} mm", remedy=WHOLE_PAGE
        )
    page = flatten(gray, grid)
    tokens, arrangement = _find_names(page)
    ink = erase_rules(erase_tokens(np.rint(page.ink * 255).astype(np.uint8), tokens))
    ink = np.asarray(cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((_LINE_PX, 1), np.uint8)), np.uint8)
    return _in_pixels_of_the_picture(_read(page, ink, arrangement, tokens), scale)


def _resized(gray: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return np.ascontiguousarray(gray)
    return np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _in_pixels_of_the_picture(page: Digitized, scale: float) -> Digitized:
    strips = tuple(replace(strip, page_x=strip.page_x / scale, page_y=strip.page_y / scale) for strip in page.strips)
    across_px, down_px = page.scale.pitch_px
    return replace(
        page,
        page_x=page.page_x / scale,
        page_y=page.page_y / scale,
        strips=strips,
        scale=replace(page.scale, pitch_px=(across_px / scale, down_px / scale)),
    )


def _find_names(page: FlatPage) -> tuple[list[Token], Arrangement]:
    """Read the names; small print where few agree; and once more at the places of names that were not read."""
    tokens = find_tokens(page)
    found = arrange(tokens)
    if found is None or len(found.read) < _LEAST_NAMES:
        tokens = find_tokens(page, small=True)
        found = arrange(tokens)
    if found is not None and _LEAST_NAMES <= len(found.read) < len(NAMES):
        height = float(np.median([token.bottom - token.top for token in found.read.values()]))
        tokens = tokens + read_places(page, found.unread, height)
        found = arrange(tokens)
    return tokens, _proven(found)


def _proven(found: Arrangement | None) -> Arrangement:
    """Refuse a layout that too few names prove.

    Raises:
        UndigitizedPageError: fewer than six names, a row or column without one, or names that contradict.
    """
    read = len(found.read) if found else 0
    if found is None or read < _LEAST_NAMES:
        raise UndigitizedPageError(
            "names",
            found=f"{read} lead names in places that agree",
            expected=f"at least {_LEAST_NAMES} of the twelve lead names",
            remedy="Send the whole page with readable lead names, upright. " + WHOLE_PAGE,
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
            remedy="Send the whole page with readable lead names, upright. " + WHOLE_PAGE,
        )
    return found


@dataclass(frozen=True)
class _Axes:
    start: float
    """Column of t = 0."""
    px_per_s: float
    px_per_mv: float


def _read(page: FlatPage, ink: NDArray[np.uint8], arrangement: Arrangement, tokens: list[Token]) -> Digitized:
    layout = arrangement.layout
    printed_speed, speed_alone = printed_value(tokens, "mm/s")
    printed_gain, gain_alone = printed_value(tokens, "mm/mV")
    longest_px = max(layout.columns_s) * layout.columns * (printed_speed or 25.0) * PX_PER_MM
    rows = find_rows(ink, arrangement, tokens)
    followed = [follow_row(ink, row, arrangement, longest_px) for row in rows]
    pulses = [each.pulse for each in followed if each.pulse]
    speed, speed_source = prove_speed(printed_speed, pulses, proven=speed_alone)
    gain, gain_source, pulse_mm = prove_gain(printed_gain, pulses, proven=gain_alone)
    px_per_s = speed * PX_PER_MM
    start, column_s = find_timing(followed, arrangement, px_per_s)
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
            remedy="Send a picture on which every lead is whole. " + WHOLE_PAGE,
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


def _sampled(
    page: FlatPage, each: FollowedRow, axes: _Axes, clock: Floats, *, inner: bool = False
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
