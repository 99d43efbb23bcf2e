"""A gray picture of an ECG page to a digitized recording, or the reason why not."""

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.arrangement import STROKES, Arrangement
from digitize.checks import check, clock_fit, repeated_lead
from digitize.crossings import crossings
from digitize.digitized import Digitized, LeadFacts, Scale, Strip
from digitize.errors import WHOLE_PAGE, UndigitizedPageError
from digitize.extent import FollowedRow, find_timing, follow_row, without_lone_pulse
from digitize.flat import PX_PER_MM, FlatPage, flatten
from digitize.grid import find_grid
from digitize.layouts import Layout
from digitize.marks import marked_leads
from digitize.names import NAMES, Token
from digitize.rows import erase_rules, erase_tokens, find_rows
from digitize.sampling import RATE_HZ, Axes, Sampled, sample_leads, sample_row
from digitize.scale import StatedScale, printed_value, prove_gain, prove_speed
from digitize.upright import find_names
from shared_preproc.recording import RECORDED_LEADS

__all__ = ["RATE_HZ", "digitize"]

_MOST_PX = 4000  # of a side that is worked on
_LEAST_PX = 100  # of a side on which three rows of leads could be told apart
_RESIDUAL_MM = 0.3
_LEAST_COVERAGE, _LEAST_ALONE = 0.8, 0.5  # of a lead's place; and that is left where it runs through others
_NOTHING_STATED = StatedScale()
_LINE_PX = 7  # a grid line that was taken out of the ink of a stroke is no thicker


def digitize(gray: NDArray[np.uint8], stated: StatedScale = _NOTHING_STATED) -> Digitized:
    """Read the curves of an ECG page of any cart.

    Args:
        gray: uint8 (height, width), turned any way.
        stated: scale that is used where the page does not prove its own; where it proves another, it is refused.

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
    page, tokens, arrangement = find_names(flatten(gray, grid))
    ink = erase_tokens(np.asarray(cv2.convertScaleAbs(page.ink, alpha=255.0), np.uint8), tokens)
    ink = erase_rules(ink, arrangement)
    ink = np.asarray(cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((_LINE_PX, 1), np.uint8)), np.uint8)
    return _in_pixels_of_the_picture(_read(page, ink, arrangement, tokens, stated), scale)


def _resized(gray: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return np.ascontiguousarray(gray)
    size = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)


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


def _read(
    page: FlatPage, ink: NDArray[np.uint8], arrangement: Arrangement, tokens: list[Token], stated: StatedScale
) -> Digitized:
    layout = arrangement.layout
    speed, gain = (_printed(tokens, unit, arrangement) for unit in ("mm/s", "mm/mV"))
    longest_px = max(layout.columns_s) * layout.columns * (speed[0] or stated.speed_mm_s or 25.0) * PX_PER_MM
    rows = find_rows(ink, arrangement, tokens)
    followed = without_lone_pulse([follow_row(ink, row, arrangement, longest_px) for row in rows])
    pulses = [each.pulse for each in followed if each.pulse]
    speed_mm_s, speed_source = prove_speed(speed[0], pulses, proven=speed[1], stated=stated.speed_mm_s)
    gain_mm_mv, gain_source, pulse_mm = prove_gain(gain[0], pulses, proven=gain[1], stated=stated.gain_mm_mv)
    pitch_px, residual_mm = page.grid.pitch_px, page.grid.residual_mm
    scale = Scale(speed_mm_s, speed_source, gain_mm_mv, gain_source, pulse_mm, pitch_px, residual_mm, page.tilt_deg)
    px_per_s = scale.speed_mm_s * PX_PER_MM
    start, column_s, measured_px = find_timing(followed, arrangement, px_per_s)
    axes = Axes(start, px_per_s, scale.gain_mm_mv * PX_PER_MM, column_s, column_s * px_per_s)
    closer = [replace(axes, column_px=measured_px)] if measured_px else []
    sampled = _sample(page, ink, followed, [axes, *closer], layout)
    signal_mv = sampled.leads.mv[0]
    leads = _facts(signal_mv, arrangement, column_s, sampled.crossed)
    strips, unread = _named(sampled.strips, signal_mv)
    checks, doubts = check(signal_mv, strips, sampled.clock, layout, RATE_HZ)
    doubts += unread
    if "stated" in {speed_source, gain_source}:
        what = " and ".join(
            f"{value:g} {unit}"
            for value, source, unit in ((speed_mm_s, speed_source, "mm/s"), (gain_mm_mv, gain_source, "mm/mV"))
            if source == "stated"
        )
        doubts.append(f"{what}: the page does not prove it; the sender states it.")
    if sampled.crossed:
        doubts.append(f"{', '.join(sampled.crossed)} run through other curves; beats that meet one are left out.")
    marked = marked_leads(ink, followed, axes, layout)
    if marked:
        doubts.append(f"Marks that are no curve stand over {', '.join(marked)}, which may be read wrongly.")
    by_place = [fact.name for fact in leads if fact.known == "by position"]
    if by_place:
        doubts.append(f"The names of {', '.join(by_place)} follow from their places; they were not read.")
    _, top_mv, bottom_mv = sampled.leads.mv
    page_x, page_y = sampled.leads.pixels
    return Digitized(
        signal_mv=signal_mv,
        top_mv=top_mv,
        bottom_mv=bottom_mv,
        page_x=page_x,
        page_y=page_y,
        rate_hz=RATE_HZ,
        leads=leads,
        strips=tuple(strips),
        layout=layout.name,
        runner_up=(arrangement.runner_up[0], arrangement.runner_up[1] / arrangement.score),
        scale=scale,
        checks=checks,
        doubts=tuple(doubts),
    )


def _printed(tokens: list[Token], unit: str, arrangement: Arrangement) -> tuple[float | None, bool]:
    """Number before a unit and whether it is proof; the header ends half a row above the names."""
    return printed_value(tokens, unit, arrangement.first_y - arrangement.row_px / 2)


@dataclass(frozen=True, eq=False)
class _Curves:
    """What was sampled of a page, without the beats that cross; with them, how well columns fall on the strips."""

    leads: Sampled
    strips: list[tuple[str, Sampled]]
    clock: float | None
    crossed: list[str]


def _sample(
    page: FlatPage, ink: NDArray[np.uint8], followed: list[FollowedRow], axes: list[Axes], layout: Layout
) -> _Curves:
    """Sample all rows; leads by those axes by which they fall best on a strip's clock, without one by the first."""
    rows, below = ([each for each in followed if each.row.strip is strip] for strip in (False, True))
    page_s = axes[0].column_s * layout.columns
    strips = [(each.row.leads[0], sample_row(page, ink, each, axes[0], page_s)) for each in below]
    strips = [(name, strip) for name, strip in strips if _coverage(strip.mv[0]) >= _LEAST_COVERAGE]
    clocks = [strip.mv[0] for _, strip in strips]
    tried = [sample_leads(page, ink, rows, each, layout) for each in (axes if clocks else axes[:1])]
    leads = (
        max(tried, key=lambda each: clock_fit(each.mv[0], clocks, RATE_HZ, latest_s=0.0))
        if len(tried) > 1
        else tried[0]
    )
    clock = clock_fit(leads.mv[0], clocks, RATE_HZ) if clocks else None
    unknown = crossings(np.concatenate([leads.rows, *(strip.rows[:, np.newaxis] for _, strip in strips)], axis=1))
    crossed = [name for name, beats in zip(NAMES, unknown, strict=False) if beats.any()]
    below_unknown = unknown[len(NAMES) :]
    strips = [(name, strip.without(beats)) for (name, strip), beats in zip(strips, below_unknown, strict=True)]
    return _Curves(leads.without(unknown[: len(NAMES)]), strips, clock, crossed)


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
            facts[name] = LeadFacts(name, known, first, last, _coverage(part), name in crossed)
    least = {name: _LEAST_ALONE if fact.crossed else _LEAST_COVERAGE for name, fact in facts.items()}
    worst = min(facts.values(), key=lambda fact: fact.coverage - least[fact.name])
    if worst.coverage < least[worst.name]:
        raise UndigitizedPageError(
            "curves",
            found=f"the curve of {worst.name} over {worst.coverage:.0%} of its place",
            expected=f"one curve over at least {least[worst.name]:.0%} of its place",
            remedy="Send a picture on which every lead is whole. " + WHOLE_PAGE,
        )
    return tuple(facts[str(lead)] for lead in RECORDED_LEADS)
