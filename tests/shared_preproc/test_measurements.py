"""Rate, intervals, axis and ST levels: held against hearts whose own are known, and left out where they are unsure."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared_preproc.leads import Lead
from shared_preproc.measurements import Measurements, measure
from shared_preproc.page import decode_page
from shared_preproc.pipeline import read_page
from shared_preproc.recording import RECORDED_LEADS, Recording, page_recording
from shared_preproc.rhythm import find_beats_in_leads
from shared_preproc.spec import TRACES_50_HZ
from synthetic.intervals import KnownHeart, draw_heart, print_recording, record_known_heart

HEARTS = range(24)
SINUS = KnownHeart(rate_bpm=72, pr_ms=160, qrs_ms=96, qt_ms=390, axis_deg=50, st_mv=np.zeros(12))
FIBRILLATING = replace(SINUS, pr_ms=None)


@cache
def known(seed: int) -> tuple[KnownHeart, Recording, NDArray[np.float64]]:
    heart = draw_heart(np.random.default_rng(seed))
    return heart, *record_known_heart(heart, np.random.default_rng(1000 + seed))


def recorded(heart: KnownHeart, seed: int = 0) -> Recording:
    return record_known_heart(heart, np.random.default_rng(seed))[0]


def read_back(recording: Recording, rhythm_lead: Lead = Lead.II) -> Recording | None:
    page = decode_page(print_recording(recording, rhythm_lead), TRACES_50_HZ.layout)
    return page_recording(read_page(page, TRACES_50_HZ).traces, TRACES_50_HZ.layout, TRACES_50_HZ.trace)


def measured_page(recording: Recording) -> Measurements:
    curves = read_back(recording)
    assert curves is not None
    return measure(curves, printed=True)


def errors(found: Iterable[Measurements], name: str) -> NDArray[np.float64]:
    pairs = [(getattr(one, name), getattr(known(seed)[0], name)) for seed, one in zip(HEARTS, found, strict=False)]
    return np.array([value - true for value, true in pairs if value is not None and true is not None])


@pytest.mark.parametrize(("printed", "hearts"), [(False, 24), (True, 8)])
def test_intervals_are_those_that_were_drawn(printed: bool, hearts: int) -> None:
    found = [(measured_page if printed else measure)(known(seed)[1]) for seed in range(hearts)]
    for name, most_ms in (("qrs_ms", 10), ("qt_ms", 20), ("pr_ms", 15)):
        off = np.abs(errors(found, name))
        assert np.median(off) < most_ms / 2
        assert np.mean(off < most_ms) > 0.8
    for seed, one in enumerate(found):
        _, _, peaks_s = known(seed)
        assert one.heart_rate_bpm == pytest.approx(60 * (len(peaks_s) - 1) / np.ptp(peaks_s), abs=1)
    assert np.median(np.abs(errors(found, "axis_deg"))) < 5
    st_mv = np.array([np.array(one.st_mv, float) - known(seed)[0].st_mv for seed, one in enumerate(found)])
    assert np.nanmedian(np.abs(st_mv)) < 0.02


def test_corrected_qt_follows_its_formulas() -> None:
    found = measure(recorded(SINUS))
    assert found.qt_ms is not None
    assert found.heart_rate_bpm is not None
    rr_s = 60 / found.heart_rate_bpm
    assert found.qtc_bazett_ms == pytest.approx(found.qt_ms / np.sqrt(rr_s))
    assert found.qtc_fridericia_ms == pytest.approx(found.qt_ms / np.cbrt(rr_s))


def test_waves_are_marked_around_the_r_peak() -> None:
    found = measure(recorded(SINUS))
    p_onset, qrs_onset, qrs_end, t_end = [ms for ms in found.waves if ms is not None]
    assert p_onset < qrs_onset < 0 < qrs_end < t_end
    assert [beat.measured for beat in found.beats] == [True] * len(found.beats)


def test_fibrillation_has_no_pr_and_no_qtc() -> None:
    found = [measure(recorded(FIBRILLATING, seed)) for seed in range(6)]
    assert [one.pr_ms for one in found] == [None] * 6
    assert [one.regular for one in found] == [False] * 6
    assert [one.qtc_bazett_ms for one in found] == [None] * 6
    assert all(one.qrs_ms for one in found)


def test_noise_is_not_measured() -> None:
    noise_mv = 0.2 * np.random.default_rng(0).standard_normal((12, 5000))
    assert measure(Recording(noise_mv, 500.0)).qrs_ms is None


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_recording_that_shows_nothing_is_not_measured(value: float) -> None:
    assert measure(Recording(np.full((12, 5000), value), 500.0)) == Measurements()


def test_lead_that_is_not_shown_has_no_st_level() -> None:
    recording = recorded(SINUS)
    recording.signal_mv[RECORDED_LEADS.index(Lead.V2)] = np.nan
    found = dict(zip(RECORDED_LEADS, measure(recording).st_mv, strict=True))
    assert found.pop(Lead.V2) is None
    assert None not in found.values()


def test_beat_of_another_shape_is_found_and_left_out() -> None:
    recording = recorded(SINUS)
    wide_s = np.abs(np.arange(5000) / 500 - measure(recording).beats[5].r_s)
    recording.signal_mv[:] = np.where(wide_s < 0.3, -1.5 * np.exp(-((wide_s / 0.06) ** 2)), recording.signal_mv)
    found = measure(recording)
    assert [beat.measured for beat in found.beats].count(False) == 1
    assert not found.beats[5].measured
    assert found.qrs_ms == pytest.approx(96, abs=10)


def test_half_of_the_beats_have_to_be_alike() -> None:
    recording = recorded(SINUS)
    peaks_s = [beat.r_s for beat in measure(recording).beats]
    for place, peak_s in enumerate(peaks_s):
        if place % 3:
            after_s = np.arange(5000) / 500 - peak_s
            recording.signal_mv[:, np.abs(after_s) < 0.2] *= -1 if place % 3 == 1 else 0.1
    assert measure(recording) == Measurements()


@pytest.mark.parametrize("rate_hz", [100, 250, 1000])
def test_sampling_rate_hardly_matters(rate_hz: int) -> None:
    recording = recorded(SINUS)
    at_s = np.arange(0, 10, 1 / rate_hz)
    signal_mv = np.stack([np.interp(at_s, np.arange(5000) / 500, row) for row in recording.signal_mv])
    one, other = measure(recording), measure(Recording(signal_mv, rate_hz))
    assert other.qrs_ms == pytest.approx(one.qrs_ms, abs=8)
    assert other.qt_ms == pytest.approx(one.qt_ms, abs=8)
    assert other.heart_rate_bpm == pytest.approx(one.heart_rate_bpm, abs=0.3)


def test_beats_that_one_lead_hardly_shows_are_found() -> None:
    recording = recorded(replace(SINUS, axis_deg=-30))  # lead II stands at right angles to it
    _, peaks_s = record_known_heart(replace(SINUS, axis_deg=-30), np.random.default_rng(0))
    assert find_beats_in_leads(recording) == pytest.approx(peaks_s, abs=0.04)


@pytest.mark.parametrize("rhythm_lead", [Lead.II, Lead.III])
def test_strip_completes_the_lead_that_it_repeats(rhythm_lead: Lead) -> None:
    recording = recorded(SINUS)
    curves = read_back(recording, rhythm_lead)
    assert curves is not None
    whole = [lead for lead, row in zip(RECORDED_LEADS, curves.signal_mv, strict=True) if not np.isnan(row).any()]
    assert whole == [rhythm_lead]
    assert curves.signal_mv.shape[1] / curves.rate_hz == pytest.approx(10, abs=0.05)


def test_strip_of_another_lead_leaves_the_page_unmeasured() -> None:
    assert read_back(recorded(SINUS), Lead.V1) is None


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.001, 1.0, 1000.0]), st.integers(0, 12))
def test_anything_can_be_measured(seed: int, scale: float, missing: int) -> None:
    rng = np.random.default_rng(seed)
    signal_mv = scale * np.cumsum(rng.standard_normal((12, 1000)), axis=1)
    signal_mv[:missing, rng.integers(1000) :] = np.nan
    found = measure(Recording(signal_mv, 100.0), printed=bool(seed % 2))
    assert found.qrs_ms is None or 50 <= found.qrs_ms <= 220
