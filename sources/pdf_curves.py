"""Read the curves of a vector page exactly, or not at all.

A page draws each lead as one polyline with a point for every sample. Calibration pulses give the scale, texts the
names. Three proofs must hold: Einthoven (II = I + III), Goldberger (aVR + aVL + aVF = 0) and each column of leads
against the rhythm strip. The strip also says when a column was recorded, as some carts draw it elsewhere than its time.
Lengths are PDF points, x to the right and y up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared_preproc.leads import Lead
from shared_preproc.recording import RECORDED_LEADS, Recording
from sources.pdf_drawing import Drawing, NotProvenError, sampled_lines, scale_of, upright

__all__ = ["ReadCurves", "read_curves"]

_PAGE_S = (9.0, 11.0)  # a shorter or longer sum of columns is another form of report
_MOST_RESIDUAL_MV = 0.01  # carts store 1 to 5 microvolt; each term of a relation is rounded
_MOST_SHIFT_S = 0.06  # between where a column is drawn and its time
_MOST_TIMING = 0.15  # RMS by which a column may miss the strip, over its own RMS: half a sample is interpolated
_LEAST_COINCIDENCE = 0.5  # of the slopes of chest leads with those of the strip; 0 for leads of other times
_LEAST_SHARED = 0.8  # of a column's time: some strips end a little early

Floats = NDArray[np.float64]
_BY_NAME = {lead.casefold(): lead for lead in RECORDED_LEADS}
_CHEST = frozenset(RECORDED_LEADS[6:])
# What the rhythm strip repeats where only the augmented leads are printed: 3/2 II = aVF - aVR, and so on.
_AUGMENTED = {Lead.I: (Lead.AVL, Lead.AVR), Lead.II: (Lead.AVF, Lead.AVR), Lead.III: (Lead.AVF, Lead.AVL)}


@dataclass(frozen=True, eq=False)
class ReadCurves:
    """A page's curves: the recording, and the proof.

    Attributes:
        recording: on a clock that meets every drawn sample; NaN where a lead is not drawn.
        samples_mv: float64 (samples,), the drawn samples of each lead; of the strip's lead those of the strip.
        rate_hz: drawn samples a second.
        einthoven_mv: largest absolute II - I - III.
        timing: largest RMS by which a column misses the strip, over its own RMS; 0 where all leads are drawn at once.
    """

    recording: Recording
    samples_mv: dict[Lead, Floats]
    rate_hz: float
    einthoven_mv: float
    timing: float


@dataclass(frozen=True, eq=False)
class _Curve:
    """One lead's samples in one row, from where they are drawn."""

    x: float
    signal_mv: Floats


def read_curves(drawing: Drawing) -> ReadCurves:
    """Read a page of 12 leads in columns, upright or turned by quarters.

    Raises:
        NotProvenError: something is missing, or does not agree.
    """
    drawing, pulses = upright(drawing)
    lines, step = sampled_lines(drawing.polylines)
    scale = scale_of(pulses, step, drawing.texts)
    rate_hz = scale.rate_hz
    feet = _distinct([pulse.foot for pulse in pulses], 0.1 * scale.points_per_mv)
    rows = _rows(lines, feet, scale.points_per_mv)
    columns, strip, strip_lead = _columns(rows, _names(drawing.texts), feet, step)
    einthoven_mv = _limb_residual_mv(columns)
    samples_mv = {lead: curve.signal_mv for column in columns for lead, curve in column.items()}
    if strip is None:
        if len(columns) > 1:
            raise NotProvenError("no rhythm strip proves the times of the columns")
        return ReadCurves(_assembled(columns, [0.0], None, rate_hz), samples_mv, rate_hz, einthoven_mv, 0.0)
    strip_lead = strip_lead or _lead_of(strip, columns[0])
    drawn_s = [(next(iter(column.values())).x - strip.x) / scale.points_per_s for column in columns]
    starts_s, timing = _timed(columns, strip, strip_lead, drawn_s, rate_hz)
    recording = _assembled(columns, starts_s, (strip_lead, strip.signal_mv), rate_hz)
    return ReadCurves(recording, samples_mv | {strip_lead: strip.signal_mv}, rate_hz, einthoven_mv, timing)


# --- which curve is which lead --------------------------------------------------------------------------------------


def _distinct(values: Sequence[float], tolerance: float) -> list[float]:
    """Values further apart than ``tolerance``, the highest first."""
    distinct: list[float] = []
    for value in sorted(values, reverse=True):
        if not distinct or distinct[-1] - value > tolerance:
            distinct.append(value)
    return distinct


def _rows(curves: Sequence[Floats], feet: Sequence[float], height: float) -> list[list[_Curve]]:
    """Curves by the pulse whose foot is their zero line, the top row first; each row from left to right."""
    rows: list[list[_Curve]] = [[] for _ in feet]
    for line in curves:
        row = int(np.abs(np.array(feet) - np.median(line[:, 1])).argmin())
        rows[row].append(_Curve(float(line[0, 0]), (line[:, 1] - feet[row]) / height))
    if not all(rows):
        raise NotProvenError("a row has a calibration pulse but no curve")
    return [sorted(row, key=lambda curve: curve.x) for row in rows]


def _names(texts: Sequence[tuple[str, float, float]]) -> list[tuple[Lead, float, float]]:
    return [(_BY_NAME[text.casefold()], x, y) for text, x, y in texts if text.casefold() in _BY_NAME]


def _columns(
    rows: Sequence[Sequence[_Curve]],
    names: Sequence[tuple[Lead, float, float]],
    feet: Sequence[float],
    step: float,
) -> tuple[list[dict[Lead, _Curve]], _Curve | None, Lead | None]:
    """Leads by column, the rhythm strip if there is one, and its name if it is printed.

    Names stand above or below their curves, so they are matched by order: the rows of names with the rows of curves
    from the top, the names of a row with its curves from the left. A strip may have no name, and is then the last row.
    """
    named = _named_rows(names, feet)
    *_, last = rows
    has_strip = len(last) == 1 and (len(named) < len(rows) or len(named[-1]) < len(named[0]))
    lead_rows = rows[:-1] if has_strip else rows
    if len(named) < len(lead_rows):
        raise NotProvenError("a row of curves has no lead names")
    columns: list[dict[Lead, _Curve]] = [{} for _ in named[0]]
    for row, row_names in zip(lead_rows, named, strict=False):
        if len(row_names) != len(columns):
            raise NotProvenError("the rows have different numbers of lead names")
        for place, ((x, lead), curve) in enumerate(zip(row_names, _split(row, len(row_names), step), strict=True)):
            if x > curve.x + step * len(curve.signal_mv):
                raise NotProvenError("a lead name stands to the right of its curve")
            columns[place][lead] = curve
    if sorted(lead for column in columns for lead in column) != sorted(RECORDED_LEADS):
        raise NotProvenError("the lead names are not those of twelve leads, each once")
    if any(len({len(curve.signal_mv) for curve in column.values()}) > 1 for column in columns):
        raise NotProvenError("curves of one column have different lengths")
    strip_name = named[-1][0][1] if has_strip and len(named) == len(rows) else None
    return columns, last[0] if has_strip else None, strip_name


def _named_rows(names: Sequence[tuple[Lead, float, float]], feet: Sequence[float]) -> list[list[tuple[float, Lead]]]:
    """Names by row from the top, each row from the left with its places; the rows follow those of the pulses."""
    if not names:
        raise NotProvenError("no lead name is printed as text")
    pitch = min(-np.diff(feet)) if len(feet) > 1 else np.inf
    lines = _distinct([y for _, _, y in names], 0.4 * pitch)
    named = [sorted((x, lead) for lead, x, y in names if 0 <= line - y <= 0.4 * pitch) for line in lines]
    if not len(feet) - 1 <= len(named) <= len(feet):
        raise NotProvenError(f"{len(named)} rows of lead names stand beside {len(feet)} rows of curves")
    if np.ptp([line - foot for line, foot in zip(lines, feet, strict=False)]) > 0.5 * pitch:
        raise NotProvenError("the rows of lead names do not follow the rows of curves")
    return named


def _split(row: Sequence[_Curve], parts: int, step: float) -> list[_Curve]:
    """A row's curves; where all columns are joined to one line, its even parts."""
    if len(row) == parts:
        return list(row)
    if len(row) != 1:
        raise NotProvenError(f"a row has {parts} lead names but {len(row)} curves")
    (joined,) = row
    ends = np.round(np.arange(parts + 1) * len(joined.signal_mv) / parts).astype(int)
    return [_Curve(joined.x + step * start, joined.signal_mv[start:end]) for start, end in pairwise(ends)]


# --- what proves it -------------------------------------------------------------------------------------------------


def _limb_residual_mv(columns: Sequence[Mapping[Lead, _Curve]]) -> float:
    """Largest absolute II - I - III, after Goldberger's equation is checked as well."""
    first, second, third, right, left, foot = (_signal(columns, lead) for lead in RECORDED_LEADS[:6])
    if Lead.III not in columns[0] or not any({Lead.AVR, Lead.AVL, Lead.AVF} <= column.keys() for column in columns):
        raise NotProvenError("limb leads that belong together stand in different columns")
    einthoven_mv = float(np.abs(second - first - third).max())
    if einthoven_mv > _MOST_RESIDUAL_MV:
        raise NotProvenError(f"II - I - III is {einthoven_mv:.3f} mV")
    goldberger_mv = float(np.abs(right + left + foot).max())
    if goldberger_mv > _MOST_RESIDUAL_MV:
        raise NotProvenError(f"aVR + aVL + aVF is {goldberger_mv:.3f} mV")
    together = next(column for column in columns if Lead.AVR in column)
    if Lead.I in together and np.abs(right + (first + second) / 2).max() > _MOST_RESIDUAL_MV:
        raise NotProvenError("aVR is not -(I + II) / 2")
    return einthoven_mv


def _signal(columns: Sequence[Mapping[Lead, _Curve]], lead: Lead) -> Floats:
    return next(column[lead].signal_mv for column in columns if lead in column)


def _timed(
    columns: Sequence[Mapping[Lead, _Curve]],
    strip: _Curve,
    strip_lead: Lead,
    drawn_s: Sequence[float],
    rate_hz: float,
) -> tuple[list[float], float]:
    """When each column was recorded, seconds from the strip's first sample; and how well the columns repeat the strip.

    A column without the strip's lead follows in the same step as one with it.
    """
    twice = _twice(strip.signal_mv)
    found = {
        place: _place(repeated, twice, drawn_s[place], rate_hz)
        for place, column in enumerate(columns)
        if (repeated := _repeated(column, strip_lead)) is not None
    }
    if missing := [misses for _, misses in found.values() if misses > _MOST_TIMING]:
        raise NotProvenError(f"a column misses the rhythm strip by {max(missing):.0%} of its size")
    later = [start_s / place for place, (start_s, _) in found.items() if place]
    if not later:
        raise NotProvenError("no column but the first shares a lead with the rhythm strip")
    starts_s = [found[place][0] if place in found else later[0] * place for place in range(len(columns))]
    for column, start_s in zip(columns, starts_s, strict=True):
        _check_coincidence(column, strip, start_s, rate_hz)
    return starts_s, max(misses for _, misses in found.values())


def _lead_of(strip: _Curve, column: Mapping[Lead, _Curve]) -> Lead:
    """The lead of the first column that an unnamed strip repeats."""
    alike = [
        lead
        for lead, curve in column.items()
        if len(curve.signal_mv) <= len(strip.signal_mv)
        and np.abs(strip.signal_mv[: len(curve.signal_mv)] - curve.signal_mv).max() <= _MOST_RESIDUAL_MV
    ]
    if len(alike) != 1:
        raise NotProvenError("the rhythm strip has no name and repeats no lead of the first column")
    return alike[0]


def _repeated(column: Mapping[Lead, _Curve], strip_lead: Lead) -> Floats | None:
    """What the strip's lead must be while ``column`` was recorded; None: its leads do not say."""
    if strip_lead in column:
        return column[strip_lead].signal_mv
    minuend, subtrahend = _AUGMENTED.get(strip_lead, (strip_lead, strip_lead))
    if minuend in column and subtrahend in column:
        repeated: Floats = (column[minuend].signal_mv - column[subtrahend].signal_mv) / 1.5
        return repeated
    return None


def _twice(signal: Floats) -> Floats:
    """The same curve at twice the rate, by cubic interpolation."""
    padded = np.pad(signal, 1, mode="edge")
    between = (9 * (signal[:-1] + signal[1:]) - padded[:-3] - padded[3:]) / 16
    twice = np.empty(2 * len(signal) - 1)
    twice[::2], twice[1::2] = signal, between
    return twice


def _place(repeated: Floats, twice: Floats, drawn_s: float, rate_hz: float) -> tuple[float, float]:
    """Where in the strip a column lies (s), near where it is drawn; and the RMS that it misses, over its own RMS."""
    size = float(np.std(repeated)) or np.inf
    reach = round(_MOST_SHIFT_S * 2 * rate_hz)
    middle = round(drawn_s * 2 * rate_hz)
    best = (0.0, np.inf)
    for start in range(max(0, middle - reach), middle + reach + 1):
        meanwhile = twice[start::2][: len(repeated)]
        if len(meanwhile) == len(repeated):
            misses = float(np.sqrt(np.square(meanwhile - repeated).mean())) / size
            best = min(best, (start / (2 * rate_hz), misses), key=lambda one: one[1])
    return best


def _check_coincidence(column: Mapping[Lead, _Curve], strip: _Curve, start_s: float, rate_hz: float) -> None:
    """Check that the steep parts of chest leads fall on those of the strip."""
    chest = [curve.signal_mv for lead, curve in column.items() if lead in _CHEST]
    if not chest:
        return
    first, samples = round(start_s * rate_hz), len(chest[0])
    meanwhile = strip.signal_mv[first : first + samples]
    if len(meanwhile) < _LEAST_SHARED * samples:
        raise NotProvenError("the rhythm strip ends before the last column")
    steep = _steepness(meanwhile, rate_hz)
    with np.errstate(invalid="ignore"):  # of a flat lead
        together = [np.corrcoef(_steepness(one[: len(meanwhile)], rate_hz), steep)[0, 1] for one in chest]
    if not np.mean(np.nan_to_num(together)) >= _LEAST_COINCIDENCE:
        raise NotProvenError("the beats of chest leads do not fall on those of the rhythm strip")


def _steepness(signal_mv: Floats, rate_hz: float) -> Floats:
    width = max(1, round(0.06 * rate_hz))
    return np.convolve(np.abs(np.diff(signal_mv)), np.ones(width) / width, mode="same")


def _assembled(
    columns: Sequence[Mapping[Lead, _Curve]],
    starts_s: Sequence[float],
    strip: tuple[Lead, Floats] | None,
    rate_hz: float,
) -> Recording:
    """All leads on one clock, which runs twice as fast where a column starts between two samples.

    In between, the straight line is taken that the page draws.
    """
    factor = 2 if any(round(2 * start_s * rate_hz) % 2 for start_s in starts_s) else 1
    placed = [
        (lead, start_s, curve.signal_mv)
        for column, start_s in zip(columns, starts_s, strict=True)
        for lead, curve in column.items()
    ]
    if strip is not None:
        placed.append((strip[0], 0.0, strip[1]))
    starts = [round(start_s * factor * rate_hz) for _, start_s, _ in placed]
    samples = max(start + factor * (len(signal) - 1) + 1 for start, (_, _, signal) in zip(starts, placed, strict=True))
    if not _PAGE_S[0] <= samples / (factor * rate_hz) <= _PAGE_S[1]:
        raise NotProvenError(f"the page shows {samples / (factor * rate_hz):.1f} s")
    signal_mv = np.full((len(RECORDED_LEADS), samples), np.nan)
    for start, (lead, _, signal) in zip(starts, placed, strict=True):
        drawn = np.arange(factor * (len(signal) - 1) + 1) / factor
        signal_mv[RECORDED_LEADS.index(lead), start : start + len(drawn)] = np.interp(
            drawn, np.arange(len(signal)), signal
        )
    return Recording(signal_mv, factor * rate_hz)
