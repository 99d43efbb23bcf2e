"""Measured facts about a page that a person may want beside its answer. Knows no model and refuses nothing."""

from dataclasses import dataclass

import numpy as np

from shared_preproc.leads import Lead
from shared_preproc.pipeline import PageReading
from shared_preproc.rhythm import find_beats, heart_rate_bpm
from shared_preproc.spec import PreprocSpec

__all__ = ["Quality", "measure_quality"]


@dataclass(frozen=True)
class Quality:
    """What was measured on one page."""

    heart_rate_bpm: float | None
    """Beats a minute over the 10 s of the rhythm strip; ``None`` where fewer than three beats were found."""
    einthoven_residual_mv: float
    """RMS of II - I - III over the first page column, 0 for a perfect print: 0.013 mV, a pixel, on good pages."""
    coverage: dict[Lead, float]
    """For each lead, in page order, the share of its box's columns in which its curve was found, 0 to 1."""


def measure_quality(reading: PageReading, spec: PreprocSpec) -> Quality:
    """Measure the facts of one page that was read with ``spec``."""
    strip, rate_hz = reading.traces[Lead.RHYTHM_STRIP], spec.trace.rate_hz
    first, second, third = (reading.traces[lead].signal_mv.astype(np.float64) for lead in (Lead.I, Lead.II, Lead.III))
    return Quality(
        heart_rate_bpm=heart_rate_bpm(find_beats(strip, rate_hz), rate_hz),
        einthoven_residual_mv=float(np.sqrt(np.square(second - first - third).mean())),
        coverage={lead: trace.coverage for lead, trace in reading.traces.items()},
    )
