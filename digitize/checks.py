"""What leads of one page must satisfy together, measured before an answer is given."""

import math

import numpy as np
from numpy.typing import NDArray

from digitize.digitized import Checks, Strip
from digitize.errors import UndigitizedPageError
from digitize.layouts import Layout
from digitize.names import NAMES

__all__ = ["check", "clock_fit", "repeated_lead"]

Signal = NDArray[np.float32]

_KEPT_SHARE = 0.9  # beats that run through another lead's are read wrongly for a few samples
_LEAST_MV = 0.04
_BROKEN = 0.12  # relative residual of leads that do not belong together; of unrelated curves it is about 0.6
_DOUBTED = 0.08
_SAME, _ALIKE = 0.06, 0.02  # of a strip and its lead; of leads that are too alike to tell
_CLEARLY = 2.0  # times the best, of the next one
_LEAST_SHARED_S = 1.0
_BEAT_S = 0.06
_LATEST_S = 0.12
_LEAST_CLOCK, _ROUGH_CLOCK = 0.25, 0.8


def check(
    signal_mv: Signal, strips: list[Strip], clock: float | None, layout: Layout, rate_hz: float
) -> tuple[Checks, list[str]]:
    """Measure the relations, and refuse a page that breaks one; ``clock`` as of `clock_fit`, if there are strips.

    Raises:
        UndigitizedPageError: leads contradict one another, or columns do not run on the strip's clock.
    """
    lead = {name: signal_mv[index].astype(np.float64) for index, name in enumerate(NAMES)}
    einthoven = _missed(rate_hz, lead["II"], -lead["I"], -lead["III"])
    goldberger = _missed(rate_hz, lead["aVR"], lead["aVL"], lead["aVF"])
    if layout.inverted and goldberger is None:
        # aVL - aVR = 3/2 I stands in one column where the augmented leads do not.
        goldberger = _missed(rate_hz, lead["aVL"], -lead["aVR"], -1.5 * lead["I"])
    repeated = [
        missed
        for strip in strips
        if (missed := _missed(rate_hz, strip.signal_mv.astype(np.float64), -lead[strip.name])) is not None
    ]
    strip = max(repeated) if repeated else None
    measured = {"II = I + III": einthoven, "aVR + aVL + aVF = 0": goldberger, "rhythm strip": strip}
    broken = [equation for equation, missed in measured.items() if missed is not None and missed > _BROKEN]
    if broken:
        raise UndigitizedPageError(
            "relations",
            found=f"leads that miss {' and '.join(broken)}",
            expected="leads of one recording, which satisfy their equations",
            remedy="Check that the page shows one recording, whole and sharp, and send it again.",
        )
    if clock is not None and clock < _LEAST_CLOCK:
        raise UndigitizedPageError(
            "timing",
            found="columns whose beats do not fall on the rhythm strip's",
            expected="columns that run on from one another over the rhythm strip",
            remedy="Print the page with consecutive columns.",
        )
    doubts = [
        f"{equation} is missed by {missed:.0%}."
        for equation, missed in measured.items()
        if missed is not None and missed > _DOUBTED
    ]
    if clock is not None and clock < _ROUGH_CLOCK:
        doubts.append(f"Beats of the columns fall only roughly on the rhythm strip's ({clock:.2f}).")
    if clock is None and layout.columns > 1:
        doubts.append("No rhythm strip shows that the columns follow one another in time.")
    return Checks(einthoven, goldberger, strip, clock), doubts


def repeated_lead(strip_mv: Signal, signal_mv: Signal, rate_hz: float) -> str | None:
    """Lead that a rhythm strip repeats where it is printed; ``None`` where none or more than one may be it."""
    strip = strip_mv.astype(np.float64)
    missed = [
        (off, name)
        for name, lead in zip(NAMES, signal_mv.astype(np.float64), strict=True)
        if (off := _missed(rate_hz, strip, -lead)) is not None
    ]
    if len(missed) < len(NAMES):
        return None
    best, second = sorted(missed)[:2]
    return best[1] if best[0] <= _SAME and second[0] > max(_CLEARLY * best[0], _ALIKE) else None


def _missed(rate_hz: float, *terms_mv: NDArray[np.float64]) -> float | None:
    """RMS of the terms' sum over the sum of their RMS, levels removed; ``None`` where they share less than a second."""
    shared = np.isfinite(np.sum(terms_mv, axis=0))
    if shared.sum() < _LEAST_SHARED_S * rate_hz:
        return None
    terms = [term[shared] - np.median(term[shared]) for term in terms_mv]
    total = np.sum(terms, axis=0)
    off = np.sort(np.abs(total - np.median(total)))[: round(_KEPT_SHARE * len(terms[0]))]
    return _rms(off) / max(sum(map(_rms, terms)), _LEAST_MV)


def clock_fit(signal_mv: Signal, clocks: list[Signal], rate_hz: float, latest_s: float = _LATEST_S) -> float:
    """How well beats of the columns fall on those of the best rhythm strip, -1 to 1, shifted by at most `latest_s`."""
    return max(_clock(signal_mv, clock, rate_hz, latest_s) for clock in clocks)


def _clock(signal_mv: Signal, strip: Signal, rate_hz: float, latest_s: float) -> float:
    """Least correlation of a column's slopes with the strip's, over small shifts."""
    slope = _steepness(strip.astype(np.float64), rate_hz)
    by_column: dict[int, list[float]] = {}
    latest = round(latest_s * rate_hz)
    for signal in signal_mv.astype(np.float64):
        inside = np.flatnonzero(np.isfinite(signal))
        if not len(inside):
            continue
        own = _steepness(signal, rate_hz)[inside[0] : inside[-1] + 1]
        firsts = inside[0] + np.arange(-latest, latest + 1, 5)
        firsts = firsts[(firsts >= 0) & (firsts + len(own) <= len(slope))]
        windows = np.lib.stride_tricks.sliding_window_view(slope, len(own))[firsts]
        best = float(_correlations(own, windows).max(initial=-1.0))
        by_column.setdefault(round(float(inside[0]) / rate_hz), []).append(best)
    return min(float(np.max(values)) for values in by_column.values())


def _steepness(signal: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    filled = np.nan_to_num(signal, nan=float(np.nanmedian(signal)) if np.isfinite(signal).any() else 0.0)
    steep = np.abs(np.gradient(filled))
    width = max(1, round(_BEAT_S * rate_hz))
    smooth: NDArray[np.float64] = np.convolve(steep, np.ones(width) / width, "same")
    return smooth


def _correlations(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of a signal with each row of others; 0 where one of both is flat."""
    one, others = one - one.mean(), others - others.mean(axis=1, keepdims=True)
    scale = np.sqrt(np.square(one).sum() * np.square(others).sum(axis=1))
    return np.asarray(np.divide(others @ one, scale, out=np.zeros_like(scale), where=scale > 0))


def _rms(signal: NDArray[np.float64]) -> float:
    return math.sqrt(float(np.square(signal).mean()))
