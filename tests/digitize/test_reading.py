"""Whole pages: what is answered, and what is refused."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from digitize import Digitized, UndigitizedPageError, digitize
from digitize.names import NAMES
from digitize.sampling import RATE_HZ
from trainer.pages.renderer import DrawnPage, draw_page
from trainer.pages.styles import Style

Floats = NDArray[np.float64]


def ratio_db(seen: NDArray[np.float32], truth: Floats) -> float:
    """Signal-to-noise ratio where both are known, levels removed."""
    known = np.isfinite(seen) & np.isfinite(truth)
    off = seen[known] - truth[known]
    signal = truth[known] - truth[known].mean()
    return float(10 * np.log10(np.square(signal).sum() / np.square(off - off.mean()).sum()))


def test_clean_page_is_read_truly(plain_read: Digitized, heart_mv: Floats) -> None:
    ratios = [ratio_db(plain_read.signal_mv[index], heart_mv[index]) for index in range(12)]
    assert np.median(ratios) > 15
    assert min(ratios) > 8


def test_leads_stand_where_they_are_printed(plain_read: Digitized) -> None:
    spans = {facts.name: (facts.start_s, facts.end_s) for facts in plain_read.leads}
    assert spans["II"] == (0.0, 2.5)
    assert spans["V6"] == (7.5, 10.0)
    assert np.isnan(plain_read.signal_mv[NAMES.index("V6"), : round(7.4 * RATE_HZ)]).all()


def test_scale_says_how_it_is_known(plain_read: Digitized) -> None:
    scale = plain_read.scale
    assert (scale.speed_mm_s, scale.gain_mm_mv) == (25.0, 10.0)
    assert scale.pulse_mm == pytest.approx(10.0, rel=0.03)
    assert "pulse" in scale.gain_source


@pytest.mark.parametrize("names", [("II",), ("V1", "II", "V5")])
def test_every_strip_is_read(plain_style: Style, heart_mv: Floats, names: tuple[str, ...]) -> None:
    read = digitize(draw_page(replace(plain_style, strips=names, row_mm=30.0), heart_mv, RATE_HZ).gray)
    assert tuple(strip.name for strip in read.strips) == names
    for strip in read.strips:
        assert ratio_db(strip.signal_mv, heart_mv[NAMES.index(strip.name)]) > 12


def test_grid_ends_where_the_page_ends(plain_style: Style, heart_mv: Floats) -> None:
    """A page of 1 mm lines that stands tilted on white: its grid is no ink, to the last cell."""
    page = draw_page(replace(plain_style, grid="fine", light=190), heart_mv, RATE_HZ)
    height, width = page.gray.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -4.0, 0.85)
    read = digitize(np.asarray(cv2.warpAffine(page.gray, turn, (width, height), borderValue=255.0), np.uint8))
    assert np.median([ratio_db(read.signal_mv[index], heart_mv[index]) for index in range(12)]) > 12


def test_samples_know_their_pixels(plain_read: Digitized, plain_page: DrawnPage) -> None:
    index, (first, last) = NAMES.index("V2"), plain_page.spans_s["V2"]
    inside = slice(round(first * RATE_HZ) + 20, round(last * RATE_HZ) - 20)
    truth = plain_page.places["V2"][20:-20]
    off = np.hypot(plain_read.page_x[index, inside] - truth[:, 0], plain_read.page_y[index, inside] - truth[:, 1])
    assert np.nanmedian(off) < 1.5


def test_recording_is_what_models_take(plain_read: Digitized) -> None:
    assert plain_read.recording.signal_mv.shape == (12, round(10 * RATE_HZ))


def test_names_out_of_reach_are_refused(plain_style: Style, heart_mv: Floats) -> None:
    page = draw_page(replace(plain_style, typeface="none"), heart_mv, RATE_HZ)
    with pytest.raises(UndigitizedPageError) as refused:
        digitize(page.gray)
    assert refused.value.missing == "names"


def test_page_without_scale_is_refused(plain_style: Style, heart_mv: Floats) -> None:
    page = draw_page(replace(plain_style, pulse="none", printed=""), heart_mv, RATE_HZ)
    with pytest.raises(UndigitizedPageError) as refused:
        digitize(page.gray)
    assert refused.value.missing in ("speed", "gain")


def test_exchanged_leads_are_refused(plain_style: Style, heart_mv: Floats) -> None:
    wrong = heart_mv.copy()
    wrong[[1, 7]] = wrong[[7, 1]]
    with pytest.raises(UndigitizedPageError):
        digitize(draw_page(plain_style, wrong, RATE_HZ).gray)


def test_cropped_page_is_refused(plain_page: DrawnPage) -> None:
    with pytest.raises(UndigitizedPageError):
        digitize(np.ascontiguousarray(plain_page.gray[:, : plain_page.gray.shape[1] * 2 // 3]))


@pytest.mark.parametrize("shape", [(900, 1200), (1, 1), (99, 5001), (5001, 100)])
def test_picture_without_grid_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(UndigitizedPageError) as refused:
        digitize(np.full(shape, 240, np.uint8))
    assert refused.value.missing == "grid"


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turned_page_is_read_as_the_upright_one(plain_page: DrawnPage, plain_read: Digitized, quarters: int) -> None:
    gray, upright = plain_page.gray, plain_read
    read = digitize(np.ascontiguousarray(np.rot90(gray, quarters)))
    assert read.scale.tilt_deg % 360 == pytest.approx((360 - 90 * quarters) % 360, abs=1.0)
    for index in range(12):
        assert ratio_db(read.signal_mv[index], upright.signal_mv[index].astype(float)) > 15
    height, width = gray.shape
    x, y = upright.page_x.astype(float), upright.page_y.astype(float)
    for _ in range(quarters):
        x, y, width, height = y, width - 1 - x, height, width
    off = np.hypot(read.page_x - x, read.page_y - y)
    assert np.nanmedian(off) < 1.0


def test_tilt_is_clockwise(plain_page: DrawnPage) -> None:
    height, width = plain_page.gray.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -3.0, 1.0)
    gray = cv2.warpAffine(plain_page.gray, turn, (width, height), borderValue=255)
    assert digitize(np.asarray(gray, np.uint8)).scale.tilt_deg == pytest.approx(3.0, abs=0.3)
