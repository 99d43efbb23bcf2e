"""A gray picture of an ECG page to a digitized recording, or the reason why not."""

from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.arrangement import STROKES, Arrangement, arrange
from digitize.checks import check, clock_fit, repeated_lead
from digitize.crossings import crossings
from digitize.digitized import Digitized, LeadFacts, Scale, Strip
from digitize.errors import WHOLE_PAGE, UndigitizedPageError
from digitize.extent import find_timing, follow_row, without_lone_pulse
from digitize.flat import PX_PER_MM, FlatPage, flatten
from digitize.grid import find_grid
from digitize.marks import marked_leads
from digitize.names import NAMES, Token, find_clearest, find_small, find_tokens, read_places
from digitize.rows import erase_rules, erase_tokens, find_rows
from digitize.sampling import RATE_HZ, Axes, Sampled, sample_leads, sample_row
from digitize.scale import printed_value, prove_gain, prove_speed
from shared_preproc.recording import RECORDED_LEADS

__all__ = ["RATE_HZ", "digitize"]

_MOST_PX = 5000  # of a side that is worked on
_LEAST_PX = 100  # of a side on which three rows of leads could be told apart
_RESIDUAL_MM = 0.3
_LEAST_NAMES = 6
_CHANCE = 3  # names that strokes of a page which is not upright may look like
_READ_WITH_GAPS, _ROWS_UNREAD = 8, 3  # names that must be read where a row has none; rows that may have none
_RUNNER_UP = 0.75
_SURE, _MOST_TWICE = 0.6, 4  # score of a name; names that strips and a misread word may repeat; any stroke reads as I
_LEAST_COVERAGE, _LEAST_ALONE = 0.8, 0.5  # of a lead's place; and that is left where it runs through others
_LINE_PX = 7  # a grid line that was taken out of the ink of a stroke is no thicker


def digitize(gray: NDArray[np.uint8]) -> Digitized:
    """Read the curves of an ECG page of any cart.

    Args:
        gray: uint8 (height, width), turned any way.

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
    page, tokens, arrangement = _find_names(flatten(gray, grid))
    ink = erase_rules(erase_tokens(np.asarray(cv2.convertScaleAbs(page.ink, alpha=255.0), np.uint8), tokens))
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


def _find_names(page: FlatPage) -> tuple[FlatPage, list[Token], Arrangement]:
    """Turn the page upright and read the names.

    Small print is read where few agree, and once more the places of names that were not read.
    """
    tokens = find_tokens(page)
    found = arrange(tokens)
    if _count(found) < _LEAST_NAMES:
        tokens = find_small(page, tokens)
        found = arrange(tokens)
    if _count(found) <= _CHANCE:
        turns = [page.turned(quarters) for quarters in (1, 2, 3)]
        counts = [_count(arrange(find_clearest(turn))) for turn in turns]
        if max(counts) > _CHANCE:
            page = turns[int(np.argmax(counts))]
            tokens = find_tokens(page)
            found = arrange(tokens)
    if found is not None and _LEAST_NAMES <= len(found.read) < len(NAMES):
        height = float(np.median([token.bottom - token.top for token in found.read.values()]))
        tokens = tokens + read_places(page, found.unread, height)
        found = arrange(tokens)
    return page, tokens, _proven(found, tokens)


def _count(found: Arrangement | None) -> int:
    return len(found.read) if found else 0


def _proven(found: Arrangement | None, tokens: list[Token]) -> Arrangement:
    """Refuse a layout that too few names prove, and a picture of two ECGs.

    Raises:
        UndigitizedPageError: fewer than six names, a row or column without one, names that contradict or stand twice.
    """
    read = _count(found)
    if found is None or read < _LEAST_NAMES:
        raise UndigitizedPageError(
            "names",
            found=f"{read} lead names in places that agree",
            expected=f"at least {_LEAST_NAMES} of the twelve lead names",
            remedy="Send the whole page with readable lead names, upright. " + WHOLE_PAGE,
        )
    taken = set(map(id, found.read.values()))
    twice = {token.text for token in tokens if id(token) not in taken and token.score >= _SURE} & found.read.keys() - {
        "I"
    }
    if len(twice) > _MOST_TWICE:
        raise UndigitizedPageError(
            "layout",
            found=f"{', '.join(sorted(twice))} printed twice",
            expected="one ECG on the picture",
            remedy="Send each ECG as a picture of its own.",
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


def _read(page: FlatPage, ink: NDArray[np.uint8], arrangement: Arrangement, tokens: list[Token]) -> Digitized:
    layout = arrangement.layout
    header_end = arrangement.first_y - arrangement.row_px / 2
    printed_speed, speed_alone = printed_value(tokens, "mm/s", header_end)
    printed_gain, gain_alone = printed_value(tokens, "mm/mV", header_end)
    longest_px = max(layout.columns_s) * layout.columns * (printed_speed or 25.0) * PX_PER_MM
    rows = find_rows(ink, arrangement, tokens)
    followed = without_lone_pulse([follow_row(ink, row, arrangement, longest_px) for row in rows])
    pulses = [each.pulse for each in followed if each.pulse]
    speed, speed_source = prove_speed(printed_speed, pulses, proven=speed_alone)
    gain, gain_source, pulse_mm = prove_gain(printed_gain, pulses, proven=gain_alone)
    px_per_s = speed * PX_PER_MM
    start, column_s, measured_px = find_timing(followed, arrangement, px_per_s)
    axes = Axes(start, px_per_s, gain * PX_PER_MM, column_s, column_s * px_per_s)
    strips = [
        (each.row.leads[0], strip)
        for each in followed
        if each.row.strip
        and _coverage((strip := sample_row(page, ink, each, axes, column_s * layout.columns)).mv[0]) >= _LEAST_COVERAGE
    ]
    clocks = [strip.mv[0] for _, strip in strips]
    rows_of_leads = [each for each in followed if not each.row.strip]
    sampled = sample_leads(page, ink, rows_of_leads, axes, layout)
    if measured_px and clocks:
        other = sample_leads(page, ink, rows_of_leads, replace(axes, column_px=measured_px), layout)
        if clock_fit(other.mv[0], clocks, RATE_HZ) > clock_fit(sampled.mv[0], clocks, RATE_HZ):
            sampled = other
    met = crossings(np.concatenate([sampled.rows, *(strip.rows[:, np.newaxis] for _, strip in strips)], axis=1))
    sampled = sampled.without(met[: len(NAMES)])
    crossed = [name for name, unknown in zip(NAMES, met, strict=False) if unknown.any()]
    leads = _facts(sampled.mv[0], arrangement, column_s, crossed)
    named, renamed = _named(
        [(name, strip.without(unknown)) for (name, strip), unknown in zip(strips, met[len(NAMES) :], strict=True)],
        sampled.mv[0],
    )
    checks, doubts = check(sampled.mv[0], named, clocks, layout, RATE_HZ)
    doubts += renamed
    if crossed:
        doubts.append(f"{', '.join(crossed)} run through other curves; beats that meet one are left out.")
    marked = marked_leads(ink, followed, axes, layout)
    if marked:
        doubts.append(f"Marks that are no curve stand over {', '.join(marked)}, which may be read wrongly.")
    by_place = [fact.name for fact in leads if fact.known == "by position"]
    if by_place:
        doubts.append(f"The names of {', '.join(by_place)} follow from their places; they were not read.")
    grid = page.grid
    scale = Scale(speed, speed_source, gain, gain_source, pulse_mm, grid.pitch_px, grid.residual_mm, page.tilt_deg)
    return Digitized(
        signal_mv=sampled.mv[0],
        top_mv=sampled.mv[1],
        bottom_mv=sampled.mv[2],
        page_x=sampled.pixels[0],
        page_y=sampled.pixels[1],
        rate_hz=RATE_HZ,
        leads=leads,
        strips=tuple(named),
        layout=layout.name,
        runner_up=(arrangement.runner_up[0], arrangement.runner_up[1] / arrangement.score),
        scale=scale,
        checks=checks,
        doubts=tuple(doubts),
    )


def _coverage(signal_mv: NDArray[np.float32]) -> float:
    return float(np.isfinite(signal_mv).mean())


def _named(strips: list[tuple[str, Sampled]], signal_mv: NDArray[np.float32]) -> tuple[list[Strip], list[str]]:
    """Rhythm strips with a name, and what people should know about it.

    A name that was not read, or whose strokes were counted wrongly, is that of the lead which the strip repeats.
    """
    named, doubts = [], []
    for read, strip in strips:
        repeated = repeated_lead(strip.mv[0], signal_mv, RATE_HZ)
        name = repeated if repeated and (not read or {read, repeated} <= STROKES) else read
        if not name:
            doubts.append("A row below the leads has no readable name; it is left out.")
            continue
        if name != read:
            doubts.append(f"The rhythm strip's name was not read; it repeats {name}.")
        (mv, top_mv, bottom_mv), (page_x, page_y) = strip.mv, strip.pixels
        named.append(Strip(name, mv, top_mv, bottom_mv, page_x, page_y, _coverage(mv)))
    return named, doubts


def _facts(
    signal_mv: NDArray[np.float32], arrangement: Arrangement, column_s: float, crossed: list[str]
) -> tuple[LeadFacts, ...]:
    """How each lead is known; ``crossed`` leads run through other curves, where they are left out.

    Raises:
        UndigitizedPageError: a curve was found over too little of its place.
    """
    facts = {}
    for row in arrangement.layout.rows:
        for column, name in enumerate(row):
            first, last = column * column_s, (column + 1) * column_s
            part = signal_mv[NAMES.index(name), round(first * RATE_HZ) : round(last * RATE_HZ)]
            known: Literal["read", "by position"] = "read" if name in arrangement.read else "by position"
            facts[name] = LeadFacts(name, known, first, last, _coverage(part))
    least = {name: _LEAST_ALONE if name in crossed else _LEAST_COVERAGE for name in facts}
    worst = min(facts.values(), key=lambda fact: fact.coverage - least[fact.name])
    if worst.coverage < least[worst.name]:
        raise UndigitizedPageError(
            "curves",
            found=f"the curve of {worst.name} over {worst.coverage:.0%} of its place",
            expected=f"one curve over at least {least[worst.name]:.0%} of its place",
            remedy="Send a picture on which every lead is whole. " + WHOLE_PAGE,
        )
    return tuple(facts[str(lead)] for lead in RECORDED_LEADS)
