"""Made-up twelve-lead recordings whose intervals, axis and ST levels are known exactly.

Every wave begins and ends at a known instant: it is made of raised cosines, which are zero outside. So what measures
a recording can be held against what was drawn.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from shared_preproc.leads import Lead
from shared_preproc.recording import Recording
from synthetic.heartbeat import SAMPLING_RATE_HZ, twelve_leads
from synthetic.pages import encode_jpeg
from synthetic.render import Header, Signals, render_page

__all__ = ["KnownHeart", "draw_heart", "print_recording", "record_known_heart"]

Floats = NDArray[np.float64]

_TANGENT = 0.5 + 1 / np.pi
"""Where the tangent at the steepest place of a falling half cosine meets the baseline, as a share of its width."""

_R_PEAKS = 0.45  # of the QRS
_T_FALL = 0.4  # of the T wave
_ST_BEGINS_S = 0.02  # before the end of the QRS
_RECORDING_S = 10.0
_PRINTED_BAND_HZ = (0.67, 25.0)
_PRINTED_AT = datetime(2001, 1, 1)  # noqa: DTZ001 - a printed clock has no zone
_INDEPENDENT = 8  # leads I, II, V1 to V6


@dataclass(frozen=True, eq=False)
class KnownHeart:
    """What was drawn."""

    rate_bpm: float
    pr_ms: float | None
    """From the P wave's first instant to the QRS's; None: the atria fibrillate, and beats are irregular."""
    qrs_ms: float
    qt_ms: float
    """To where the tangent at the steepest place of the falling T wave meets the baseline."""
    axis_deg: float
    st_mv: Floats
    """(12,), I II III aVR aVL aVF V1 to V6: from the end of the QRS until the T wave begins."""


def draw_heart(rng: np.random.Generator) -> KnownHeart:
    """Choose a heart at random; one in eight fibrillates."""
    rate = rng.uniform(45, 105)
    qrs_ms = rng.choice([rng.uniform(75, 110), rng.uniform(110, 160)], p=[0.75, 0.25])
    qt_ms = rng.uniform(370, 460) * (60 / rate) ** (1 / 3) + 0.5 * max(qrs_ms - 110, 0)
    st_mv = rng.choice([0.0, 1.0], _INDEPENDENT, p=[0.7, 0.3]) * rng.uniform(-0.2, 0.3, _INDEPENDENT)
    return KnownHeart(
        rate_bpm=rate,
        pr_ms=None if rng.random() < 1 / 8 else rng.uniform(120, min(240, 60_000 / rate - qt_ms - 40)),
        qrs_ms=qrs_ms,
        qt_ms=qt_ms,
        axis_deg=rng.uniform(-75, 120),
        st_mv=twelve_leads(st_mv[:, np.newaxis])[:, 0],
    )


def record_known_heart(heart: KnownHeart, rng: np.random.Generator) -> tuple[Recording, Floats]:
    """Record a heart for 10 s; also give the seconds of its R peaks.

    Args:
        heart: what to record.
        rng: draws heights, noise and the rhythm.
    """
    times_s = np.arange(0, _RECORDING_S, 1 / SAMPLING_RATE_HZ)
    onsets_s = _onsets(heart, rng)
    heights = _heights(heart, rng)
    leads_mv = _noise(times_s, rng)
    for onset_s in onsets_s:
        leads_mv += _beat(times_s - onset_s, heart, heights)
    peaks_s = onsets_s + _R_PEAKS * heart.qrs_ms / 1000
    inside = (peaks_s >= 0) & (peaks_s < _RECORDING_S)
    return Recording(twelve_leads(leads_mv), SAMPLING_RATE_HZ), peaks_s[inside]


def print_recording(recording: Recording, rhythm_lead: Lead = Lead.II) -> bytes:
    """Print a recording as the cart does, within its band, and compress the page."""
    printed = recording.band_passed(*_PRINTED_BAND_HZ)
    signals = Signals(np.asarray(printed.signal_mv, np.float64), printed.rate_hz)
    return encode_jpeg(render_page(signals, Header("0", "Male", 60, _PRINTED_AT, rhythm_lead)))


def _onsets(heart: KnownHeart, rng: np.random.Generator) -> Floats:
    """Seconds at which a QRS begins, from before the recording to behind it."""
    mean_s, count = 60 / heart.rate_bpm, 60
    shape = 25  # of a gamma distribution: varies by a fifth
    if heart.pr_ms is None:
        intervals_s = np.maximum(mean_s * rng.gamma(shape, 1 / shape, count), heart.qt_ms / 1000 + 0.04)
    else:
        intervals_s = mean_s * (1 + rng.normal(0, 0.01, count))
    onsets_s = np.cumsum(intervals_s) - rng.uniform(2, 3) * mean_s
    return np.asarray(onsets_s[onsets_s < _RECORDING_S + 1])


def _noise(times_s: Floats, rng: np.random.Generator) -> Floats:
    """Breathing below 0.4 Hz, muscle above; (8, times) in mV."""
    wander_hz, phases = rng.uniform(0.1, 0.4, (_INDEPENDENT, 1)), rng.uniform(0, 2 * np.pi, (_INDEPENDENT, 1))
    wander_mv = rng.uniform(0, 0.15, (_INDEPENDENT, 1)) * np.sin(2 * np.pi * wander_hz * times_s + phases)
    muscle_mv = rng.uniform(0.005, 0.03) * rng.standard_normal((_INDEPENDENT, len(times_s)))
    return np.asarray(wander_mv + muscle_mv)


@dataclass(frozen=True, eq=False)
class _Heights:
    """Of each wave in each of the eight leads, mV: float64 (8,)."""

    p: Floats
    q: Floats
    r: Floats
    s: Floats
    t: Floats


def _heights(heart: KnownHeart, rng: np.random.Generator) -> _Heights:
    """In the limb leads all waves of the QRS lie on the axis, so that its net area does as well."""
    angle = np.radians(heart.axis_deg)
    frontal = rng.uniform(0.6, 1.4) * np.array([np.cos(angle), np.cos(angle - np.pi / 3)])
    chest = np.array([0.25, 0.4, 0.8, 1.3, 1.3, 1.0]) * rng.uniform(0.6, 1.3, 6)
    deep = np.array([1.0, 1.3, 0.9, 0.5, 0.2, 0.05]) * rng.uniform(0.6, 1.3, 6)
    r = np.concatenate([frontal, chest])
    p = np.array([0.08, 0.13, 0.06, 0.06, 0.06, 0.07, 0.07, 0.06]) * rng.uniform(0.8, 1.5)
    t = np.array([0.22, 0.3, 0.05, 0.35, 0.4, 0.4, 0.32, 0.25]) * rng.uniform(0.6, 1.5, 8)
    return _Heights(
        p=p if heart.pr_ms is not None else np.zeros(_INDEPENDENT),
        q=np.concatenate([-0.12 * frontal, [0.1, 0.1, 0.05, -0.08, -0.12, -0.1]]),
        r=r,
        s=np.concatenate([-0.15 * frontal, -deep]),
        t=t,
    )


def _beat(after_s: Floats, heart: KnownHeart, heights: _Heights) -> Floats:
    """One beat in the eight leads, (8, times); ``after_s`` counts from the first instant of the QRS."""
    qrs_s, qt_s = heart.qrs_ms / 1000, heart.qt_ms / 1000
    t_begins_s = qrs_s + max(0.08, 0.25 * (qt_s - qrs_s))
    # The T wave's last instant lies so far behind the tangent's end.
    t_peaks_s = t_begins_s + (qt_s - t_begins_s) * (1 - _T_FALL) / (1 - _T_FALL + _T_FALL * _TANGENT)
    t_ends_s = t_peaks_s + (qt_s - t_peaks_s) / _TANGENT
    st_mv = heart.st_mv[[0, 1, 6, 7, 8, 9, 10, 11]]
    waves = [
        (heights.q, _bump(after_s, 0, 0.2 * qrs_s, 0.4 * qrs_s)),
        (heights.r, _bump(after_s, 0.2 * qrs_s, _R_PEAKS * qrs_s, 0.7 * qrs_s)),
        (heights.s, _bump(after_s, 0.55 * qrs_s, 0.75 * qrs_s, qrs_s)),
        (st_mv, _step(after_s, qrs_s - _ST_BEGINS_S, qrs_s) - _step(after_s, t_begins_s, t_peaks_s)),
        (heights.t, _bump(after_s, t_begins_s, t_peaks_s, t_ends_s)),
    ]
    if heart.pr_ms is not None:
        p_begins_s = -heart.pr_ms / 1000
        p_ends_s = p_begins_s + min(0.1, -0.8 * p_begins_s)
        waves.append((heights.p, _bump(after_s, p_begins_s, (p_begins_s + p_ends_s) / 2, p_ends_s)))
    return np.asarray(sum(np.outer(height_mv, shape) for height_mv, shape in waves))


def _step(times_s: Floats, begins_s: float, ends_s: float) -> Floats:
    """From 0 to 1 as half a cosine."""
    share = np.clip((times_s - begins_s) / (ends_s - begins_s), 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * share))


def _bump(times_s: Floats, begins_s: float, peaks_s: float, ends_s: float) -> Floats:
    """From 0 up to 1 and back, as two half cosines."""
    return _step(times_s, begins_s, peaks_s) - _step(times_s, peaks_s, ends_s)
