"""What a vector page draws: calibration pulses, curves with a point for every sample, and their scale.

Lengths are PDF points, x to the right and y up.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Drawing", "NotProvenError", "Pulse", "Scale", "sampled_lines", "scale_of", "upright"]

_MOST_LINES = 3000  # letters drawn as lines; a pulse is looked for in each
_PULSE_S, _PULSE_MV = 0.2, 1.0
_JITTER = 1e-3  # points by which rounding may move a pulse's side
_PULSE_TOLERANCE = 0.03  # of a pulse's height and width
_RATIOS = (0.1, 0.2, 0.4, 0.8)  # (mm/mV) / (mm/s): 5/50, 5/25 or 10/50, 10/25, 20/25
_SCALE_TOLERANCE = 0.005
_RATES_HZ = (100, 120, 125, 128, 200, 240, 250, 256, 300, 360, 400, 480, 500, 512, 600, 800, 960, 1000, 1024, 2000)
_FEWEST_SAMPLES = 100
_STEP_TOLERANCE = 0.002
_UNEVEN = 0.25  # of a step: how far a sample may be drawn from its place

Floats = NDArray[np.float64]


class NotProvenError(Exception):
    """The curves cannot be read with proof; the message says what is missing."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """What a page draws: polylines float64 (points, 2), and texts with the place of their lower left corner."""

    polylines: tuple[Floats, ...]
    texts: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, eq=False)
class Pulse:
    """A calibration pulse: the level of its foot, and its height."""

    foot: float
    height: float
    widths: tuple[float, float]
    """Of the top, and between the feet."""


@dataclass(frozen=True)
class Scale:
    """Points a millivolt, samples a second, and points from one sample to the next."""

    points_per_mv: float
    rate_hz: float
    step: float

    @property
    def points_per_s(self) -> float:
        """How far a second reaches."""
        return self.rate_hz * self.step


def upright(drawing: Drawing) -> tuple[Drawing, list[Pulse]]:
    """Turn by quarters until calibration pulses stand upright.

    Raises:
        NotProvenError: there are none, or more lines than a report has.
    """
    if len(drawing.polylines) > _MOST_LINES:
        raise NotProvenError(f"more than {_MOST_LINES} lines are drawn")
    if not all(np.isfinite(line).all() for line in drawing.polylines):
        raise NotProvenError("points lie outside of any page")
    for _ in range(4):
        pulses = [pulse for line in drawing.polylines if (pulse := _pulse(line)) is not None]
        if pulses:
            return drawing, pulses
        drawing = Drawing(
            tuple(np.stack([line[:, 1], -line[:, 0]], axis=1) for line in drawing.polylines),
            tuple((text, y, -x) for text, x, y in drawing.texts),
        )
    raise NotProvenError("no calibration pulse is drawn as a line of its own")


def _pulse(line: Floats) -> Pulse | None:
    """A line that goes to the right, up from its foot to a level top, and down again."""
    x, y = line.T
    foot, top = y.min(), y.max()
    if len(line) >= _FEWEST_SAMPLES or top <= foot or (np.diff(x) < -_JITTER).any():
        return None
    high, low = y > top - _PULSE_TOLERANCE * (top - foot), y < foot + _PULSE_TOLERANCE * (top - foot)
    edges = np.flatnonzero(np.diff(high.astype(int)))
    if not (high | low).all() or len(edges) != 2 or high[0]:  # noqa: PLR2004 - one way up, one down
        return None
    rise, fall = edges
    return Pulse(float(foot), float(top - foot), (float(x[fall] - x[rise + 1]), float(x[fall + 1] - x[rise])))


def sampled_lines(polylines: Sequence[Floats]) -> tuple[list[Floats], float]:
    """Choose the lines with one point for every sample, to the right in even steps; and give the step.

    Raises:
        NotProvenError: there are none, or their steps differ.
    """
    found, steps = [], []
    for line in polylines:
        if len(line) < _FEWEST_SAMPLES:
            continue
        x = line[:, 0]
        step = (x[-1] - x[0]) / (len(x) - 1)
        if step > 0 and np.abs(x - x[0] - step * np.arange(len(x))).max() < _UNEVEN * step:
            found.append(line)
            steps.append(step)
    if not found:
        raise NotProvenError("no line has a point for every sample in even steps")
    if np.ptp(steps) > _STEP_TOLERANCE * max(steps):
        raise NotProvenError("the curves have different steps between their points")
    return found, float(np.median(steps))


def scale_of(pulses: Sequence[Pulse], step: float, texts: Sequence[tuple[str, float, float]]) -> Scale:
    """Measure the scale on calibration pulses of 1 mV and 0.2 s, for curves with ``step`` points between samples.

    A pulse that is sampled like the curves has slanted sides: its width lies between that of its top and that of its
    feet. The sampling rate and the ratio of gain to speed take few values, and settle it.

    Raises:
        NotProvenError: pulses, step and printed scale do not agree.
    """
    heights = np.array([pulse.height for pulse in pulses])
    if np.ptp(heights) > _SCALE_TOLERANCE * heights.max():
        raise NotProvenError("the calibration pulses have different heights")
    height = float(np.median(heights)) / _PULSE_MV
    top, foot = (width / _PULSE_S for width in pulses[0].widths)
    fitting = [
        rate
        for rate in _RATES_HZ
        if top * (1 - _PULSE_TOLERANCE) <= rate * step <= foot * (1 + _PULSE_TOLERANCE)
        and any(abs(height / (rate * step) / ratio - 1) < _SCALE_TOLERANCE for ratio in _RATIOS)
    ]
    if len(fitting) != 1:
        raise NotProvenError("no sampling rate fits the calibration pulse")
    scale = Scale(height, float(fitting[0]), step)
    _check_printed_scale(texts, scale.points_per_mv / scale.points_per_s)
    return scale


def _check_printed_scale(texts: Sequence[tuple[str, float, float]], ratio: float) -> None:
    printed = " ".join(text for text, _, _ in texts)
    gains = re.findall(r"([\d.,/]+)\s*mm\s*/\s*mV", printed, re.IGNORECASE)
    speeds = re.findall(r"([\d.,]+)\s*mm\s*/\s*s", printed, re.IGNORECASE)
    try:
        gain, speed = ({float(text.strip(".,").replace(",", ".")) for text in some} for some in (gains, speeds))
    except ValueError:  # "10/5 mm/mV": chest leads at half the gain
        raise NotProvenError("the page prints more than one gain") from None
    if len(gain) > 1 or len(speed) > 1:
        raise NotProvenError("the page prints more than one gain or speed")
    for one, other in zip(gain, speed, strict=False):
        if abs(one - other * ratio) > _PULSE_TOLERANCE * one:
            raise NotProvenError("the printed scale is not that of the calibration pulse")
