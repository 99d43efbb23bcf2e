"""Arrange a recording as the page that a cart would print."""

import numpy as np
from numpy.typing import NDArray

from shared_preproc.errors import UnsupportedFormatError
from shared_preproc.leads import Lead
from shared_preproc.pipeline import PageReading
from shared_preproc.recording import Recording, recording_tensor
from shared_preproc.spec import PreprocSpec, TraceTensor
from shared_preproc.traces import Trace

__all__ = ["PRINTED_BAND_HZ", "recorded_page"]

PRINTED_BAND_HZ = (0.67, 25.0)
"""The band of the pages on which the models were trained."""

_LEAST_COVERAGE = 0.9  # of each lead's window


def recorded_page(recording: Recording, spec: PreprocSpec) -> PageReading:
    """Arrange a recording as ``spec.layout`` prints it, without masks.

    Bridge short gaps. Without ten seconds of lead II, the rhythm strip is NaN, with coverage 0.

    Raises:
        UnsupportedFormatError: the model takes masks, or a lead's window was not recorded.
    """
    if not isinstance(spec.tensor, TraceTensor):
        raise UnsupportedFormatError(
            found="a recording",
            expected="the picture of a report page, as this model takes pictures of leads",
            remedy="Ask for a model that takes traces, or send the page.",
        )
    tensor = recording_tensor(_printed(recording), spec)
    traces, start = {}, 0
    for lead, box in spec.layout.lead_boxes:
        samples = spec.trace.samples(box, spec.layout)
        curve, start = tensor[start : start + samples], start + samples
        coverage = float(np.isfinite(curve).all(axis=1).mean())
        if coverage >= _LEAST_COVERAGE:
            curve = _bridged(curve)
        elif lead is Lead.RHYTHM_STRIP:  # networks answer without one
            coverage, curve = 0.0, np.full_like(curve, np.nan)
        else:
            raise UnsupportedFormatError(
                found=f"lead {lead.value} for {coverage:.0%} of the time in which a page of 3 x 4 leads shows it",
                expected="at least 2.5 s of every lead, each column of leads after the other",
                remedy="Export the whole resting ECG from its source system.",
            )
        signal_mv, top_mv, bottom_mv = curve.T
        traces[lead] = Trace(signal_mv, top_mv, bottom_mv, coverage)
    return PageReading({}, traces)


def _printed(recording: Recording) -> Recording:
    """Keep the printed band. Filter only the recorded part of each lead: its ends would ring."""
    signal_mv = np.full_like(recording.signal_mv, np.nan)
    spans = {_span(row) for row in recording.signal_mv}
    for first, end in spans:
        rows = [place for place, row in enumerate(recording.signal_mv) if _span(row) == (first, end)]
        alone = np.full((len(recording.signal_mv), end - first), np.nan)
        alone[rows] = recording.signal_mv[rows, first:end]
        signal_mv[rows, first:end] = Recording(alone, recording.rate_hz).band_passed(*PRINTED_BAND_HZ).signal_mv[rows]
    return Recording(signal_mv, recording.rate_hz)


def _span(row: NDArray[np.float64]) -> tuple[int, int]:
    """Return the recorded part, half open."""
    recorded = np.flatnonzero(~np.isnan(row))
    return (int(recorded[0]), int(recorded[-1]) + 1) if len(recorded) else (0, len(row))


def _bridged(curve: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill gaps of (samples, 3) with straight lines."""
    places, filled = np.arange(len(curve)), curve.copy()
    for column in filled.T:
        recorded = np.isfinite(column)
        column[~recorded] = np.interp(places[~recorded], places[recorded], column[recorded])
    return filled
