"""A recording to a drawn page of any style, with the place of every sample on it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.names import NAMES
from trainer.pages.styles import Style
from trainer.pages.typefaces import draw_text

__all__ = ["DrawnPage", "draw_page"]

Floats = NDArray[np.float64]
Gray = NDArray[np.uint8]

_SIDE_MM, _HEAD_MM, _FOOT_MM = 8.0, 12.0, 9.0


@dataclass(frozen=True, eq=False)
class DrawnPage:
    """A page and its truth.

    Attributes:
        gray: uint8 (height, width).
        px_per_mm: of the drawing.
        places: of each curve, float64 (samples, 2): page pixel x, y; strips are named ``strip II`` and so on.
        spans_s: first and last second that each curve shows.
        names: boxes of the lead names, left, top, right, bottom, in pixels.
    """

    gray: Gray
    px_per_mm: float
    places: dict[str, Floats]
    spans_s: dict[str, tuple[float, float]]
    names: tuple[tuple[str, tuple[int, int, int, int]], ...]


def draw_page(style: Style, signal_mv: Floats, rate_hz: float, seed: int = 0) -> DrawnPage:
    """Draw the first seconds of a recording.

    Args:
        style: how the page looks.
        signal_mv: float (12, samples), millivolt, rows as ``NAMES``.
        rate_hz: samples a second.
        seed: of the header's invented words.
    """
    layout, scale = style.layout, style.px_per_mm
    rows = len(layout.rows) + len(style.strips)
    page_s = style.column_s * layout.columns
    length_mm = page_s * style.speed_mm_s
    left_mm = style.margin_mm[0] + (12.0 if style.pulse == "left" else 0.0)
    width_mm = left_mm + length_mm + style.margin_mm[0] + (12.0 if style.pulse == "right" else 0.0)
    top_mm = _HEAD_MM + 5.0 * style.header
    height_mm = top_mm + style.row_mm * rows + _FOOT_MM + style.margin_mm[1]
    size = round(width_mm * scale), round(height_mm * scale)
    page = _grid(style, size)
    places: dict[str, Floats] = {}
    spans: dict[str, tuple[float, float]] = {}
    names: list[tuple[str, tuple[int, int, int, int]]] = []
    ink = np.zeros(page.shape, np.uint8)
    for row in range(rows):
        strip = row >= len(layout.rows)
        zero_mm = top_mm + (row + 0.5) * style.row_mm
        leads = (style.strips[row - len(layout.rows)],) if strip else layout.rows[row]
        for column, lead in enumerate(leads):
            first = 0.0 if strip else column * style.column_s
            last = page_s if strip else first + style.column_s
            sign = -1.0 if lead in layout.inverted and not strip else 1.0
            key = f"strip {lead}" if strip else lead
            spans[key] = first, last
            part = slice(round(first * rate_hz), round(last * rate_hz))
            start_mm = left_mm + first * style.speed_mm_s, zero_mm
            places[key] = _curve(ink, style, sign * signal_mv[NAMES.index(lead), part], rate_hz, start_mm)
            shown = f"-{lead}" if sign < 0 else lead
            box = _text(
                ink,
                style,
                shown,
                (left_mm + first * style.speed_mm_s + style.name_at[0], zero_mm - style.name_at[1]),
                style.name_mm,
            )
            names.append((lead, box))
        if style.pulse != "none":
            _pulse(ink, style, left_mm - 9.0 if style.pulse == "left" else left_mm + length_mm + 3.0, zero_mm)
        if not strip:
            for column in range(1, layout.columns):
                _separator(ink, style, left_mm + column * style.column_s * style.speed_mm_s, zero_mm)
    if style.printed:
        _text(ink, style, style.printed, (left_mm + 20.0, height_mm - style.margin_mm[1]), 2.4)
    random = np.random.default_rng(seed)
    for line in range(style.header):
        words = random.choice(
            [
                "Vent. rate 71 bpm",
                "PR interval 162 ms",
                "QRS 88 ms",
                "ID 004711",
                "Sinus rhythm",
                "Age 54",
                "QT/QTc 398/421",
            ],
            3,
        )
        for place, word in enumerate(words):
            _text(ink, style, str(word), (left_mm + 70.0 * place, 8.0 + 5.0 * line), 2.4)
    gray = page.astype(np.float32) + (style.pen - page.astype(np.float32)) * (ink.astype(np.float32) / 255)
    return DrawnPage(np.rint(gray).astype(np.uint8), scale, places, spans, tuple(names))


def _grid(style: Style, size: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size
    across, down = (_lines(extent, style, 5.0, 0.24) for extent in (width, height))
    fine_x, fine_y = (_lines(extent, style, 1.0, 0.13) for extent in (width, height))
    light = np.maximum(fine_y[:, np.newaxis], fine_x[np.newaxis])
    if style.grid == "dotted":
        light = np.minimum(_lines(height, style, 1.0, 0.25)[:, np.newaxis], _lines(width, style, 1.0, 0.25)[np.newaxis])
        dots_x, dots_y = (_lines(extent, style, 1.0, 0.5) for extent in (width, height))
        heavy = np.maximum(
            np.minimum(down[:, np.newaxis], dots_x[np.newaxis]), np.minimum(across[np.newaxis], dots_y[:, np.newaxis])
        )
    elif style.grid == "fine":
        heavy = np.zeros_like(light)
    else:
        heavy = np.maximum(down[:, np.newaxis], across[np.newaxis])
    dark = np.maximum((style.paper - style.light) * light, (style.paper - style.heavy) * heavy)
    return np.asarray(np.rint(style.paper - dark), np.uint8)


def _lines(extent: int, style: Style, pitch_mm: float, width_mm: float) -> NDArray[np.float32]:
    """How much of each pixel the lines of a pitch cover, 0 to 1."""
    pitch, half = pitch_mm * style.px_per_mm, width_mm * style.px_per_mm / 2
    at = np.arange(extent)
    centre = np.rint(at / pitch) * pitch
    covered = np.clip(np.minimum(at + 0.5, centre + half) - np.maximum(at - 0.5, centre - half), 0.0, 1.0)
    return np.asarray(covered, np.float32)


def _curve(ink: Gray, style: Style, part_mv: Floats, rate_hz: float, start_mm: tuple[float, float]) -> Floats:
    """Draw a part of a lead from its start on the zero line; returns the pixel of each sample."""
    x = (start_mm[0] + np.arange(len(part_mv)) / rate_hz * style.speed_mm_s) * style.px_per_mm
    y = (start_mm[1] - part_mv * style.gain_mm_mv) * style.px_per_mm
    points = np.stack([x, y], axis=1)
    _stroke(ink, points, style.pen_mm * style.px_per_mm)
    return points


def _stroke(ink: Gray, points: Floats, thick_px: float) -> None:
    """A line with antialiased edges and any thickness, drawn at four times the size where it is thin."""
    first = np.floor(points.min(axis=0)).astype(int) - 6
    last = np.ceil(points.max(axis=0)).astype(int) + 7
    first = np.maximum(first, 0)
    last = np.minimum(last, [ink.shape[1], ink.shape[0]])
    width, height = last - first
    if width <= 0 or height <= 0:
        return
    fine = np.zeros((height * 4, width * 4), np.uint8)
    at = np.rint(((points - first + 0.5) * 4 - 0.5) * 16).astype(np.int32)
    cv2.polylines(
        fine, [at], isClosed=False, color=255, thickness=max(1, round(thick_px * 4)), lineType=cv2.LINE_8, shift=4
    )
    patch = ink[first[1] : last[1], first[0] : last[0]]
    np.maximum(patch, cv2.resize(fine, (int(width), int(height)), interpolation=cv2.INTER_AREA), out=patch)


def _text(
    ink: Gray, style: Style, text: str, at_mm: tuple[float, float], capital_mm: float
) -> tuple[int, int, int, int]:
    """Write with the left edge and the baseline at a place."""
    word = draw_text(text, style.typeface, round(capital_mm * style.px_per_mm * 2) / 2)
    left, bottom = round(at_mm[0] * style.px_per_mm), round(at_mm[1] * style.px_per_mm)
    top = bottom - word.shape[0]
    rows, columns = min(word.shape[0], ink.shape[0] - top), min(word.shape[1], ink.shape[1] - left)
    if top < 0 or rows <= 0 or columns <= 0:
        return left, top, left, top
    patch = ink[top : top + rows, left : left + columns]
    np.maximum(patch, word[:rows, :columns], out=patch)
    return left, top, left + columns, top + rows


def _pulse(ink: Gray, style: Style, left_mm: float, zero_mm: float) -> None:
    width, height = 0.2 * style.speed_mm_s, style.gain_mm_mv
    across = np.array([0.0, 1.5, 1.5, 1.5 + width, 1.5 + width, min(3.0 + width, 8.0 + width)])
    up = np.array([0.0, 0.0, height, height, 0.0, 0.0])
    points = np.stack([left_mm - max(0.0, width - 5.0) + across, zero_mm - up], axis=1) * style.px_per_mm
    _stroke(ink, points, style.pen_mm * style.px_per_mm)


def _separator(ink: Gray, style: Style, x_mm: float, zero_mm: float) -> None:
    parts = {
        "none": (),
        "bar": ((-3.0, 3.0),),
        "ticks": ((-7.0, -4.0), (4.0, 7.0)),
        "dashes": tuple((k, k + 0.6) for k in np.arange(-12.0, 12.0, 1.2)),
    }[style.separators]
    for first, last in parts:
        points = np.array([[x_mm, zero_mm + first], [x_mm, zero_mm + last]]) * style.px_per_mm
        _stroke(ink, points, (2.0 if style.separators == "bar" else 1.0) * style.pen_mm * style.px_per_mm)
