"""What is printed stands where `PageGeometry` says, within a pixel."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.leads import Lead
from shared_preproc.page import decode_page
from synthetic.geometry import PageGeometry
from synthetic.render import SIGNAL_LEADS, Header, Signals, render_page

RATE_HZ = 500.0
SAMPLES = 5000
GEOMETRY = PageGeometry(EDAN_3X4_R1)
HEADER = Header("SYN-000123", "Male", 60, datetime(2001, 2, 3, 4, 5, 6), Lead.III)  # noqa: DTZ001 - a printed clock

Ink = NDArray[np.bool_]


def ink(signals_mv: NDArray[np.float64], header: Header = HEADER) -> Ink:
    """Where the page is black, (height, width); the grid and the frame are not."""
    return np.asarray(render_page(Signals(signals_mv, RATE_HZ), header).max(axis=2) == 0)


def levels_mv() -> NDArray[np.float64]:
    """Each lead at a voltage of its own, 0.4 to 1.5 mV: clear of names and of other rows."""
    return np.linspace(0.4, 1.5, len(SIGNAL_LEADS))[:, None] * np.ones(SAMPLES)


def stroke(column: Ink) -> tuple[float, int]:
    """Centre and thickness of the one stroke in a column of ink."""
    rows = np.flatnonzero(column)
    assert len(rows)
    assert rows[-1] - rows[0] + 1 == len(rows), "more than one stroke"
    return float(rows.mean()), len(rows)


@pytest.mark.parametrize("lead", EDAN_3X4_R1.leads)
def test_a_level_is_printed_at_its_row(lead: Lead) -> None:
    signals_mv = levels_mv()
    box = dict(EDAN_3X4_R1.lead_boxes)[lead]
    source = HEADER.rhythm_lead if lead is Lead.RHYTHM_STRIP else lead
    expected_px = GEOMETRY.y_px(lead, signals_mv[SIGNAL_LEADS.index(source), 0])
    page_ink = ink(signals_mv)
    for column in (box.left + 80, (box.left + box.right) // 2, box.right - 40):
        centre_px, thickness_px = stroke(page_ink[box.top : box.bottom, column])
        assert abs(box.top + centre_px - expected_px) <= 1
        assert thickness_px == 3


@pytest.mark.parametrize("lead", EDAN_3X4_R1.leads)
def test_a_step_is_printed_at_its_moment(lead: Lead) -> None:
    start_s, stop_s = GEOMETRY.span_s(lead)
    step_s = start_s + 0.6 * (stop_s - start_s)
    signals_mv = np.where(np.arange(SAMPLES) / RATE_HZ < step_s, 0.5, 1.0) * np.ones((len(SIGNAL_LEADS), 1))
    half_way = round(GEOMETRY.y_px(lead, 0.75))
    near_px = slice(round(GEOMETRY.x_px(step_s)) - 50, round(GEOMETRY.x_px(step_s)) + 50)
    columns = near_px.start + np.flatnonzero(ink(signals_mv)[half_way, near_px])
    assert 3 <= len(columns) <= 4
    assert abs(columns.mean() - GEOMETRY.x_px(step_s)) <= 1


def test_columns_show_the_seconds_one_after_another() -> None:
    ramp_mv = np.linspace(0.4, 1.4, SAMPLES) * np.ones((len(SIGNAL_LEADS), 1))
    page_ink = ink(ramp_mv)
    for time_s in (1.0, 3.5, 6.0, 8.5):
        column = page_ink[300:600, round(GEOMETRY.x_px(time_s))]
        assert abs(300 + stroke(column)[0] - GEOMETRY.y_px(Lead.I, 0.4 + time_s / 10)) <= 1


def test_strip_shows_ten_seconds_of_the_headers_lead() -> None:
    signals_mv = levels_mv()
    for lead in (Lead.II, Lead.III):
        page_ink = ink(signals_mv, Header("SYN-000001", "Male", 60, HEADER.recorded_at, lead))
        expected_px = round(GEOMETRY.y_px(Lead.RHYTHM_STRIP, signals_mv[SIGNAL_LEADS.index(lead), 0]))
        columns = np.flatnonzero(page_ink[expected_px])
        columns = columns[columns > 140]
        assert abs(columns[0] - GEOMETRY.x_px(0)) <= 1.5
        assert abs(columns[-1] - GEOMETRY.x_px(10)) <= 1.5
        assert len(columns) == columns[-1] - columns[0] + 1


@pytest.mark.parametrize("zero_px", GEOMETRY.zero_rows_px)
def test_each_row_starts_with_a_pulse_of_one_millivolt(zero_px: float) -> None:
    left_of_traces = ink(levels_mv())[int(zero_px) - 150 : int(zero_px) + 100, 80:140]
    rows = np.flatnonzero(left_of_traces.any(axis=1)) + int(zero_px) - 150
    assert abs(rows[-1] - 1 - zero_px) <= 1
    assert abs((rows[-1] - rows[0] - 2) / EDAN_3X4_R1.px_per_mm - 10) <= 0.13


def test_real_pages_have_these_zero_lines_and_separators(golden_pages: list[Path]) -> None:
    for path in golden_pages:
        dark = decode_page(path.read_bytes(), EDAN_3X4_R1).gray < 64
        for zero_px in GEOMETRY.zero_rows_px:
            for columns, expected_px in ((slice(98, 103), zero_px), (slice(108, 118), zero_px - GEOMETRY.px_per_mv)):
                near = slice(round(expected_px) - 10, round(expected_px) + 10)
                rows = near.start + np.flatnonzero(dark[near, columns].all(axis=1))
                assert abs(rows.mean() - expected_px) <= 1
        for x_px in GEOMETRY.separators_px:
            near = slice(round(x_px) - 10, round(x_px) + 10)
            assert abs(near.start + np.flatnonzero(dark[690:720, near].all(axis=0)).mean() - x_px) <= 1


def test_separators_stand_between_the_columns() -> None:
    page_ink = ink(levels_mv())
    for x_px, (left, right) in zip(GEOMETRY.separators_px, ((643, 646), (1135, 1140), (1625, 1630)), strict=True):
        columns = np.flatnonzero(page_ink[650:680, round(x_px) - 20 : round(x_px) + 20].all(axis=0)) + round(x_px) - 20
        assert len(columns) == 3
        assert left - 1 <= columns.mean() <= right


def test_every_lead_is_named_beside_its_start() -> None:
    unlike = set()
    page_ink = ink(levels_mv() + 1.0)  # well above the names
    for lead in SIGNAL_LEADS:
        x_px, zero_px = round(GEOMETRY.x_px(GEOMETRY.span_s(lead)[0])), round(GEOMETRY.zero_px(lead))
        name = page_ink[zero_px - 30 : zero_px - 5, x_px + 3 : x_px + 60]
        assert 20 < name.sum() < 400
        unlike.add(name.tobytes())
    assert len(unlike) == len(SIGNAL_LEADS)


def test_the_header_is_printed_above_the_grid_and_only_there() -> None:
    first, second = ink(levels_mv()), ink(levels_mv(), Header("SYN-000124", "Female", 61, HEADER.recorded_at, Lead.III))
    rows = np.flatnonzero((first != second).any(axis=1))
    assert ((rows < 280) | (rows > 1520)).all()
    assert (rows < 280).any()
    assert (rows > 1520).any()


def test_a_page_is_a_page_of_its_layout() -> None:
    page = render_page(Signals(levels_mv(), RATE_HZ), HEADER)
    assert page.shape == (EDAN_3X4_R1.height_px, EDAN_3X4_R1.width_px, 3)
    assert page.dtype == np.uint8


def test_printed_voltage_is_independent_of_sampling_rate() -> None:
    def wave(rate_hz: float) -> Signals:
        time_s = np.arange(int(10 * rate_hz) + 1) / rate_hz
        return Signals(np.sin(2 * np.pi * time_s) * np.ones((len(SIGNAL_LEADS), 1)), rate_hz)

    coarse, fine = (render_page(wave(rate_hz), HEADER).max(axis=2) == 0 for rate_hz in (100.0, 1000.0))
    middle = slice(660, 1120)
    rows = np.arange(EDAN_3X4_R1.height_px)[300:600, None]
    centres = [
        (rows * page[300:600, middle]).sum(axis=0) / page[300:600, middle].sum(axis=0) for page in (coarse, fine)
    ]
    assert np.abs(centres[0] - centres[1])[80:].max() <= 1.5
