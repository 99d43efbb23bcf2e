"""Calibration pulses on the flat page: two strokes and a flat top, 1 mV high and usually 0.2 s wide."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.flat import PX_PER_MM
from digitize.gridmap import Floats

__all__ = ["Pulse", "find_pulse"]

Ink = NDArray[np.uint8]

_PEN, _FAINT = 80, 50  # ink from here on is the pen's; a stroke as thin as the pen's own may be fainter
_HEIGHTS_MM = (5.0, 10.0, 20.0)
_WIDTHS_MM = (5.0, 10.0)
_OFF = 0.06, 0.15  # of heights and widths of a usual pulse
_WIDTH_MM = (1.5, 11.0)
_TALLEST_MM, _SHORTEST_MM, _FOOT_MM = 22.0, 4.3, 4.0  # top over foot; foot from the row's baseline
_STROKE_PX = 9  # a thicker one is no pen's
_SLANT_PX = 3  # by which a stroke leans
_DRAWN = 0.7  # share of a stroke with ink
_FLAT = 0.8  # share of the top with ink
_FILLED = 0.08  # share of the ink below the top


@dataclass(frozen=True)
class Pulse:
    """A calibration pulse, in flat pixels: its strokes, foot and top."""

    left: float
    right: float
    foot: float
    top: float

    @property
    def height_mm(self) -> float:
        """Height of 1 mV."""
        return (self.foot - self.top) / PX_PER_MM

    @property
    def width_mm(self) -> float:
        """Width, usually 0.2 s."""
        return (self.right - self.left) / PX_PER_MM

    @property
    def usual(self) -> bool:
        """Whether it is as high and wide as pulses usually are."""
        return _off(self.height_mm, _HEIGHTS_MM) < _OFF[0] and _off(self.width_mm, _WIDTHS_MM) < _OFF[1]


def find_pulse(ink: Ink, baseline: float, left: int, right: int) -> Pulse | None:
    """Find a calibration pulse that stands on a row between two columns."""
    first, end = max(0, int(baseline - 24 * PX_PER_MM)), min(ink.shape[0], int(baseline + 5 * PX_PER_MM))
    left, right = max(0, left), min(ink.shape[1], right)
    if right - left < 2 * PX_PER_MM or end - first < 6 * PX_PER_MM:
        return None
    part = np.ascontiguousarray(ink[first:end, left:right])
    pulses = [
        Pulse(left + x1, left + x2, first + foot, first + measured_top)
        for x1, x2, top, ends in _outlines(part, round(baseline) - first)
        for foot, measured_top in _measure(part, x1, x2, top, ends)
    ]
    near = [pulse for pulse in pulses if abs(pulse.foot - baseline) <= _FOOT_MM * PX_PER_MM]
    return min(
        near, key=lambda pulse: _off(pulse.height_mm, _HEIGHTS_MM) + _off(pulse.width_mm, _WIDTHS_MM), default=None
    )


def _off(value_mm: float, usual_mm: tuple[float, ...]) -> float:
    """By how much a pulse is off the nearest usual one."""
    return min(abs(value_mm / each - 1) for each in usual_mm)


def _outlines(part: Ink, level: int) -> list[tuple[float, float, int, list[int]]]:
    """Left and right stroke, top and ends of strokes of what looks like a pulse whose foot is near row ``level``."""
    closed = cv2.morphologyEx((part > _FAINT).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 1), np.uint8))
    beside = cv2.dilate(closed, np.ones((1, 2 * _SLANT_PX + 1), np.uint8))
    pen = (part > _PEN).astype(np.uint8)
    thick = cv2.dilate(pen, np.ones((5, 1), np.uint8))
    strokes = _strokes(np.asarray(closed, np.uint8))
    tops = slice(max(0, level - int(_TALLEST_MM * PX_PER_MM)), max(0, level - int(_SHORTEST_MM * PX_PER_MM)))
    found = []
    for index, (x1, end1) in enumerate(strokes):
        for x2, end2 in strokes[index + 1 :]:
            if not _WIDTH_MM[0] <= (x2 - x1) / PX_PER_MM <= _WIDTH_MM[1]:
                continue
            inner = slice(int(x1) + 3, int(x2) - 2)
            flat = thick[tops, inner].mean(axis=1) >= _FLAT
            for top in (np.flatnonzero(flat) + tops.start + 2).tolist():
                drawn = min(beside[top : level - 5, round(x)].mean() for x in (x1, x2))
                if drawn >= _DRAWN and pen[top + 9 : level - 6, inner].mean() <= _FILLED:
                    ends = [end for end in (end1, end2) if abs(end - level) <= _FOOT_MM * PX_PER_MM]
                    found.append((x1, x2, top, ends or [level]))
                    break
    return found


def _strokes(mask: Ink) -> list[tuple[float, int]]:
    """Upright strokes: column and last row."""
    run = np.zeros(mask.shape[1], np.int32)
    longest, ends = np.zeros_like(run), np.zeros_like(run)
    for row, inked in enumerate(mask):
        run = (run + 1) * inked
        better = run > longest
        longest[better], ends[better] = run[better], row
    tall = longest >= _SHORTEST_MM * PX_PER_MM
    edges = np.flatnonzero(np.diff(np.concatenate([[0], tall.astype(np.int8), [0]])))
    return [
        ((start + stop - 1) / 2, int(ends[start + int(longest[start:stop].argmax())]))
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        if stop - start <= _STROKE_PX
    ]


def _measure(part: Ink, x1: float, x2: float, top: int, ends: list[int]) -> list[tuple[float, float]]:
    """Foot and top to parts of a row, from the ink between and beside the strokes; none without ink at the top.

    A grid line may go on from a stroke: the foot is where there is ink beside it.
    """
    inner = part[max(0, top - 5) : top + 9, int(x1) + 4 : int(x2) - 3].astype(np.float64)
    if not inner.any():
        return []
    feet = []
    for end in ends:
        for start, stop in ((int(x1) - 9, int(x1) - 2), (int(x2) + 3, int(x2) + 10)):
            at = max(0, end - 9)
            beside = part[at : end + 8, max(0, start) : stop].astype(np.float64)
            if start >= 0 and stop <= part.shape[1] and (beside.max(axis=0) > _PEN).mean() > 0.5:  # noqa: PLR2004
                feet.append(at + _middle(beside))
    return [(max(feet, default=max(ends) - 1.0), max(0, top - 5) + _middle(inner))]


def _middle(ink: Floats) -> float:
    """Row of the middle of the ink."""
    down = ink.sum(axis=1)
    return float((down * np.arange(len(down))).sum() / down.sum())
