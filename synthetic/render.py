"""Known signals to a printed report page, as the EDAN SE-3 prints them.

`synthetic.geometry.PageGeometry` gives the exact place of every sample: what is read back can be held against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.layout import EDAN_3X4_R1, Layout
from shared_preproc.leads import LEADS, Lead
from synthetic.geometry import PageGeometry
from synthetic.lettering import Nib, lead_name_strokes
from synthetic.stationery import INK_RGB, Header, Rgb, blank_form, print_texts

__all__ = ["SIGNAL_LEADS", "Header", "Signals", "render_page"]

SIGNAL_LEADS: tuple[Lead, ...] = tuple(lead for lead in LEADS if lead is not Lead.RHYTHM_STRIP)
"""Rows of `Signals.mv`: I II III aVR aVL aVF V1 to V6, the order of PTB-XL."""

_NIB: Nib = np.ones((3, 3), np.uint8)  # separators, pulses and flat traces are three pixels wide

_SEPARATOR_ROWS_PX = (421, 1107)  # centres of the first and last pen stroke
_NAME_RAISE_PX = 8  # from the zero line up to the lead name's baseline
_NAME_INDENT_PX = 1  # from the column's first sample

# Calibration pulse, columns: foot, rise, fall, foot.
_PULSE_PX = (97, 105, 122, 130)
_PULSE_MV = 1.0


@dataclass(frozen=True, eq=False)
class Signals:
    """A twelve-lead recording of at least 10 s: ``mv`` is float (12, samples) in millivolt, rows as `SIGNAL_LEADS`."""

    mv: NDArray[np.float64]
    sampling_rate_hz: float

    def of(self, lead: Lead) -> NDArray[np.float64]:
        """Samples of one lead, float64 (samples,), millivolt."""
        signal_mv: NDArray[np.float64] = self.mv[SIGNAL_LEADS.index(lead)]
        return signal_mv


def render_page(signals: Signals, header: Header, layout: Layout = EDAN_3X4_R1) -> Rgb:
    """Print the first 10 s of ``signals``: uint8 (layout.height_px, layout.width_px, 3), sRGB, before compression."""
    page = blank_form(layout).copy()
    geometry = PageGeometry(layout)
    print_texts(page, header)
    for zero_px in geometry.zero_rows_px:
        _draw(page, _pulse(geometry, zero_px))
    for x_px in geometry.separators_px:
        _draw(page, [(x_px, row) for row in _SEPARATOR_ROWS_PX])
    for lead in layout.leads:
        source = header.rhythm_lead if lead is Lead.RHYTHM_STRIP else lead
        _draw(page, _trace(geometry, lead, signals.of(source), signals.sampling_rate_hz))
        _print_name(page, source, geometry.x_px(geometry.span_s(lead)[0]), geometry.zero_px(lead))
    return page


def _pulse(geometry: PageGeometry, zero_px: float) -> list[tuple[float, float]]:
    foot, rise, fall, end = _PULSE_PX
    top_px = zero_px - _PULSE_MV * geometry.px_per_mv
    return [(foot, zero_px), (rise, zero_px), (rise, top_px), (fall, top_px), (fall, zero_px), (end, zero_px)]


def _trace(
    geometry: PageGeometry, lead: Lead, signal_mv: NDArray[np.float64], sampling_rate_hz: float
) -> NDArray[np.float64]:
    """Points (x_px, y_px) of the printed curve, float64 (columns, 2): one for each column, interpolated in time."""
    start_s, stop_s = geometry.span_s(lead)
    columns_px = np.arange(np.ceil(geometry.x_px(start_s)), np.floor(geometry.x_px(stop_s)) + 1)
    times_s = (columns_px - geometry.left_px) / geometry.px_per_s
    sampled_mv = np.interp(times_s, np.arange(len(signal_mv)) / sampling_rate_hz, signal_mv)
    return np.stack([columns_px, geometry.zero_px(lead) - sampled_mv * geometry.px_per_mv], axis=1)


def _draw(page: Rgb, points_px: NDArray[np.float64] | Sequence[tuple[float, float]], nib: Nib = _NIB) -> None:
    """Move a square nib through whole pixels, without smoothing: the real strokes' steps and thickness."""
    points = np.floor(np.asarray(points_px) + 0.5).astype(np.int32)
    left, top = np.maximum(points.min(axis=0) - len(nib), 0)
    right, bottom = points.max(axis=0) + len(nib) + 1
    patch = page[top:bottom, left:right]
    path = np.zeros(patch.shape[:2], np.uint8)
    cv2.polylines(path, [points - (left, top)], isClosed=False, color=1)
    patch[cv2.dilate(path, nib) > 0] = INK_RGB


def _print_name(page: Rgb, lead: Lead, column_px: float, zero_px: float) -> None:
    left_px, baseline_px = column_px + _NAME_INDENT_PX, zero_px - _NAME_RAISE_PX
    for nib, points in lead_name_strokes(lead):
        _draw(page, [(left_px + x, baseline_px - y) for x, y in points], nib)
