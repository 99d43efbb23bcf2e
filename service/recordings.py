"""A recording as the page that a cart would print of it."""

import numpy as np
from numpy.typing import NDArray

from shared_preproc.errors import UnsupportedFormatError
from shared_preproc.pipeline import PageReading
from shared_preproc.recording import Recording, recording_tensor
from shared_preproc.spec import PreprocSpec, TraceTensor
from shared_preproc.traces import Trace

__all__ = ["PRINTED_BAND_HZ", "recorded_page"]

PRINTED_BAND_HZ = (0.67, 25.0)
"""What the carts print whose pages the models were trained on."""

_LEAST_COVERAGE = 0.9  # of each lead's window; shorter gaps are bridged


def recorded_page(recording: Recording, spec: PreprocSpec) -> PageReading:
    """Arrange a recording as ``spec.layout`` prints it: traces in millivolt, without NaN; no masks.

    Raises:
        UnsupportedFormatError: the model takes pictures of leads, or a lead's window was not recorded.
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
        if coverage < _LEAST_COVERAGE:
            raise UnsupportedFormatError(
                found=f"a recording with {coverage:.0%} of {lead.value} where a page shows it",
                expected="ten seconds of every lead, or of lead II and 2.5 s of the others",
                remedy="Export the whole resting ECG from its source system.",
            )
        signal_mv, top_mv, bottom_mv = _bridged(curve).T
        traces[lead] = Trace(signal_mv, top_mv, bottom_mv, coverage)
    return PageReading({}, traces)


def _printed(recording: Recording) -> Recording:
    """Keep the band that is printed. Each lead is filtered over what was recorded of it, as its ends would ring."""
    signal_mv = np.full_like(recording.signal_mv, np.nan)
    spans = {_span(row) for row in recording.signal_mv}
    for first, end in spans:
        rows = [place for place, row in enumerate(recording.signal_mv) if _span(row) == (first, end)]
        alone = np.full((len(recording.signal_mv), end - first), np.nan)
        alone[rows] = recording.signal_mv[rows, first:end]
        signal_mv[rows, first:end] = Recording(alone, recording.rate_hz).band_passed(*PRINTED_BAND_HZ).signal_mv[rows]
    return Recording(signal_mv, recording.rate_hz)


def _span(row: NDArray[np.float64]) -> tuple[int, int]:
    """First sample that was recorded, and the end of the last."""
    recorded = np.flatnonzero(~np.isnan(row))
    return (int(recorded[0]), int(recorded[-1]) + 1) if len(recorded) else (0, len(row))


def _bridged(curve: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill short gaps of (samples, 3) with straight lines."""
    places, filled = np.arange(len(curve)), curve.copy()
    for column in filled.T:
        recorded = np.isfinite(column)
        column[~recorded] = np.interp(places[~recorded], places[recorded], column[recorded])
    return filled
