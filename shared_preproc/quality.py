"""Measure facts about a page that a person may want beside its answer."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared_preproc.leads import Lead
from shared_preproc.pipeline import PageReading
from shared_preproc.rhythm import find_beats, heart_rate_bpm, is_regular
from shared_preproc.spec import PreprocSpec

__all__ = ["Quality", "RateBand", "measure_quality"]

RateBand = Literal["slow", "normal", "fast"]

_SLOW_BELOW_BPM = 60.0  # sinus bradycardia, AHA/ACCF/HRS 2009
_FAST_ABOVE_BPM = 100.0  # tachycardia, the same source


@dataclass(frozen=True)
class Quality:
    """What was measured on one page."""

    heart_rate_bpm: float | None
    """Beats a minute over the 10 s of the rhythm strip; ``None`` where fewer than three beats were found."""
    rate: RateBand | None
    """Below 60, 60 to 100 or above 100 beats a minute; ``None`` where no heart rate was measured."""
    regular: bool | None
    """Whether the intervals between beats are even; ``None`` where fewer than four beats were found."""
    einthoven_residual_mv: float
    """RMS of II - I - III over the first page column, 0 for a perfect print: 0.013 mV, a pixel, on good pages."""
    coverage: dict[Lead, float]
    """For each lead, in page order, the share of its box's columns in which its curve was found, 0 to 1."""


def measure_quality(reading: PageReading, spec: PreprocSpec) -> Quality:
    """Measure the facts of one page that was read with ``spec``."""
    strip, rate_hz = reading.traces[Lead.RHYTHM_STRIP], spec.trace.rate_hz
    first, second, third = (reading.traces[lead].signal_mv.astype(np.float64) for lead in (Lead.I, Lead.II, Lead.III))
    beats = find_beats(strip, rate_hz) if strip.coverage else np.empty(0, np.intp)
    heart_rate = heart_rate_bpm(beats, rate_hz)
    return Quality(
        heart_rate_bpm=heart_rate,
        rate=_rate_band(heart_rate),
        regular=is_regular(beats),
        einthoven_residual_mv=float(np.sqrt(np.square(second - first - third).mean())),
        coverage={lead: trace.coverage for lead, trace in reading.traces.items()},
    )


def _rate_band(heart_rate: float | None) -> RateBand | None:
    if heart_rate is None:
        return None
    if heart_rate < _SLOW_BELOW_BPM:
        return "slow"
    return "fast" if heart_rate > _FAST_ABOVE_BPM else "normal"
