"""Pictures that are no page of one ECG are refused by what they lack."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from digitize import Digitized, UndigitizedPageError, digitize
from digitize.sampling import RATE_HZ
from trainer.pages.renderer import DrawnPage, draw_page
from trainer.pages.styles import Style

Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]


def missing(gray: Gray) -> str:
    """What the reader says that a picture lacks."""
    with pytest.raises(UndigitizedPageError) as refused:
        digitize(np.ascontiguousarray(gray))
    assert refused.value.remedy
    return refused.value.missing


def test_chart_with_axes_is_refused() -> None:
    chart = np.full((900, 1400), 255, np.uint8)
    for y in range(100, 900, 160):
        cv2.line(chart, (100, y), (1350, y), 200, 1)
    x = np.arange(100, 1350)
    for level in (250, 450, 650):
        line = np.stack([x, level + 80 * np.sin(x / 90)], 1).astype(np.int32)
        cv2.polylines(chart, [line], isClosed=False, color=0, thickness=2)
    assert missing(chart) in ("grid", "names")


def test_lower_half_of_a_page_is_refused(plain_page: DrawnPage) -> None:
    assert missing(plain_page.gray[plain_page.gray.shape[0] // 2 :]) in ("names", "layout")


@pytest.mark.parametrize(
    ("cut", "above"), [(0.12, True), (0.2, True), (0.28, True), (0.36, True), (0.28, False), (0.36, False)]
)
def test_page_without_a_row_is_refused(plain_style: Style, heart_mv: Floats, cut: float, above: bool) -> None:
    """Names of a row that is cut away stay where they stand above or below their curves."""
    style = replace(plain_style, name_at=(1.0, -9.0 if above else 9.0), strips=())
    gray = draw_page(style, heart_mv, RATE_HZ).gray
    rows = round(cut * len(gray))
    assert missing(gray[rows:] if above else gray[:-rows]) in ("names", "layout", "curves")


@pytest.mark.parametrize("size", [(1, 20_000), (2, 30_000), (100_000, 1), (99, 5_000)])
def test_thread_of_a_picture_has_no_grid(size: tuple[int, int]) -> None:
    assert missing(np.full(size, 200, np.uint8)) == "grid"


def test_two_pages_side_by_side_are_refused(plain_page: DrawnPage) -> None:
    small = cv2.resize(plain_page.gray, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    assert missing(np.hstack([small, small]).astype(np.uint8)) == "layout"


@pytest.mark.parametrize("factor", [0.6, 0.8])
def test_two_pages_one_below_the_other_are_refused(plain_page: DrawnPage, factor: float) -> None:
    small = cv2.resize(plain_page.gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    assert missing(np.vstack([small, small]).astype(np.uint8)) == "layout"


def test_handwriting_over_leads_is_named(plain_page: DrawnPage, plain_read: Digitized) -> None:
    gray = plain_page.gray.copy()
    first, last = plain_page.places["V2"][100], plain_page.places["V2"][-100]
    along = np.linspace(0.0, 1.0, 400)
    x = first[0] + along * (last[0] - first[0]) + 25 * np.cos(60 * along)
    y = first[1] + 50 * np.sin(60 * along)
    cv2.polylines(gray, [np.stack([x, y], 1).astype(np.int32)], isClosed=False, color=20, thickness=3)
    assert not any("Marks" in doubt for doubt in plain_read.doubts)
    try:
        doubts = digitize(gray).doubts
    except UndigitizedPageError:
        return
    assert any("Marks" in doubt and "V2" in doubt for doubt in doubts)
