"""What a page gives: leads in millivolt with NaN where nothing is printed, and how each fact is known."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared_preproc.leads import Lead
from shared_preproc.recording import RECORDED_LEADS, Recording

__all__ = ["Checks", "Digitized", "LeadFacts", "Scale", "Source", "Strip"]

Source = Literal["printed", "pulse", "printed and pulse", "stated"]
Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Scale:
    """Millimetres to seconds and millivolt, and pixels to millimetres.

    Attributes:
        speed_mm_s, gain_mm_mv: of the paper and of the pen.
        speed_source, gain_source: how they are known.
        pulse_mm: height of the calibration pulse, if any.
        pitch_px: pixels of the picture in 5 mm, across and down.
        residual_mm: RMS distance of the grid's lines from the map.
        tilt_deg: of the page in the picture, clockwise positive.
    """

    speed_mm_s: float
    speed_source: Source
    gain_mm_mv: float
    gain_source: Source
    pulse_mm: float | None
    pitch_px: tuple[float, float]
    residual_mm: float
    tilt_deg: float


@dataclass(frozen=True)
class LeadFacts:
    """One lead's place.

    Attributes:
        name: as in ``RECORDED_LEADS``.
        known: whether its own name was read, or follows from those around it.
        start_s, end_s: what the page shows of it.
        coverage: share of that in which the curve was found, 0 to 1.
        crossed: whether beats of it run through other curves, where they are left out.
    """

    name: str
    known: Literal["read", "by position"]
    start_s: float
    end_s: float
    coverage: float
    crossed: bool


@dataclass(frozen=True, eq=False)
class Strip:
    """A rhythm strip over the whole page, sampled as the leads: float32 (samples,)."""

    name: str
    signal_mv: Floats32
    top_mv: Floats32
    bottom_mv: Floats32
    page_x: Floats32
    page_y: Floats32
    coverage: float


@dataclass(frozen=True)
class Checks:
    """Measured before the answer; ``None`` where the page has not what it takes.

    Attributes:
        einthoven, goldberger: RMS by which II = I + III and aVR + aVL + aVF = 0 are missed, over the terms' RMS.
        strip: the same of the rhythm strip and its lead.
        clock: how well beats of the columns fall on the strip's, -1 to 1.
    """

    einthoven: float | None
    goldberger: float | None
    strip: float | None
    clock: float | None


@dataclass(frozen=True, eq=False)
class Digitized:
    """A digitized page.

    Attributes:
        signal_mv, top_mv, bottom_mv: float32 (12, samples), rows as ``RECORDED_LEADS``, upward positive from the row's
            zero line; the curve and the edges of its band; NaN where nothing is printed or readable.
        page_x, page_y: float32 (12, samples), pixel of the picture of each sample.
        rate_hz: samples a second; the clock starts where the first column starts.
        layout: name of the layout; runner_up: the second best and its share of the best one's score.
        doubts: sentences about what was not proven, for people.
    """

    signal_mv: Floats32
    top_mv: Floats32
    bottom_mv: Floats32
    page_x: Floats32
    page_y: Floats32
    rate_hz: float
    leads: tuple[LeadFacts, ...]
    strips: tuple[Strip, ...]
    layout: str
    runner_up: tuple[str, float]
    scale: Scale
    checks: Checks
    doubts: tuple[str, ...]

    @property
    def summary(self) -> str:
        """Two or more sentences for people: what was read, how its scale is known, and what is doubtful."""
        scale = self.scale
        speed = f"{scale.speed_mm_s:g} mm/s ({scale.speed_source})"
        gain = f"{scale.gain_mm_mv:g} mm/mV ({scale.gain_source})"
        return " ".join([f"Another cart's page: layout {self.layout}, {speed}, {gain}.", *self.doubts])

    @property
    def recording(self) -> Recording:
        """The leads as a model takes them; a strip goes on with its lead where the lead itself is not printed."""
        signal_mv = self.signal_mv.astype(np.float64)
        for strip in self.strips:
            lead_mv = signal_mv[RECORDED_LEADS.index(Lead(strip.name))]
            np.copyto(lead_mv, strip.signal_mv, where=np.isnan(lead_mv))
        return Recording(signal_mv, self.rate_hz)
