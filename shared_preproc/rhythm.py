"""Beats of a rhythm strip, and what their times and shapes say in a few numbers.

A QRS is where the curve is steep and sharply bent: the energy of both, averaged over a QRS's width, is what beats are
found in (after Pan and Tompkins 1985, IEEE Trans. Biomed. Eng. 32(3)). Whether it points up or down does not matter.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.recording import Recording
from shared_preproc.traces import Trace

__all__ = ["RHYTHM_FEATURES", "find_beats", "find_beats_in_leads", "heart_rate_bpm", "is_regular", "rhythm_features"]

Beats = NDArray[np.intp]
_Signal = NDArray[np.float64]

_QRS_S = 0.1  # over which energy is averaged
_REFRACTORY_S = 0.24  # no heart beats again sooner: 250 a minute
_THRESHOLD = 0.16  # of the energy of a usual beat
_MISSED_RR = 1.7  # a gap of so many usual intervals is looked through again, with a quarter of the threshold
_SOUGHT_AGAIN = 1 / 4
_T_WAVE_S = 0.38  # Pan and Tompkins: 360 ms; here one sample of 50 Hz more
_T_WAVE_ENERGY = 0.6  # of the peak before: in a high ST elevation, half of the QRS's
_LEAST_QRS_MV = 0.08  # six pixels of the page: what is lower cannot be told from noise
_COARSE_HZ = 50.0  # enough to find a QRS by, and too little for most noise
_LEAST_SHARP_MV = 0.04
_MOST_RAISED = 5  # how much more a low lead counts than a high one
_PEAK_S = 0.08  # how far from the energy's maximum the QRS's extreme lies
_FEWEST = 3
_FEWEST_FOR_RHYTHM = 4
_MOST_EVEN_CV = 0.08  # tells atrial fibrillation from sinus rhythm: docs/api.md
_RATES_BPM = (20.0, 300.0)
_BEAT_S = (0.25, 0.4)  # before and after the QRS, for comparing beats
_JUMP_S = 0.05  # as in pNN50
_FLAT_MV = 0.03  # two pixels and a half, the pen's width undone

RHYTHM_FEATURES: tuple[str, ...] = (
    "beats",
    "rate_bpm",
    "rr_mean_s",
    "rr_sd_s",
    "rr_cv",
    "rr_rmssd_s",
    "rr_jump_share",
    "rr_longest_over_median",
    "rr_shortest_over_median",
    "qrs_height_mean_mv",
    "qrs_height_sd_mv",
    "beat_correlation_mean",
    "beat_correlation_min",
    "signal_sd_mv",
    "flat_share",
)
"""Names of `rhythm_features`, in order."""


def find_beats(trace: Trace, rate_hz: float) -> Beats:
    """Sample positions of the QRS complexes of ``trace``, rising: intp (beats,).

    Where no QRS stands out of the noise, there are none. The first and last beat may be cut by the strip's ends.
    """
    if np.ptp(trace.signal_mv) < _LEAST_QRS_MV:
        return np.zeros(0, np.intp)
    beats = _energetic(_energy(trace, rate_hz), rate_hz)
    return _at_extreme(beats, trace, round(_PEAK_S * rate_hz))


def find_beats_in_leads(recording: Recording) -> NDArray[np.float64]:
    """Seconds at which twelve leads together show QRS complexes, rising: float64 (beats,), each within 20 ms of it.

    Leads count alike, however high they are, and at each instant those that show something: the columns of a page are
    one recording. A QRS that one lead hardly shows is found in the others.
    """
    step = max(1, round(recording.rate_hz / _COARSE_HZ))
    samples = recording.signal_mv.shape[1] // step
    coarse_mv = recording.signal_mv[:, : samples * step].reshape(-1, samples, step).mean(axis=2)
    before_mv, here_mv, after_mv = coarse_mv[:, :-2], coarse_mv[:, 1:-1], coarse_mv[:, 2:]
    sharpness_mv = np.sqrt(np.abs((after_mv - before_mv) * (after_mv - 2 * here_mv + before_mv)))
    seen = np.isfinite(sharpness_mv)
    sharpness_mv[~seen] = 0
    highest_mv = sharpness_mv.max(axis=1, keepdims=True, initial=0)
    if highest_mv.max() < _LEAST_SHARP_MV:
        return np.zeros(0)
    alike = sharpness_mv / np.maximum(highest_mv, highest_mv.max() / _MOST_RAISED)
    rate_hz = recording.rate_hz / step
    together: _Signal = alike.sum(axis=0) / seen.sum(axis=0).clip(1)
    found = _energetic(_averaged(together, rate_hz), rate_hz)
    if not found.size:
        return np.zeros(0)
    # One sharp sample gives all samples around it the same energy: the middle of such a run is the beat.
    starts = np.flatnonzero(np.diff(found, prepend=-len(together)) > _REFRACTORY_S * rate_hz)
    runs = np.diff(starts, append=len(found))
    middles = np.add.reduceat(found, starts) / runs * step + (3 * step - 1) / 2
    return np.asarray(middles / recording.rate_hz, np.float64)


def heart_rate_bpm(beats: Beats | _Signal, rate_hz: float) -> float | None:
    """Beats a minute, from the mean interval; ``None`` with fewer than three beats or a rate no heart has."""
    if len(beats) < _FEWEST:
        return None
    rate = 60 * rate_hz * (len(beats) - 1) / float(beats[-1] - beats[0])
    return rate if _RATES_BPM[0] <= rate <= _RATES_BPM[1] else None


def is_regular(beats: Beats | _Signal) -> bool | None:
    """Whether the intervals' standard deviation is small against their mean; ``None`` with fewer than four beats."""
    if len(beats) < _FEWEST_FOR_RHYTHM:
        return None
    intervals = np.diff(beats).astype(np.float64)
    return _ratio(_sd(intervals), _mean(intervals)) <= _MOST_EVEN_CV


def rhythm_features(beats: Beats, trace: Trace, rate_hz: float) -> NDArray[np.float32]:
    """Describe a strip by `RHYTHM_FEATURES`: float32 (features,), always finite; 0 where beats are too few to tell."""
    rr_s = np.diff(beats) / rate_hz
    heights_mv = _heights_mv(beats, trace, round(_PEAK_S * rate_hz))
    correlations = _beat_correlations(beats, trace.signal_mv.astype(np.float64), rate_hz)
    steps_s = np.diff(rr_s)
    median_s = float(np.median(rr_s)) if rr_s.size else 0.0
    stroke_mv = trace.top_mv - trace.bottom_mv
    features = {
        "beats": len(beats),
        "rate_bpm": heart_rate_bpm(beats, rate_hz) or 0.0,
        "rr_mean_s": _mean(rr_s),
        "rr_sd_s": _sd(rr_s),
        "rr_cv": _ratio(_sd(rr_s), _mean(rr_s)),
        "rr_rmssd_s": _mean(steps_s**2) ** 0.5,
        "rr_jump_share": _mean(np.abs(steps_s) > _JUMP_S),
        "rr_longest_over_median": _ratio(rr_s.max(initial=0.0), median_s),
        "rr_shortest_over_median": _ratio(rr_s.min(initial=median_s), median_s),
        "qrs_height_mean_mv": _mean(heights_mv),
        "qrs_height_sd_mv": _sd(heights_mv),
        "beat_correlation_mean": _mean(correlations),
        "beat_correlation_min": correlations.min(initial=1.0) if correlations.size else 0.0,
        "signal_sd_mv": _sd(trace.signal_mv),
        "flat_share": _mean(stroke_mv < _FLAT_MV),
    }
    return np.array([features[name] for name in RHYTHM_FEATURES], np.float32)


def _energy(trace: Trace, rate_hz: float) -> _Signal:
    """Slope times curvature around each sample, averaged over a QRS: (samples,), mV squared.

    A tall T wave is as steep as a low QRS, but not as bent. The stroke's edges hold what happens between two samples:
    at 50 Hz a QRS is five samples wide.
    """
    slope_mv = np.gradient(trace.signal_mv.astype(np.float64))
    steepness_mv = np.maximum(np.abs(slope_mv), (trace.top_mv - trace.bottom_mv) / 2)
    return _averaged(np.sqrt(steepness_mv * np.abs(np.gradient(slope_mv))), rate_hz)


def _averaged(sharpness: _Signal, rate_hz: float) -> _Signal:
    """Energy of what is sharper than usual, over a QRS's width: (samples,)."""
    width = max(1, round(_QRS_S * rate_hz))
    return np.convolve((sharpness - _median(sharpness)).clip(0) ** 2, np.ones(width) / width, "same")


def _energetic(energy: _Signal, rate_hz: float) -> Beats:
    """Samples at which there is a QRS's energy, rising."""
    peaks = _peaks(energy, round(_REFRACTORY_S * rate_hz))
    if not peaks.size:
        return peaks
    threshold = _THRESHOLD * _usual(energy[peaks], len(energy) / rate_hz)
    peaks = _without_t_waves(peaks[energy[peaks] >= _SOUGHT_AGAIN * threshold], energy, rate_hz)
    return _with_missed(peaks[energy[peaks] >= threshold], peaks, energy)


def _peaks(energy: _Signal, apart: int) -> Beats:
    """Samples with the most energy for ``apart`` samples to both sides."""
    highest = cv2.dilate(energy[None], np.ones((1, 2 * apart + 1), np.uint8))[0]
    return np.flatnonzero((energy == highest) & (energy > 0))


def _usual(energies: _Signal, duration_s: float) -> float:
    """Energy of a usual beat: the median of the strongest, at least one in two seconds."""
    strongest = np.sort(energies)[::-1][: max(_FEWEST, round(duration_s / 2))]
    return float(_median(strongest))


def _without_t_waves(peaks: Beats, energy: _Signal, rate_hz: float) -> Beats:
    """Peaks but for those that closely follow one of much more energy."""
    kept: list[int] = []
    for peak in peaks.tolist():
        close = bool(kept) and peak - kept[-1] < _T_WAVE_S * rate_hz
        if not (close and energy[peak] < _T_WAVE_ENERGY * energy[kept[-1]]):
            kept.append(peak)
    return np.array(kept, np.intp)


def _with_missed(beats: Beats, peaks: Beats, energy: _Signal) -> Beats:
    """Beats, and the highest peak in each gap that is too long for the others' rhythm."""
    if len(beats) < _FEWEST:
        return beats
    intervals = np.diff(beats)
    longest = _MISSED_RR * _median(intervals)
    found = []
    for start, interval in zip(beats[:-1][intervals > longest], intervals[intervals > longest], strict=True):
        between = peaks[(peaks > start) & (peaks < start + interval)]
        if between.size:
            found.append(between[energy[between].argmax()])
    return np.sort(np.concatenate([beats, np.array(found, np.intp)]))


def _at_extreme(beats: Beats, trace: Trace, reach: int) -> Beats:
    """Each beat at its QRS's sample farthest from the strip's median, so that intervals are from peak to peak."""
    away_mv = np.abs(trace.signal_mv - _median(trace.signal_mv))
    spans = [(max(beat - reach, 0), beat + reach + 1) for beat in beats.tolist()]
    places = {start + int(away_mv[start:end].argmax()) for start, end in spans}
    return np.array(sorted(places), np.intp)


def _heights_mv(beats: Beats, trace: Trace, reach: int) -> _Signal:
    """From the lowest to the highest point of each QRS."""
    signal_mv = trace.signal_mv.astype(np.float64)
    return np.array([np.ptp(signal_mv[max(0, beat - reach) : beat + reach + 1]) for beat in beats])


def _beat_correlations(beats: Beats, signal_mv: _Signal, rate_hz: float) -> _Signal:
    """Correlation of each whole beat with the mean of all of them, -1 to 1."""
    before, after = (round(part_s * rate_hz) for part_s in _BEAT_S)
    whole = beats[(beats >= before) & (beats + after <= len(signal_mv))]
    if len(whole) < _FEWEST - 1:
        return np.zeros(0)
    shapes_mv = np.stack([signal_mv[beat - before : beat + after] for beat in whole])
    shapes_mv -= shapes_mv.mean(axis=1, keepdims=True)
    mean_mv = shapes_mv.mean(axis=0)
    scale = np.sqrt((shapes_mv**2).sum(axis=1) * (mean_mv**2).sum())
    correlations: _Signal = np.divide(shapes_mv @ mean_mv, scale, out=np.zeros(len(whole)), where=scale > 0)
    return correlations


def _median(values: NDArray[np.floating] | Beats) -> np.floating:
    """What `np.median` gives of one value or more, all finite, in a tenth of its time."""
    ordered, middle = np.sort(values), len(values) // 2
    median: np.floating = (ordered[-middle - 1] + ordered[middle]) / 2
    return median


def _mean(values: NDArray[np.floating] | NDArray[np.bool_]) -> float:
    return float(np.mean(values, dtype=np.float64)) if values.size else 0.0


def _sd(values: NDArray[np.floating]) -> float:
    return float(np.std(values, dtype=np.float64)) if values.size else 0.0


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
