"""A recording straight to the tensor is what its printed page gives."""

from datetime import datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from shared_preproc.leads import LEADS, Lead
from shared_preproc.page import decode_page
from shared_preproc.pipeline import read_page
from shared_preproc.recording import RECORDED_LEADS, Recording, recording_tensor, resample_time
from shared_preproc.rhythm import find_beats, heart_rate_bpm
from shared_preproc.spec import MASKS_150, TRACES_50_HZ
from shared_preproc.traces import Trace
from synthetic.heartbeat import SAMPLING_RATE_HZ
from synthetic.pages import encode_jpeg, synth_signals
from synthetic.render import Header, render_page

SPEC = TRACES_50_HZ
RATE_HZ = SPEC.trace.rate_hz
SAMPLES = {lead: SPEC.trace.samples(box, SPEC.layout) for lead, box in SPEC.layout.lead_boxes}
PEN_MV = 0.03  # two pixels and a half


def of_lead(tensor: NDArray[np.float32], lead: Lead) -> NDArray[np.float32]:
    """One lead's samples (samples, 3) of a tensor."""
    leads = list(SAMPLES)
    start = sum(SAMPLES[before] for before in leads[: leads.index(lead)])
    return tensor[start : start + SAMPLES[lead]]


def rate_of_strip(tensor: NDArray[np.float32]) -> float:
    strip = of_lead(tensor, Lead.RHYTHM_STRIP)
    strip = strip[np.isfinite(strip).all(axis=1)]
    trace = Trace(strip[:, 0], strip[:, 1], strip[:, 2], coverage=1.0)
    return heart_rate_bpm(find_beats(trace, RATE_HZ), RATE_HZ) or np.nan


@pytest.fixture(scope="module")
def heart() -> Recording:
    return Recording(synth_signals("normal", 3).mv, SAMPLING_RATE_HZ)


@pytest.fixture(scope="module")
def tensor(heart: Recording) -> NDArray[np.float32]:
    return recording_tensor(heart, SPEC)


@pytest.mark.parametrize("class_name", ["normal", "abnormal_heartbeat", "myocardial_infarction"])
@pytest.mark.parametrize("rhythm_lead", [Lead.II, Lead.III])
def test_tensor_agrees_with_a_printed_and_read_page(class_name: str, rhythm_lead: Lead) -> None:
    signals = synth_signals(class_name, 5)
    header = Header("SYN-000001", "Male", 60, datetime(2001, 2, 3, 4, 5, 6), rhythm_lead)  # noqa: DTZ001 - a printed clock
    page = decode_page(encode_jpeg(render_page(signals, header)), SPEC.layout)
    read = read_page(page, SPEC).tensor(SPEC).astype(np.float32)
    straight = recording_tensor(Recording(signals.mv, signals.sampling_rate_hz), SPEC, rhythm_lead)
    assert np.isfinite(straight).all()
    for lead in SAMPLES:
        differences_mv = of_lead(read, lead)[:, 0] - of_lead(straight, lead)[:, 0]
        assert np.sqrt((differences_mv**2).mean()) <= PEN_MV, lead


def test_columns_show_their_own_seconds(heart: Recording) -> None:
    clock_s = np.arange(heart.signal_mv.shape[1]) / heart.rate_hz
    ramp = recording_tensor(Recording(np.tile(clock_s, (12, 1)), heart.rate_hz), SPEC)
    for lead, start_s in ((Lead.I, 0.0), (Lead.AVR, 2.5), (Lead.V1, 5.0), (Lead.V4, 7.5), (Lead.RHYTHM_STRIP, 0.0)):
        shown_s = of_lead(ramp, lead)[:, 0]
        np.testing.assert_allclose(shown_s, start_s + np.arange(SAMPLES[lead]) / RATE_HZ, atol=1e-5)


def test_top_and_bottom_enclose_the_signal(tensor: NDArray[np.float32]) -> None:
    assert (tensor[:, 1] >= tensor[:, 0]).all()
    assert (tensor[:, 2] <= tensor[:, 0]).all()
    assert (tensor[:, 1] > tensor[:, 2]).mean() > 0.9


def test_lead_that_was_not_recorded_is_nan(heart: Recording) -> None:
    signal_mv = heart.signal_mv.copy()
    signal_mv[RECORDED_LEADS.index(Lead.V2)] = np.nan
    tensor = recording_tensor(Recording(signal_mv, heart.rate_hz), SPEC)
    for lead in SAMPLES:
        assert np.isnan(of_lead(tensor, lead)).all() == (lead is Lead.V2)
        assert np.isnan(of_lead(tensor, lead)).any() == (lead is Lead.V2)


def test_no_rhythm_lead_leaves_the_strip_out(heart: Recording, tensor: NDArray[np.float32]) -> None:
    without = recording_tensor(heart, SPEC, rhythm_lead=None)
    assert np.isnan(of_lead(without, Lead.RHYTHM_STRIP)).all()
    np.testing.assert_array_equal(without[:-500], tensor[:-500])


def test_short_recording_ends_in_nan(heart: Recording) -> None:
    short = recording_tensor(Recording(heart.signal_mv[:, :3000], heart.rate_hz), SPEC)
    assert np.isfinite(of_lead(short, Lead.AVR)).all()
    for lead, seconds in ((Lead.V1, 1.0), (Lead.V4, 0.0), (Lead.RHYTHM_STRIP, 6.0)):
        recorded = np.isfinite(of_lead(short, lead)[:, 0])
        np.testing.assert_array_equal(recorded, np.arange(SAMPLES[lead]) / RATE_HZ < seconds)


def test_rate_of_the_samples_does_not_matter(heart: Recording, tensor: NDArray[np.float32]) -> None:
    coarse = recording_tensor(Recording(heart.signal_mv[:, ::5], heart.rate_hz / 5), SPEC)
    assert np.sqrt(np.nanmean((coarse - tensor) ** 2)) <= PEN_MV


@pytest.mark.parametrize(("tone_hz", "gain"), [(0.1, 0.0), (0.67, 0.5), (5.0, 1.0), (25.0, 0.5), (100.0, 0.0)])
def test_band_pass_keeps_tones_within_its_band(tone_hz: float, gain: float) -> None:
    clock_s = np.arange(20_000) / SAMPLING_RATE_HZ
    tone = np.tile(np.sin(2 * np.pi * tone_hz * clock_s), (12, 1))
    filtered = Recording(tone, SAMPLING_RATE_HZ).band_passed(0.67, 25.0).signal_mv
    middle = slice(5_000, 15_000)
    np.testing.assert_allclose(filtered[:, middle], gain * tone[:, middle], atol=0.02)


def test_band_pass_does_not_ring_at_the_ends(heart: Recording) -> None:
    ramp_mv = heart.signal_mv + np.linspace(-1, 1, heart.signal_mv.shape[1])
    filtered = Recording(ramp_mv, heart.rate_hz).band_passed(0.67, 25.0).signal_mv
    assert np.abs(filtered - heart.signal_mv).max() < 0.25


def test_band_pass_keeps_gaps(heart: Recording) -> None:
    signal_mv = heart.signal_mv.copy()
    signal_mv[4, 1000:1500] = np.nan
    filtered = Recording(signal_mv, heart.rate_hz).band_passed(0.5, 40.0).signal_mv
    np.testing.assert_array_equal(np.isnan(filtered), np.isnan(signal_mv))


def test_recording_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(8, 100\); expected \(12, samples\)"):
        Recording(np.zeros((8, 100)), 100.0)
    with pytest.raises(ValueError, match="rate_hz is 0"):
        Recording(np.zeros((12, 100)), 0.0)


def test_recording_has_no_lead_images(heart: Recording) -> None:
    with pytest.raises(TypeError, match="this model takes masks"):
        recording_tensor(heart, MASKS_150)


def test_resampling_by_one_changes_nothing(tensor: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(resample_time(tensor, SPEC, 1.0), tensor, atol=1e-6)


@pytest.mark.parametrize("factor", [0.7, 0.85, 1.2, 1.5])
def test_resampling_changes_the_rate_as_asked(tensor: NDArray[np.float32], factor: float) -> None:
    assert rate_of_strip(resample_time(tensor, SPEC, factor)) == pytest.approx(factor * rate_of_strip(tensor), rel=0.03)


def test_faster_copy_ends_in_nan(tensor: NDArray[np.float32]) -> None:
    faster = resample_time(tensor, SPEC, 2.0)
    for lead, samples in SAMPLES.items():
        recorded = np.isfinite(of_lead(faster, lead)).all(axis=1)
        np.testing.assert_array_equal(recorded, np.arange(samples) * 2 <= samples - 1)


def test_slower_copy_is_whole(tensor: NDArray[np.float32]) -> None:
    assert np.isfinite(resample_time(tensor, SPEC, 0.6)).all()


def test_rows_are_all_leads_but_the_strip() -> None:
    assert len(RECORDED_LEADS) == 12
    assert [lead for lead in LEADS if lead not in RECORDED_LEADS] == [Lead.RHYTHM_STRIP]


def test_short_recording_ends_with_its_extremes() -> None:
    rising = np.tile(np.linspace(0.0, 1.0, 200), (12, 1))
    tensor = recording_tensor(Recording(rising, 100.0), TRACES_50_HZ)
    strip = tensor[-500:]
    there = np.isfinite(strip)
    assert (there == there[:, :1]).all()
    last = strip[there[:, 0]][-1]
    assert last[2] < last[0] <= last[1]
