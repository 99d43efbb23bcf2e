"""A twelve-lead recording as samples, and the model input that its printed page would give."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_preproc.layout import Box, Layout
from shared_preproc.leads import LEADS, Lead
from shared_preproc.spec import PreprocSpec, TraceSpec, TraceTensor
from shared_preproc.traces import Trace

__all__ = ["RECORDED_LEADS", "Recording", "page_recording", "recording_tensor", "resample_time"]

RECORDED_LEADS: tuple[Lead, ...] = tuple(lead for lead in LEADS if lead is not Lead.RHYTHM_STRIP)
"""Rows of `Recording.signal_mv`: I II III aVR aVL aVF V1 to V6."""

_STRIP_LEADS = (Lead.II, Lead.III)  # on all 409 pages of the data set
_REPEATED = 0.9  # correlation of a strip with the lead that it repeats
_TINY = 1e-12
_STEPS = 4  # instants between two samples at which the curve is looked at for its extremes
_ORDER = 2  # of the band pass, each way

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Recording:
    """Twelve leads on one clock.

    Attributes:
        signal_mv: float (12, samples), millivolt, rows as `RECORDED_LEADS`; NaN where nothing was recorded.
        rate_hz: samples a second.
    """

    signal_mv: NDArray[np.floating]
    rate_hz: float

    def __post_init__(self) -> None:
        """Check the shape.

        Raises:
            ValueError: the array does not have twelve rows, or the rate is not positive.
        """
        if self.signal_mv.ndim != 2 or len(self.signal_mv) != len(RECORDED_LEADS):  # noqa: PLR2004 - leads and time
            raise ValueError(f"signal_mv has the shape {self.signal_mv.shape}; expected (12, samples)")
        if not self.rate_hz > 0:
            raise ValueError(f"rate_hz is {self.rate_hz}; expected a positive number")

    def band_passed(self, low_hz: float, high_hz: float) -> "Recording":
        """Keep one frequency band, without shifting phases; the cart prints 0.67 to 25 Hz.

        The gain is that of a second order Butterworth band pass run forwards and backwards. Leads with a gap (NaN) are
        filtered with the gap at 0 mV, and keep it.
        """
        gap, samples = np.isnan(self.signal_mv), self.signal_mv.shape[1]
        filled = np.where(gap, 0.0, self.signal_mv)
        # Turned about its ends, so that no step at an end rings through the recording.
        before, after = 2 * filled[:, :1] - filled[:, :0:-1], 2 * filled[:, -1:] - filled[:, -2::-1]
        extended = np.concatenate([before, filled, after], axis=1)
        frequency_hz = np.fft.rfftfreq(extended.shape[1], 1 / self.rate_hz)
        gain = 1 / (1 + (frequency_hz / high_hz) ** (2 * _ORDER))
        gain[1:] /= 1 + (low_hz / frequency_hz[1:]) ** (2 * _ORDER)
        gain[0] = 0.0
        filtered = np.fft.irfft(np.fft.rfft(extended) * gain, extended.shape[1])[:, samples - 1 :][:, :samples]
        return Recording(np.where(gap, np.nan, filtered), self.rate_hz)


def page_recording(traces: Mapping[Lead, Trace], layout: Layout, spec: TraceSpec) -> Recording | None:
    """Bring the curves of a page back onto one clock: a sample for each column of the page.

    The strip takes the place of lead II or III, whichever it repeats. None where the curves were not read column by
    column, or where the strip repeats neither.
    """
    boxes = dict(layout.lead_boxes)
    strip_box, strip_mv = boxes[Lead.RHYTHM_STRIP], traces[Lead.RHYTHM_STRIP].columns_mv
    if strip_mv is None:
        return None
    signal_mv = np.full((len(RECORDED_LEADS), strip_box.width_px), np.nan, np.float32)
    alike = {}
    for row, lead in enumerate(RECORDED_LEADS):
        shown = slice(boxes[lead].left - strip_box.left, boxes[lead].right - strip_box.left)
        signal_mv[row, shown] = traces[lead].columns_mv
        if lead in _STRIP_LEADS:
            alike[row] = _correlation(signal_mv[row, shown], strip_mv[shown])
    repeated = max(alike, key=alike.__getitem__)
    if alike[repeated] < _REPEATED:
        return None
    signal_mv[repeated] = strip_mv
    first = round(spec.start_px) - strip_box.left
    return Recording(signal_mv[:, first:], layout.px_per_s)


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other) / max(math.sqrt(float(one @ one) * float(other @ other)), _TINY)


def recording_tensor(
    recording: Recording, spec: PreprocSpec, rhythm_lead: Lead | None = Lead.II
) -> NDArray[np.float32]:
    """Arrange a recording as ``spec.layout`` prints it, without the detour over a page.

    Column k of the page shows seconds 2.5 k to 2.5 (k + 1) of its leads; the strip shows 10 s of ``rhythm_lead``
    (``None``: no strip). Agrees with a printed and read page within the width of the pen.

    Returns:
        float32 ``spec.tensor_shape``: signal, top and bottom in millivolt, page order; NaN where nothing was recorded.

    Raises:
        TypeError: ``spec`` makes no traces.
    """
    if not isinstance(spec.tensor, TraceTensor):
        raise TypeError(f"a recording has traces, but this model takes {spec.tensor.kind}")
    return np.concatenate([_window(recording, lead, box, spec, rhythm_lead) for lead, box in spec.layout.lead_boxes])


def _window(
    recording: Recording, lead: Lead, box: Box, spec: PreprocSpec, rhythm_lead: Lead | None
) -> NDArray[np.float32]:
    """One lead's samples as its box shows them: float32 (samples, 3)."""
    trace, layout = spec.trace, spec.layout
    samples = trace.samples(box, layout)
    source = rhythm_lead if lead is Lead.RHYTHM_STRIP else lead
    if source is None:
        return np.full((samples, 3), np.nan, np.float32)
    px_per_s = layout.px_per_s
    start_s = round((box.left - trace.start_px) / (trace.column_s * px_per_s)) * trace.column_s
    at_s = start_s + np.arange(samples) / trace.rate_hz
    around_s = np.arange(-_STEPS, _STEPS + 1) / (_STEPS * trace.rate_hz)
    seen_s = np.clip(at_s[:, np.newaxis] + around_s, at_s[0], at_s[-1])
    signal_mv = recording.signal_mv[RECORDED_LEADS.index(source)]
    clock_s = np.arange(len(signal_mv)) / recording.rate_hz
    seen_mv = np.interp(seen_s, clock_s, signal_mv, right=np.nan)
    at_mv = seen_mv[:, _STEPS]
    # Next to a gap, the extremes are those of what is there.
    extremes_mv = (reduced(seen_mv, axis=1) for reduced in (np.fmax.reduce, np.fmin.reduce))
    top_mv, bottom_mv = (np.where(np.isnan(at_mv), np.nan, extreme_mv) for extreme_mv in extremes_mv)
    return np.stack([at_mv, top_mv, bottom_mv], axis=1).astype(np.float32)


def resample_time(tensor: NDArray[np.float32], spec: PreprocSpec, factor: float) -> NDArray[np.float32]:
    """Play every lead of a traces tensor at ``factor`` times its speed, from its first sample on.

    A rate of 90/min becomes 75/min at ``factor`` 75/90. A faster copy ends early and is NaN from there on.

    Args:
        tensor: float32 ``spec.tensor_shape``, page order.
        spec: the preprocessing that made it.
        factor: positive.

    Returns:
        A new tensor of the same shape.
    """
    parts, start = [], 0
    for _, box in spec.layout.lead_boxes:
        samples = spec.trace.samples(box, spec.layout)
        curve, start = tensor[start : start + samples], start + samples
        place = np.arange(samples) * factor
        columns = [np.interp(place, np.arange(samples), curve[:, edge], right=np.nan) for edge in range(3)]
        parts.append(np.stack(columns, axis=1).astype(np.float32))
    return np.concatenate(parts)
