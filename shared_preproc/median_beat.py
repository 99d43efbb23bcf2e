"""The beat that a recording's beats have in common, lead by lead.

Beats are laid over one another and their median is taken, sample by sample, as carts do before they measure: noise and
wander differ from beat to beat.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from shared_preproc.recording import Recording

__all__ = ["MedianBeat", "median_beat"]

Floats = NDArray[np.floating]

_BEFORE_S, _AFTER_S = 0.36, 0.64  # the R peak: the part of a beat that is looked at
_HALF_QRS_S = 0.08  # to both sides of a beat's time: by this, beats are compared
_SHIFT_S = 0.04  # how far from there the QRS may lie
_LEVEL_S = (0.12, 0.08)  # before the R peak; as beats are alike, any part of them serves to lay them over one another
_ALIKE = 0.8  # correlation with the median QRS
_FEWEST = 3  # beats in the recording
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class MedianBeat:
    """Twelve leads of one beat.

    Attributes:
        signal_mv: float (12, samples), millivolt; NaN where a lead shows no beat.
        single_mv: float (beats, leads, samples): the beats themselves, in the leads without a gap.
        rate_hz: samples a second.
        r: sample of the R peak.
        beats_s: float (beats,): seconds into the recording of all R peaks.
        alike: bool (beats,): which of them the median was taken of.
    """

    signal_mv: Floats
    single_mv: Floats
    rate_hz: float
    r: int
    beats_s: NDArray[np.float64]
    alike: NDArray[np.bool_]


def median_beat(recording: Recording, beats_s: NDArray[np.float64]) -> MedianBeat | None:
    """Align beats, leave out those of another shape and take the median.

    Args:
        recording: by its leads without a gap, beats are compared.
        beats_s: about where beats are, seconds.

    Returns:
        None where fewer than three beats, or less than half of them, are alike.
    """
    rate_hz = recording.rate_hz
    whole = ~np.isnan(recording.signal_mv).any(axis=1)
    if not whole.any() or len(beats_s) < _FEWEST:
        return None
    half, most = round(_HALF_QRS_S * rate_hz), round(_SHIFT_S * rate_hz)
    around = np.arange(-half - most, half + most + 1)
    whole_mv = recording.signal_mv[whole]
    places, last = np.round(beats_s * rate_hz).astype(np.intp), whole_mv.shape[1] - 1
    for _ in range(1):
        windows = whole_mv[:, (places[:, np.newaxis] + around).clip(0, last)]
        moved, correlations = _best_shift(windows, most)
        alike = correlations >= _ALIKE
        places = (places + np.where(alike, moved, 0)).clip(0, last)
    if alike.sum() < max(_FEWEST, len(places) / 2):
        return None
    before, after = round(_BEFORE_S * rate_hz), round(_AFTER_S * rate_hz)
    padded = np.full((whole.size, before + last + 1 + after), np.nan, np.float32)
    padded[:, before : before + last + 1] = recording.signal_mv
    beats = np.stack([padded[:, place : place + before + after] for place in places[alike]])
    first, end = (before - round(part_s * rate_hz) for part_s in _LEVEL_S)
    beats -= beats[:, :, first:end].mean(axis=2, keepdims=True)
    return MedianBeat(_median(beats), beats[:, whole], rate_hz, before, places / rate_hz, alike)


def _best_shift(windows: Floats, most: int) -> tuple[NDArray[np.intp], Floats]:
    """Where each beat correlates best with the median of all, -most to most samples away, and how well.

    Args:
        windows: (leads, beats, width + 2 most), millivolt.
        most: samples.
    """
    template = np.median(windows[:, :, most:-most], axis=1)
    template -= template.mean(axis=1, keepdims=True)
    candidates = sliding_window_view(windows, template.shape[1], axis=2)
    products = (candidates @ template[:, np.newaxis, :, np.newaxis]).sum(axis=(0, 3))
    powers = (candidates.var(axis=3) * template.shape[1]).sum(axis=0)
    correlations = products / np.sqrt(powers * (template**2).sum()).clip(_TINY)
    best = correlations.argmax(axis=1)
    return best - most, correlations[np.arange(len(best)), best]


def _median(beats: Floats) -> Floats:
    """Median of (beats, leads, samples) over the beats that are there: (leads, samples), NaN where none is."""
    counts = len(beats) - np.isnan(beats).sum(axis=0)
    ordered = np.sort(beats, axis=0)  # NaN last
    lower, upper = ((counts - 1).clip(0) // 2)[np.newaxis], (counts // 2)[np.newaxis].clip(0, len(beats) - 1)
    lower, upper = (np.take_along_axis(ordered, middle, axis=0)[0] for middle in (lower, upper))
    return np.asarray((lower + upper) / 2)
