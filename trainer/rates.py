"""Heart rates of traces tensors, and the same curves at another rate."""

import numpy as np
from numpy.typing import NDArray

from shared_preproc.leads import Lead
from shared_preproc.recording import resample_time
from shared_preproc.rhythm import find_beats, heart_rate_bpm
from shared_preproc.spec import TRACES_50_HZ, PreprocSpec
from shared_preproc.traces import Trace

__all__ = ["REFERENCE_RATE_BPM", "at_reference_rate", "heart_rates"]

REFERENCE_RATE_BPM = 75.0
"""At which the same curves are read again: the middle of what is normal."""

_SPEC = TRACES_50_HZ
_Floats = NDArray[np.float64]


def heart_rates(traces: NDArray[np.float32], spec: PreprocSpec = TRACES_50_HZ) -> _Floats:
    """Beats a minute on the rhythm strip of ``traces`` (pages, samples, 3): (pages,); NaN where none are found."""
    return np.array([_heart_rate(page, spec) for page in traces])


def at_reference_rate(traces: NDArray[np.float32], heart_rates_bpm: _Floats) -> NDArray[np.float32]:
    """Play ``traces`` (pages, 2000, 3) at the speed that makes each heart beat at `REFERENCE_RATE_BPM`.

    Pages without a rate stay as they are.
    """
    factors = np.where(np.isnan(heart_rates_bpm), 1.0, REFERENCE_RATE_BPM / heart_rates_bpm)
    return np.stack([resample_time(page, _SPEC, factor) for page, factor in zip(traces, factors, strict=True)])


def _heart_rate(page: NDArray[np.float32], spec: PreprocSpec) -> float:
    strip_box = dict(spec.layout.lead_boxes)[Lead.RHYTHM_STRIP]
    strip = page[-spec.trace.samples(strip_box, spec.layout) :]  # the last of every layout
    strip = strip[np.isfinite(strip).all(axis=1)]
    if not len(strip):
        return np.nan
    trace = Trace(strip[:, 0], strip[:, 1], strip[:, 2], coverage=1.0)
    rate = heart_rate_bpm(find_beats(trace, spec.trace.rate_hz), spec.trace.rate_hz)
    return np.nan if rate is None else rate
