"""Measure rate, intervals, axis and ST levels of a recording: what a cart prints above its curves.

All but the rate are measured on the median beat, over all leads that show it. What is unsure is None.
docs/evidence/measurements.md says how far each is off.
"""

import math
import statistics
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.median_beat import MedianBeat, median_beat
from shared_preproc.recording import RECORDED_LEADS, Recording
from shared_preproc.rhythm import find_beats_in_leads, heart_rate_bpm, is_regular

__all__ = ["Beat", "Measurements", "WaveTimes", "measure"]

Floats = NDArray[np.floating]

_RATE_HZ = 250.0  # of recordings, brought to it; a page is measured column by column, 197 a second
_LEVEL_S = 0.02  # before the QRS: 0 mV is there

_EDGE = 0.05  # of the greatest velocity: a QRS begins and ends where the leads together are slower
_PRINTED_EDGE = 0.07  # the same where the cart's filter has widened the QRS
_QUIET_S = 0.02  # for how long they have to be slower
_NOISE_S = 0.03
_MOST_NOISE = 0.25  # velocity before the QRS, of the greatest
_QRS_MS = (50.0, 220.0)
_QRS_HALF_S = 0.06  # to both sides of the R peak: where the leads are fastest

_T_FROM_S = 0.06  # after the QRS
_T_SLOPE_S = 0.016  # to both sides of an instant: over which the T wave's slope is taken
_LEAST_T_MV = 0.1
_MOST_OF_RR = 0.75  # from one QRS to the next, the end of T lies within this share
_FEWEST_T_LEADS = 3
_MOST_T_SPREAD_S = 0.04  # interquartile range of the leads' ends of T
_QT_MS = (240.0, 640.0)

_P_FROM_S, _P_UNTIL_S = 0.3, 0.03  # before the QRS: where the P wave's peak is looked for
_P_SLOPE_S = 0.012
_LEAST_P_MV = 0.02  # mean of all leads
_LEAST_P_ALIKE = 0.7  # correlation of a beat's P wave with the median one
_MOST_SECOND = 0.7  # of the P wave's height: what stands before it may be another wave, as in flutter
_FEWEST_P_BEATS = 3
_PR_MS = (80.0, 320.0)

_PLANE = 2  # dimensions
_LEAST_NET = 0.25  # of the largest area of a QRS: below it, the axis points nowhere
_ST_AFTER_S = 0.06

# Frontal directions of I, II, III, aVR, aVL, aVF, and how much smaller Goldberger's leads are than Einthoven's.
_LIMB_DEG = np.array([0.0, 60.0, 120.0, -150.0, -30.0, 90.0])
_LIMB_GAIN = np.array([1, 1, 1, 0.75**0.5, 0.75**0.5, 0.75**0.5])


class WaveTimes(NamedTuple):
    """Milliseconds from the R peak, negative before it; None where it was not measured."""

    p_onset: float | None = None
    qrs_onset: float | None = None
    qrs_end: float | None = None
    t_end: float | None = None


class Beat(NamedTuple):
    """One QRS complex."""

    r_s: float
    """Its R peak, seconds from the recording's first instant."""
    measured: bool
    """Whether it went into the median beat; False: of another shape, or cut off."""


@dataclass(frozen=True)
class Measurements:
    """What was measured; None where it cannot be, or is unsure."""

    heart_rate_bpm: float | None = None
    regular: bool | None = None
    """Whether intervals between beats vary by 8 % at most."""
    pr_ms: float | None = None
    qrs_ms: float | None = None
    qt_ms: float | None = None
    qtc_fridericia_ms: float | None = None
    qtc_bazett_ms: float | None = None
    axis_deg: float | None = None
    """Of the QRS in the frontal plane, -180 to 180; 0 is lead I, 90 is aVF."""
    st_mv: tuple[float | None, ...] = (None,) * len(RECORDED_LEADS)
    """60 ms after the end of the QRS, against the level before it, as `RECORDED_LEADS`."""
    waves: WaveTimes = field(default_factory=WaveTimes)
    beats: tuple[Beat, ...] = ()


def measure(recording: Recording, *, printed: bool = False) -> Measurements:
    """Measure ten seconds of twelve leads.

    Args:
        recording: NaN where a lead is not shown; one lead at least has to be whole, or only the rate is measured.
        printed: what a cart printed, limited to 25 Hz.
    """
    if not printed:
        recording = _resampled(recording)
    beat = median_beat(recording, find_beats_in_leads(recording))
    if beat is None:
        return Measurements()
    rate_bpm, regular = heart_rate_bpm(beat.beats_s, 1.0), is_regular(beat.beats_s)
    beats = tuple(map(Beat, beat.beats_s.tolist(), beat.alike.tolist()))
    qrs = _qrs(beat, _PRINTED_EDGE if printed else _EDGE)
    if qrs is None or rate_bpm is None:
        return Measurements(rate_bpm, regular, beats=beats)
    zeroed = beat.signal_mv - _level_mv(beat, qrs)
    t_end = _t_end(zeroed, beat, qrs)
    p_onset = _p_onset(zeroed, beat, qrs, t_end)
    qt_ms = None if t_end is None else _ms(t_end - qrs.onset, beat)
    # Between uneven beats, no single interval says what QT is to be corrected for.
    rr_s = 60 / rate_bpm if regular else None
    return Measurements(
        heart_rate_bpm=rate_bpm,
        regular=regular,
        pr_ms=None if p_onset is None else _ms(qrs.onset - p_onset, beat),
        qrs_ms=_ms(qrs.end - qrs.onset, beat),
        qt_ms=qt_ms,
        qtc_fridericia_ms=None if qt_ms is None or rr_s is None else qt_ms / rr_s ** (1 / 3),
        qtc_bazett_ms=None if qt_ms is None or rr_s is None else qt_ms / rr_s**0.5,
        axis_deg=_axis_deg(zeroed, qrs),
        st_mv=_st_mv(zeroed, beat, qrs),
        waves=WaveTimes(
            *(None if at is None else _ms(at - beat.r, beat) for at in (p_onset, qrs.onset, qrs.end, t_end))
        ),
        beats=beats,
    )


def _resampled(recording: Recording) -> Recording:
    """Bring a recording to `_RATE_HZ`: by cubic interpolation, or by means over the time that a sample stands for."""
    rows, samples = recording.signal_mv.shape
    wanted = max(1, round(samples * _RATE_HZ / recording.rate_hz))
    how = cv2.INTER_CUBIC if wanted > samples else cv2.INTER_AREA
    signal_mv = cv2.resize(recording.signal_mv, (wanted, rows), interpolation=how)
    return Recording(np.asarray(signal_mv), recording.rate_hz * wanted / samples)


class _Qrs(NamedTuple):
    """Samples of the median beat, between two of them, too."""

    onset: float
    end: float


def _ms(samples: float, beat: MedianBeat) -> float:
    return 1000 * samples / beat.rate_hz


def _qrs(beat: MedianBeat, edge: float) -> _Qrs | None:
    """Where all leads together are fast: the sum of their velocities' amounts is the detection function.

    After Daskalov and Christov (1999), "Electrocardiogram signal preprocessing for automatic detection of QRS
    boundaries", Med. Eng. Phys. 21: outwards from the fastest place, the QRS ends before the first stretch of 20 ms
    that is slow. What the leads do in the quietest 30 ms before is taken for noise. A wide QRS is not much faster than
    the T wave behind it: where none ends in time, twice the velocity counts as slow.
    """
    velocity = np.abs(np.gradient(beat.signal_mv, axis=1))
    speed = np.where(np.isnan(velocity), 0, velocity).sum(axis=0)
    half, width = round(_QRS_HALF_S * beat.rate_hz), round(_NOISE_S * beat.rate_hz)
    fastest = beat.r - half + int(speed[beat.r - half : beat.r + half + 1].argmax())
    noise = float(np.convolve(speed[:fastest], np.ones(width) / width, "valid").min())
    if noise > _MOST_NOISE * speed[fastest]:
        return None
    speed = np.sqrt((speed**2 - noise**2).clip(0))
    for share in (edge, 2 * edge):
        qrs = _above(speed, fastest, share * float(speed[fastest]), round(_QUIET_S * beat.rate_hz))
        if qrs is not None and _QRS_MS[0] <= _ms(qrs.end - qrs.onset, beat) <= _QRS_MS[1]:
            return qrs
    return None


def _above(speed: Floats, fastest: int, threshold: float, quiet: int) -> _Qrs | None:
    """From the last slow stretch before the fastest place to the first one behind it."""
    slow = speed < threshold
    stretches = np.flatnonzero(np.convolve(slow, np.ones(quiet), "valid") == quiet)  # by their first samples
    before, after = stretches[stretches + quiet <= fastest], stretches[stretches > fastest]
    if not len(before) or not len(after):
        return None
    onset = _crossing(speed, int(before[-1]) + quiet - 1, 1, threshold)
    return _Qrs(onset, _crossing(speed, int(after[0]), -1, threshold))


def _crossing(speed: Floats, slow: int, step: int, threshold: float) -> float:
    """Where, between a slow sample and its fast neighbour, the threshold is passed."""
    return slow + step * float((threshold - speed[slow]) / (speed[slow + step] - speed[slow]))


def _level_mv(beat: MedianBeat, qrs: _Qrs) -> Floats:
    """The level before the QRS, (12, 1)."""
    before = beat.signal_mv[:, int(qrs.onset) - round(_LEVEL_S * beat.rate_hz) : int(qrs.onset) + 1]
    return np.asarray(before.mean(axis=1, keepdims=True))


def _t_end(zeroed_mv: Floats, beat: MedianBeat, qrs: _Qrs) -> float | None:
    """Median of the leads' ends of T, each where the tangent at the steepest place behind the peak meets 0 mV.

    Lepeschkin and Surawicz (1952), "The measurement of the Q-T interval of the electrocardiogram", Circulation 6.
    """
    rr = float(np.median(np.diff(beat.beats_s))) * beat.rate_hz
    first, reach = math.ceil(qrs.end + _T_FROM_S * beat.rate_hz), round(_T_SLOPE_S * beat.rate_hz)
    last = min(int(qrs.onset + _MOST_OF_RR * rr), zeroed_mv.shape[1] - reach)
    if last - first < 4 * reach:
        return None
    around, offsets = zeroed_mv[:, first - reach : last + reach], np.arange(-reach, reach + 1)
    heights = _weighed(around, np.full(len(offsets), 1 / len(offsets)))[:, reach:-reach]
    slopes = _weighed(around, offsets / (offsets**2).sum())[:, reach:-reach]
    ends = [_tangent_end(height, slope) for height, slope in zip(heights, slopes, strict=True)]
    found = sorted(end for end in ends if end is not None)
    if len(found) < _FEWEST_T_LEADS:
        return None
    end, quarter = first + statistics.median(found), len(found) // 4
    sure = found[-1 - quarter] - found[quarter] <= _MOST_T_SPREAD_S * beat.rate_hz
    return end if sure and _QT_MS[0] <= _ms(end - qrs.onset, beat) <= _QT_MS[1] else None


def _tangent_end(height_mv: Floats, slope_mv: Floats) -> float | None:
    """Sample at which one lead's T wave ends; None where it is low, or goes on at the end of what is there."""
    gaps = np.flatnonzero(np.isnan(height_mv))
    there = int(gaps[0]) if len(gaps) else len(height_mv)
    if not there:
        return None
    peak = int(np.abs(height_mv[:there]).argmax())
    back = slope_mv[peak:there] * np.sign(height_mv[peak])
    steepest = int(back.argmin())
    if abs(height_mv[peak]) < _LEAST_T_MV or back[steepest] >= 0 or steepest == len(back) - 1:
        return None
    at = peak + steepest
    end = at - height_mv[at] / slope_mv[at]
    return float(end) if at <= end < there else None


def _p_onset(zeroed_mv: Floats, beat: MedianBeat, qrs: _Qrs, t_end: float | None) -> float | None:
    """Where the tangent at the steepest rise of the leads' mean amount meets its least value before the P wave.

    None where no wave stands there, where another one stands before it, or where it is not there in most beats.
    """
    rr = float(np.median(np.diff(beat.beats_s))) * beat.rate_hz
    until = int(qrs.onset)
    first = max(0, until - round(_P_FROM_S * beat.rate_hz), 0 if t_end is None else math.ceil(t_end - rr))
    last, reach = until - round(_P_UNTIL_S * beat.rate_hz), round(_P_SLOPE_S * beat.rate_hz)
    if last - first < 4 * reach:
        return None
    shown = zeroed_mv[np.isfinite(zeroed_mv[:, first:until]).all(axis=1), first:until]
    if not len(shown):
        return None
    height = np.abs(_weighed(shown, np.full(2 * reach + 1, 1 / (2 * reach + 1)))).mean(axis=0)
    peak = int(height[: last - first].argmax())
    foot = int(height[: peak + 1].argmin())
    if height[peak] - height[foot] < _LEAST_P_MV or peak == foot:
        return None
    if height[:foot].max(initial=0) - height[foot] > _MOST_SECOND * (height[peak] - height[foot]):
        return None
    if _alike(beat.single_mv[:, :, first:until]) < _LEAST_P_ALIKE:
        return None
    rise = np.gradient(height)[foot : peak + 1]
    steepest = foot + int(rise.argmax())
    onset = first + steepest - (height[steepest] - height[foot]) / rise.max()
    return float(onset) if _PR_MS[0] <= _ms(qrs.onset - onset, beat) <= _PR_MS[1] else None


def _weighed(signal_mv: Floats, weights: Floats) -> Floats:
    """Sum of each sample and its neighbours to both sides, weighed; the ends are held."""
    return np.asarray(cv2.filter2D(signal_mv, -1, weights[np.newaxis], borderType=cv2.BORDER_REPLICATE))


def _alike(windows_mv: Floats) -> float:
    """Median correlation of beats with their median, each without its mean and slope: (beats, leads, samples)."""
    whole = windows_mv[np.isfinite(windows_mv).all(axis=(1, 2))]
    if len(whole) < _FEWEST_P_BEATS:
        return 0.0
    time = np.linspace(-1, 1, whole.shape[2])
    level = whole - whole.mean(axis=2, keepdims=True)
    level = level - (level @ time)[:, :, np.newaxis] * time / (time @ time)
    median = np.median(level, axis=0)
    products = (level * median).sum(axis=(1, 2))
    powers = (level**2).sum(axis=(1, 2)) * (median**2).sum()
    return float(np.median(products / np.sqrt(powers).clip(1e-12)))


def _axis_deg(zeroed_mv: Floats, qrs: _Qrs) -> float | None:
    """Direction of the vector that explains the net areas of the limb leads' QRS best, by least squares."""
    inside = zeroed_mv[: len(_LIMB_DEG), round(qrs.onset) : round(qrs.end) + 1]
    net, whole = inside.sum(axis=1), np.abs(inside).sum(axis=1)
    shown = np.isfinite(net)
    if shown.sum() < _PLANE:
        return None
    angles = np.radians(_LIMB_DEG[shown])
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1) * _LIMB_GAIN[shown, np.newaxis]
    right, down = np.linalg.lstsq(directions, net[shown])[0]
    if math.hypot(right, down) < _LEAST_NET * whole[shown].max():
        return None
    return math.degrees(math.atan2(down, right))


def _st_mv(zeroed_mv: Floats, beat: MedianBeat, qrs: _Qrs) -> tuple[float | None, ...]:
    at = round(qrs.end + _ST_AFTER_S * beat.rate_hz)
    if at >= zeroed_mv.shape[1]:
        return (None,) * len(zeroed_mv)
    return tuple(None if math.isnan(value_mv) else value_mv for value_mv in zeroed_mv[:, at].tolist())
