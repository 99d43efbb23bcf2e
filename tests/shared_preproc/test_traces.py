"""What was printed is read back: drawn curves, real signals, and what real pages must agree with themselves about."""

import io
import lzma
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy.signal import butter, sosfiltfilt

from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.leads import Lead
from shared_preproc.masks import INK, Mask
from shared_preproc.page import decode_page
from shared_preproc.pipeline import page_masks
from shared_preproc.spec import MASKS_150, TraceSpec
from shared_preproc.traces import Trace, page_traces
from synthetic.geometry import PageGeometry
from synthetic.pages import encode_jpeg
from synthetic.render import SIGNAL_LEADS, Header, Signals, render_page

LAYOUT = EDAN_3X4_R1
SPEC = TraceSpec()
GEOMETRY = PageGeometry(LAYOUT)
HEADER = Header("0", "Male", 60, datetime(2001, 1, 1))  # noqa: DTZ001 - a printed clock has no zone
TIME_S = np.arange(1000) / SPEC.rate_hz


def traces_of(jpeg: bytes, spec: TraceSpec = SPEC) -> dict[Lead, Trace]:
    return page_traces(page_masks(decode_page(jpeg, LAYOUT), MASKS_150), LAYOUT, spec)


def printed(mv: NDArray[np.float64], spec: TraceSpec = SPEC) -> dict[Lead, Trace]:
    return traces_of(encode_jpeg(render_page(Signals(mv, SPEC.rate_hz), HEADER)), spec)


def shown_mv(mv: NDArray[np.float64], lead: Lead) -> NDArray[np.float64]:
    start_s, stop_s = GEOMETRY.span_s(lead)
    source = HEADER.rhythm_lead if lead is Lead.RHYTHM_STRIP else lead
    samples: NDArray[np.float64] = mv[SIGNAL_LEADS.index(source)]
    return samples[round(start_s * SPEC.rate_hz) : round(stop_s * SPEC.rate_hz)]


def beats_mv(height_mv: float, level_mv: float = 0.0, lead_in_s: float = 0.6) -> NDArray[np.float64]:
    """The same beat each second in all leads: R of ``height_mv``, S of a third of it, on ``level_mv``."""
    phase_s = (TIME_S - lead_in_s + 0.5) % 1.0 - 0.5
    beat = height_mv * (np.exp(-((phase_s / 0.018) ** 2)) - np.exp(-(((phase_s - 0.05) / 0.018) ** 2)) / 3)
    return np.tile(level_mv + beat, (12, 1))


def snr_db(true_mv: NDArray[np.float64], trace: Trace) -> float:
    return float(10 * np.log10(np.square(true_mv).sum() / np.square(trace.signal_mv - true_mv).sum()))


@pytest.mark.parametrize("level_mv", [-0.5, 0.0, 0.4, 1.2])
def test_absolute_level_is_kept(level_mv: float) -> None:
    for lead, trace in printed(np.full((12, 1000), level_mv)).items():
        assert trace.signal_mv == pytest.approx(level_mv, abs=0.02), lead  # 1.5 pixels
        assert trace.coverage > 0.98, lead


def test_a_curve_through_its_lead_name_stays_near_the_curve() -> None:
    for lead, trace in printed(np.full((12, 1000), 0.2)).items():
        assert np.abs(trace.signal_mv - 0.2).max() < 0.2, lead
        assert np.median(trace.signal_mv) == pytest.approx(0.2, abs=0.02), lead


@pytest.mark.parametrize("height_mv", [0.5, 1.5, -1.5])
def test_steep_beats_reach_their_extremes(height_mv: float) -> None:
    mv = beats_mv(height_mv)
    for lead, trace in printed(mv).items():
        true_mv = shown_mv(mv, lead)
        for place in (true_mv.argmax(), true_mv.argmin()):
            assert trace.signal_mv[place] == pytest.approx(true_mv[place], rel=0.08, abs=0.02), lead
        assert snr_db(true_mv, trace) > 17, lead


def test_a_beat_that_leaves_its_box_is_followed_into_the_next() -> None:
    mv = beats_mv(2.6)
    mv[[SIGNAL_LEADS.index(lead) for lead in (Lead.V1, Lead.V4)]] = 0.0
    traces = printed(mv)
    for lead in (Lead.V2, Lead.V5):
        assert traces[lead].signal_mv.max() == pytest.approx(shown_mv(mv, lead).max(), rel=0.08)
    for lead in (Lead.V1, Lead.V4):
        assert np.abs(traces[lead].signal_mv).max() < 0.05


def test_leads_of_a_page_column_share_their_instants() -> None:
    traces = printed(beats_mv(1.0))
    strip_mv = traces[Lead.RHYTHM_STRIP].signal_mv
    for column, leads in enumerate(np.reshape(LAYOUT.leads[:12], (3, 4)).T):
        for lead in leads:
            same_mv = strip_mv[250 * column : 250 * (column + 1)]
            assert np.abs(traces[Lead(lead)].signal_mv - same_mv)[3:-3].mean() < 0.02


def test_rate_gives_the_number_of_samples() -> None:
    traces = printed(beats_mv(1.0), replace(SPEC, rate_hz=50.0))
    assert {trace.signal_mv.shape for trace in traces.values()} == {(125,), (500,)}
    for trace in traces.values():
        assert trace.signal_mv.dtype == trace.top_mv.dtype == trace.bottom_mv.dtype == np.float32
        assert (trace.bottom_mv <= trace.signal_mv + 1e-6).all()
        assert (trace.signal_mv <= trace.top_mv + 1e-6).all()


def blank_masks(value: int) -> dict[Lead, Mask]:
    return {lead: np.full((box.height_px, box.width_px), value, np.uint8) for lead, box in LAYOUT.lead_boxes}


def test_a_page_without_ink_is_flat_and_says_so() -> None:
    for trace in page_traces(blank_masks(0), LAYOUT, SPEC).values():
        assert trace.coverage == 0
        assert not trace.signal_mv.any()


def every_other_pixel(mask: Mask) -> Mask:
    rows, columns = np.indices(mask.shape)
    return np.where((rows + columns) % 2 == 0, INK, 0).astype(np.uint8)


def noise(mask: Mask) -> Mask:
    return np.random.default_rng(0).choice(np.array([0, INK], np.uint8), mask.shape)


@pytest.mark.parametrize("spoil", [every_other_pixel, noise, lambda mask: mask | INK])
def test_any_mask_gives_finite_traces(spoil: Callable[[Mask], Mask]) -> None:
    masks = {lead: spoil(mask) for lead, mask in blank_masks(0).items()}
    for trace in page_traces(masks, LAYOUT, SPEC).values():
        assert np.isfinite(trace.signal_mv).all()
        assert 0 <= trace.coverage <= 1


@pytest.mark.parametrize("spoil", [lambda mask: mask[:-20], lambda mask: mask[:, 1:], lambda mask: mask > 0])
def test_masks_that_are_not_their_boxes_are_refused(spoil: Callable[[Mask], Mask]) -> None:
    masks = {lead: spoil(mask) for lead, mask in blank_masks(0).items()}
    with pytest.raises(ValueError, match="expected uint8"):
        page_traces(masks, LAYOUT, SPEC)


def test_numbers_that_no_page_can_be_traced_by_are_refused() -> None:
    with pytest.raises(ValueError, match="stroke_px is 0"):
        replace(SPEC, stroke_px=0)
    with pytest.raises(ValueError, match="flank_px is 2147483647"):
        replace(SPEC, flank_px=2**31 - 1)
    with pytest.raises(ValueError, match="rate_hz is 4294967424"):
        replace(SPEC, rate_hz=2.0**32 + 128)
    with pytest.raises(ValueError, match="width is 4294967297"):
        replace(SPEC, name_width_px=2**32 + 1)
    with pytest.raises(ValueError, match="without room"):
        page_traces(blank_masks(0), LAYOUT, replace(SPEC, name_rows_px=(-300, -200)))
    with pytest.raises(ValueError, match="rows 300 to 600 has no zero line"):
        page_traces(blank_masks(0), LAYOUT, replace(SPEC, zero_rows_px=SPEC.zero_rows_px[1:]))


def test_spec_agrees_with_the_renderer_and_survives_json() -> None:
    assert GEOMETRY.zero_rows_px == pytest.approx(SPEC.zero_rows_px, abs=0.5)
    assert GEOMETRY.left_px == pytest.approx(SPEC.start_px, abs=0.5)
    adapter = TypeAdapter(TraceSpec)
    assert adapter.validate_json(adapter.dump_json(SPEC)) == SPEC


@pytest.fixture(scope="module")
def recordings_mv(shared_dir: Path) -> NDArray[np.float64]:
    """Six PTB-XL recordings in the band the cart prints: (6, 12, 1000), millivolt."""
    packed = (shared_dir / "data" / "ptbxl-100hz.npz.xz").read_bytes()
    signals_uv = np.load(io.BytesIO(lzma.decompress(packed)))["signal_uv"][100:2500:400]
    band = butter(2, (0.67, 25.0), btype="bandpass", fs=SPEC.rate_hz, output="sos")
    filtered: NDArray[np.float64] = sosfiltfilt(band, signals_uv / 1000.0, axis=2)
    return filtered


def test_real_signals_come_back(recordings_mv: NDArray[np.float64]) -> None:
    snrs_db, errors = [], []
    for mv in recordings_mv:
        for lead, trace in printed(mv).items():
            true_mv = shown_mv(mv, lead)
            snrs_db.append(snr_db(true_mv, trace))
            places = [place for place in (true_mv.argmax(), true_mv.argmin()) if abs(true_mv[place]) > 0.2]
            errors += [abs(trace.signal_mv[place] / true_mv[place] - 1) for place in places]
    assert np.median(snrs_db) > 20
    assert np.percentile(snrs_db, 10) > 13
    assert np.median(errors) < 0.05


def test_real_pages_obey_einthoven_and_their_rhythm_strip(golden_pages: list[Path]) -> None:
    """II = I + III at each instant (Einthoven 1912); the strip prints II or III again."""
    residuals_mv, repeats_mv = [], []
    for path in golden_pages:
        traces = {lead: trace.signal_mv for lead, trace in traces_of(path.read_bytes()).items()}
        strip_mv = traces[Lead.RHYTHM_STRIP][:250]
        residuals_mv.append(np.sqrt(np.square(traces[Lead.II] - traces[Lead.I] - traces[Lead.III]).mean()))
        repeats_mv.append(min(np.sqrt(np.square(strip_mv - traces[lead]).mean()) for lead in (Lead.II, Lead.III)))
    assert np.median(residuals_mv) < 0.02
    assert np.median(repeats_mv) < 0.008
