"""Rows on the flat page: ruled lines are none, and names tell where rows begin."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from digitize.arrangement import Arrangement
from digitize.curves import Curve
from digitize.errors import UndigitizedPageError
from digitize.extent import FollowedRow, find_timing, without_lone_pulse
from digitize.flat import PX_PER_MM
from digitize.layouts import LAYOUTS
from digitize.pulses import Pulse
from digitize.rows import Row, erase_rules

_PX_PER_S = 25.0 * PX_PER_MM


def test_frame_line_is_erased_and_a_curve_is_kept() -> None:
    ink = np.zeros((200, 1200), np.uint8)
    x = np.arange(1200)
    cv2.polylines(ink, [np.stack([x, 60 + 10 * np.sin(x / 40)], 1).astype(np.int32)], isClosed=False, color=255)
    curve = ink.copy()
    cv2.line(ink, (0, 150), (1199, 150), 255, 2)
    ink[:, ::40] = 0  # where upright lines of the grid were taken out
    curve[:, ::40] = 0
    np.testing.assert_array_equal(erase_rules(ink, arrangement(200.0)), curve)


def test_flat_lead_is_no_rule() -> None:
    ink = np.zeros((200, 1200), np.uint8)
    cv2.line(ink, (180, 150), (1199, 150), 255, 2)
    np.testing.assert_array_equal(erase_rules(ink, arrangement(200.0)), ink)


def followed(start: float, end: float, pulse: Pulse | None = None) -> list[FollowedRow]:
    """Three rows whose ink reaches from one column to another."""
    nothing = np.zeros(2400)
    curve = Curve(0, nothing, nothing, nothing, nothing, nothing, 3.0)
    return [FollowedRow(Row(100.0, leads), curve, pulse, start, end, 100.0) for leads in LAYOUTS[0].rows]


def arrangement(first_x: float, column_mm: float = 62.5) -> Arrangement:
    """Three rows of four, whose names begin at a column and are ``column_mm`` apart."""
    return Arrangement(LAYOUTS[0], first_x, column_mm * PX_PER_MM, 100.0, 200.0, {}, (), 12.0)


@pytest.mark.parametrize(("start", "end"), [(100.0, 2100.0 + 10 * PX_PER_MM), (100.0 - 10 * PX_PER_MM, 2100.0)])
def test_row_with_ink_beside_it_begins_at_its_names(start: float, end: float) -> None:
    timing = find_timing(followed(start, end), arrangement(110.0), _PX_PER_S)
    assert timing[0] == pytest.approx(100.0)
    assert timing[1] == 2.5


@pytest.mark.parametrize("end", [2110.0, 2230.0, 2000.0 + 30 * PX_PER_MM])
def test_row_begins_behind_its_pulse(end: float) -> None:
    """Where the pulse runs into the lead, and ink goes on behind the row."""
    timing = find_timing(followed(np.nan, end, Pulse(60.0, 100.0, 100.0, 20.0)), arrangement(110.0), _PX_PER_S)
    assert timing[0] == pytest.approx(100.0)
    assert timing[1] == 2.5


def test_rows_whose_pulse_was_missed_are_outvoted() -> None:
    rows = followed(100.0, 2100.0)
    rows = [replace(row, start=start) for row, start in zip(rows, (82.0, 100.0, 30.0), strict=True)]
    assert find_timing(rows, arrangement(110.0), _PX_PER_S)[0] == pytest.approx(100.0)


def test_cut_row_behind_a_pulse_and_a_gap_is_refused() -> None:
    """The pulse stands 2.5 mm before the curve, so that row and pulse together are as long as they should be."""
    rows = followed(100.0, 2060.0, Pulse(40.0, 80.0, 100.0, 20.0))
    with pytest.raises(UndigitizedPageError):
        find_timing(rows, arrangement(110.0), _PX_PER_S)


@pytest.mark.parametrize(("width_px", "kept"), [(40.0, True), (20.0, False)])
def test_beat_that_looks_like_a_pulse_is_left_out(width_px: float, kept: bool) -> None:
    rows = followed(100.0, 2100.0)
    rows[0] = replace(rows[0], pulse=Pulse(60.0, 60.0 + width_px, 100.0, 20.0))
    assert (without_lone_pulse(rows)[0].pulse is not None) is kept


def test_rows_that_are_all_a_little_short_give_their_columns() -> None:
    timing = find_timing(followed(100.0, 100.0 + 248 * PX_PER_MM), arrangement(110.0), _PX_PER_S)
    assert timing[:2] == (100.0, 2.5)
    assert timing[2] == pytest.approx(62 * PX_PER_MM)


@pytest.mark.parametrize(
    ("start", "end", "names"),
    [
        (60.0, 2160.0, arrangement(110.0)),  # ink at both ends
        (100.0, 2180.0, arrangement(110.0, column_mm=60.0)),  # columns of another speed or length
        (100.0, 1900.0, arrangement(110.0)),  # cut
        (100.0, 2100.0, arrangement(110.0, column_mm=50.0)),  # five columns on the length of four
    ],
)
def test_row_of_unproven_length_is_refused(start: float, end: float, names: Arrangement) -> None:
    with pytest.raises(UndigitizedPageError) as refused:
        find_timing(followed(start, end), names, _PX_PER_S)
    assert refused.value.missing == "timing"
