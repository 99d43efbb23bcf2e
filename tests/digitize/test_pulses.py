"""Calibration pulses on drawn ink, in the state in which pages have them."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from digitize.flat import PX_PER_MM
from digitize.pulses import Pulse, find_pulse

_BASELINE, _LEFT, _RIGHT, _TOP = 260, 60, 100, 180
Ink = NDArray[np.uint8]


def row_with_pulse(lean_px: int = 0) -> Ink:
    """A pulse of 10 mm and 5 mm on a row that goes on to its right."""
    ink = np.zeros((400, 400), np.uint8)
    corners = [(_LEFT, _BASELINE), (_LEFT + lean_px, _TOP), (_RIGHT, _TOP), (_RIGHT + lean_px, _BASELINE)]
    points = np.array([(_LEFT - 10, _BASELINE), *corners, (390, _BASELINE)], np.int32)
    cv2.polylines(ink, [points], isClosed=False, color=255, thickness=3)
    return ink


def found(ink: Ink, left: int = 0) -> Pulse | None:
    """The pulse between column `left` and 300."""
    return find_pulse(ink, float(_BASELINE), left, 300)


def with_grid_line(ink: Ink) -> Ink:
    """An upright line of the grid goes on from a stroke at both ends, a level one from the top."""
    cv2.line(ink, (_RIGHT, _TOP - 70), (_RIGHT, _BASELINE + 30), 255, 2)
    cv2.line(ink, (20, _TOP), (300, _TOP), 255, 1)
    return ink


def with_frame(ink: Ink) -> Ink:
    """A frame stands beside the left stroke."""
    cv2.line(ink, (_LEFT - 2, 0), (_LEFT - 2, 399), 255, 2)
    return ink


def faded(ink: Ink) -> Ink:
    """Thin strokes are paler than the pen, and the foot of one is lost."""
    ink[_TOP + 4 : _BASELINE - 3] = np.minimum(ink[_TOP + 4 : _BASELINE - 3], 60)
    ink[_BASELINE - 16 : _BASELINE - 3, : _LEFT + 10] = 0
    return ink


@pytest.mark.parametrize("spoiled", [np.copy, with_grid_line, with_frame, faded])
def test_pulse_is_measured(spoiled: Callable[[Ink], Ink]) -> None:
    pulse = found(spoiled(row_with_pulse()))
    assert pulse is not None
    assert pulse.height_mm == pytest.approx(10.0, rel=0.05)
    assert pulse.width_mm == pytest.approx(5.0, rel=0.1)
    assert pulse.usual


def test_leaning_pulse_is_measured() -> None:
    pulse = found(row_with_pulse(lean_px=4))
    assert pulse is not None
    assert pulse.height_mm == pytest.approx(10.0, rel=0.03)


def test_beats_are_no_pulse() -> None:
    ink = np.zeros((400, 400), np.uint8)
    x = np.arange(380)
    curve = _BASELINE - 80 * np.exp(-(((x - 80) / 3.0) ** 2)) - 40 * np.exp(-(((x - 130) / 14.0) ** 2))
    cv2.polylines(ink, [np.stack([x, curve], 1).astype(np.int32)], isClosed=False, color=255, thickness=3)
    assert found(ink) is None


def test_half_a_pulse_is_none() -> None:
    ink = row_with_pulse()
    ink[:, : _LEFT + 10] = 0
    assert found(ink) is None


@pytest.mark.parametrize(("width_mm", "height_mm", "usual"), [(5.0, 20.0, True), (2.5, 9.3, False), (5.0, 8.0, False)])
def test_usual_pulses(width_mm: float, height_mm: float, usual: bool) -> None:
    pulse = Pulse(0.0, width_mm * PX_PER_MM, height_mm * PX_PER_MM, 0.0)
    assert pulse.usual is usual
