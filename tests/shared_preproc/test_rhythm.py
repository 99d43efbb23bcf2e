"""Beats are found where they were drawn, and, on real signals, where another method finds them."""

import csv
import io
import lzma
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, sosfiltfilt

from shared_preproc.rhythm import RHYTHM_FEATURES, find_beats, heart_rate_bpm, is_regular, rhythm_features
from shared_preproc.traces import Trace

RATE_HZ = 50.0
FINE_HZ = 500.0
TIME_S = np.arange(round(10 * FINE_HZ)) / FINE_HZ
Floats = NDArray[np.float64]


def as_trace(fine_mv: Floats, fine_hz: float = FINE_HZ, rate_hz: float = RATE_HZ) -> Trace:
    """A signal as a page's trace holds it: sampled, with its extremes until the neighbouring samples."""
    step = round(fine_hz / rate_hz)
    around = sliding_window_view(np.pad(fine_mv, step, mode="edge"), 2 * step + 1)
    signal, top, bottom = np.stack([fine_mv, around.max(axis=1), around.min(axis=1)])[:, ::step].astype(np.float32)
    return Trace(signal, top, bottom, coverage=1.0)


def wave(at_s: float, height_mv: float, width_s: float) -> Floats:
    curve: Floats = height_mv * np.exp(-0.5 * ((TIME_S - at_s) / width_s) ** 2)
    return curve


def strip(beats_s: list[float], *, qrs_mv: float = 1.0, t_mv: float = 0.2) -> Floats:
    """P, QRS with an S wave, and T at each beat."""
    drawn = np.zeros(len(TIME_S))
    for at_s in beats_s:
        drawn += wave(at_s - 0.16, 0.1 * abs(qrs_mv), 0.022) + wave(at_s, qrs_mv, 0.013)
        drawn += wave(at_s + 0.28, t_mv, 0.04) - wave(at_s + 0.03, qrs_mv / 5, 0.013)
    return drawn


def every(rr_s: float, first_s: float = 0.4) -> list[float]:
    return list(np.arange(first_s, 9.9, rr_s))


@pytest.mark.parametrize("rr_s", [0.4, 0.6, 0.8, 1.0, 1.5])
@pytest.mark.parametrize(("qrs_mv", "t_mv"), [(1.0, 0.2), (0.15, 0.03), (-0.8, 0.25), (2.5, 1.0), (0.4, 0.4)])
def test_beats_are_found_where_they_are(rr_s: float, qrs_mv: float, t_mv: float) -> None:
    drawn_s = every(rr_s)
    beats = find_beats(as_trace(strip(drawn_s, qrs_mv=qrs_mv, t_mv=t_mv)), RATE_HZ)
    assert beats / RATE_HZ == pytest.approx(np.array(drawn_s), abs=0.03)
    assert heart_rate_bpm(beats, RATE_HZ) == pytest.approx(60 / rr_s, rel=0.01)


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 250.0])
def test_the_rate_of_the_samples_does_not_matter(rate_hz: float) -> None:
    beats = find_beats(as_trace(strip(every(0.75)), rate_hz=rate_hz), rate_hz)
    assert heart_rate_bpm(beats, rate_hz) == pytest.approx(80, rel=0.01)


def test_an_early_wide_beat_is_found_among_the_others() -> None:
    sinus_s = [at_s for at_s in every(0.8) if not 4 < at_s < 4.7]
    ectopic = wave(4.05, 1.4, 0.034) - wave(4.13, 0.5, 0.034) + wave(4.34, -0.4, 0.06)
    beats = find_beats(as_trace(strip(sinus_s) + ectopic), RATE_HZ)
    assert beats / RATE_HZ == pytest.approx(np.array(sorted([*sinus_s, 4.05])), abs=0.04)


@pytest.mark.parametrize(
    ("intervals", "regular"),
    [
        ([40] * 10, True),
        ([39, 41] * 5, True),
        ([43, 37] * 5, True),
        ([44, 36] * 5, False),
        ([40, 40, 25, 55, 40, 40], False),
        ([40, 40, 40], True),
        ([40, 40], None),
        ([], None),
    ],
)
def test_even_intervals_are_regular(intervals: list[int], regular: bool | None) -> None:
    assert is_regular(np.cumsum([10, *intervals])) is regular


@pytest.mark.slow
def test_atrial_fibrillation_is_irregular_on_real_signals(shared_dir: Path) -> None:
    stored = (shared_dir / "data" / "ptbxl-100hz.npz.xz").read_bytes()
    archive = np.load(io.BytesIO(lzma.decompress(stored)))
    with (shared_dir / "data" / "ptbxl_labels.csv").open(newline="") as file:
        statements = {int(row["ecg_id"]): set(row["statements"].split("|")) for row in csv.DictReader(file)}
    found: dict[str, list[bool | None]] = {"AFIB": [], "NORM": []}
    for ecg_id, signal_uv in zip(archive["ecg_id"].tolist(), archive["signal_uv"], strict=True):
        said = statements[ecg_id]
        kind = "AFIB" if "r:AFIB" in said else "NORM" if {"NORM", "r:SR"} <= said else None
        if kind is not None and len(found[kind]) < 100:
            lead_ii = as_trace(signal_uv[1] / 1000, fine_hz=100.0)
            found[kind].append(is_regular(find_beats(lead_ii, RATE_HZ)))
    assert np.mean([one is False for one in found["AFIB"]]) > 0.85
    assert np.mean([one is True for one in found["NORM"]]) > 0.85


def test_noise_and_wander_add_no_beats() -> None:
    rng = np.random.default_rng(0)
    noisy = strip(every(0.9)) + 0.15 * np.sin(2 * np.pi * 0.3 * TIME_S) + rng.normal(0, 0.01, len(TIME_S))
    assert len(find_beats(as_trace(noisy), RATE_HZ)) == len(every(0.9))


def test_a_flat_strip_has_no_beats_and_finite_features() -> None:
    trace = as_trace(np.zeros(len(TIME_S)))
    beats = find_beats(trace, RATE_HZ)
    assert beats.size == 0
    assert heart_rate_bpm(beats, RATE_HZ) is None
    features = named(trace)
    assert features["rate_bpm"] == 0
    assert features["flat_share"] == 1


def test_too_few_beats_have_no_rate() -> None:
    assert heart_rate_bpm(np.array([10, 60]), RATE_HZ) is None
    assert heart_rate_bpm(np.array([10, 12, 14]), RATE_HZ) is None  # 1500 a minute


def named(trace: Trace) -> dict[str, float]:
    features = rhythm_features(find_beats(trace, RATE_HZ), trace, RATE_HZ)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    return dict(zip(RHYTHM_FEATURES, features.tolist(), strict=True))


def test_features_tell_a_regular_rhythm_from_an_irregular_one() -> None:
    regular = named(as_trace(strip(every(0.8))))
    irregular = named(as_trace(strip([0.5, 1.1, 2.1, 2.6, 3.6, 4.3, 4.8, 5.9, 6.5, 7.6, 8.1, 9.2])))
    assert regular["rr_cv"] < 0.02
    assert irregular["rr_cv"] > 0.2
    assert regular["rr_jump_share"] == 0
    assert irregular["rr_jump_share"] > 0.8
    assert regular["rr_longest_over_median"] < 1.03
    assert irregular["rr_longest_over_median"] > 1.2
    assert regular["beat_correlation_min"] > 0.9
    assert regular["qrs_height_mean_mv"] == pytest.approx(1.2, rel=0.1)


def test_a_premature_beat_does_not_look_like_the_others() -> None:
    odd = strip([at_s for at_s in every(0.8) if not 4 < at_s < 4.7]) + wave(4.3, -1.4, 0.034)
    assert named(as_trace(odd))["beat_correlation_min"] < 0.2


@pytest.mark.slow
def test_real_signals_have_the_beats_that_all_twelve_leads_show(shared_dir: Path) -> None:
    """Reference: peaks of the curvature of all leads together at 100 Hz; ours sees one lead at 50 Hz."""
    stored = (shared_dir / "data" / "ptbxl-100hz.npz.xz").read_bytes()
    signals_uv = np.load(io.BytesIO(lzma.decompress(stored)))["signal_uv"][::26]
    band = butter(2, (0.67, 25.0), btype="bandpass", fs=100.0, output="sos")
    expected = found = both = 0
    for signal_uv in signals_uv:
        leads_mv = sosfiltfilt(band, signal_uv / 1000.0, axis=1)
        curvature = np.sqrt(np.square(np.diff(leads_mv, n=2, axis=1)).sum(axis=0))
        curvature = np.convolve(curvature, np.hanning(11), "same")
        reference_s = (
            find_peaks(curvature, distance=25, prominence=0.35 * np.percentile(curvature, 98))[0] + 1
        ) / 100.0
        beats_s = find_beats(as_trace(leads_mv[1], 100.0), RATE_HZ) / RATE_HZ
        expected, found = expected + len(reference_s), found + len(beats_s)
        both += sum(np.abs(beats_s - at_s).min(initial=1.0) < 0.1 for at_s in reference_s)
    assert both / expected > 0.97
    assert both / found > 0.97
