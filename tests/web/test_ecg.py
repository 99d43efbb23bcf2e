"""The ECG: curves at full height on a millimetre grid, zoom, pan, calipers, and the original page one key away."""

import re
from typing import Any

import httpx
import numpy as np
import pytest

from tests.factories import page_array, page_jpeg
from tests.service.serving import file_form
from tests.web.browser import Visit
from tests.web.conftest import Visiting

PULSE_S, PULSE_MV = 0.2, 1.0
PX_PER_MM = 7.874
ZERO_ROW = 463
PULSE_TOP_ROW = 384
PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def answered(visited: Visit) -> Visit:
    visited.choose(page_jpeg())
    return visited


def view(visit: Visit) -> list[float]:
    """Left, top, width and height of what is seen, in millimetres."""
    return [float(side) for side in (visit.page.get_attribute("#ecg svg", "viewBox") or "").split()]


def points(visit: Visit, lead: str) -> list[tuple[float, float]]:
    path = visit.page.get_attribute(f"#ecg g[data-lead={lead}] .curve", "d") or ""
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.-]+) ([\d.-]+)", path)]


def drag(visit: Visit, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one place on the sheet to another, both in millimetres."""
    box = visit.page.locator("#ecg svg.ecg-svg").bounding_box()
    assert box is not None
    left, top, width, _ = view(visit)
    scale = box["width"] / width
    for at, (x, y) in enumerate((start, end)):
        visit.page.mouse.move(box["x"] + (x - left) * scale, box["y"] + (y - top) * scale)
        if at == 0:
            visit.page.mouse.down()
    visit.page.mouse.up()


def measured(visit: Visit) -> tuple[float, float]:
    """Milliseconds and millivolt between the ends, as they are printed."""
    words = visit.page.locator("#ecg output").inner_text()
    ms, mv = re.findall(r"(-?[\d.,]+) (?:ms|mV)", words)
    return float(ms.replace(",", "")), float(mv)


@pytest.fixture(scope="module")
def reading(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.post("/reading", **file_form(page_jpeg())).json()
    return found


def test_r_peaks_have_their_full_height(answered: Visit, reading: dict[str, Any]) -> None:
    for lead in reading["leads"]:
        y = [y for _, y in points(answered, lead["lead"])]
        trace = lead["trace"]
        drawn_mv = (max(y) - min(y)) / 10
        signal = trace["signal_mv"]
        high, low = signal.index(max(signal)), signal.index(min(signal))
        assert drawn_mv >= trace["top_mv"][high] - trace["bottom_mv"][low] - 0.01
        assert drawn_mv <= max(trace["top_mv"]) - min(trace["bottom_mv"]) + 0.01


def test_no_curve_covers_a_leads_name(answered: Visit) -> None:
    for lead in ("I", "aVR", "V1", "V4", "II", "V5", "rhythm_strip"):
        name = answered.page.locator(f"#ecg g[data-lead={lead}] .name")
        x, y = (float(name.get_attribute(axis) or "") for axis in ("x", "y"))
        under = [py for px, py in points(answered, lead) if x <= px <= x + 8]
        assert min(under) > y, "the curve lies below the name's baseline"


def test_speed_and_gain_stretch_the_curve(answered: Visit) -> None:
    before = points(answered, "V5")
    answered.page.select_option("#ecg .tools select >> nth=0", "50")
    answered.page.select_option("#ecg .tools select >> nth=1", "20")
    after = points(answered, "V5")
    width, height = ([max(axis) - min(axis) for axis in zip(*some, strict=True)] for some in (before, after))
    assert height == pytest.approx([2 * side for side in width], rel=0.01)


def zoom_at(visit: Visit, place: tuple[float, float]) -> None:
    """Zoom in about five times where this place of the sheet stays under the pointer."""
    box = visit.page.locator("#ecg svg.ecg-svg").bounding_box()
    assert box is not None
    left, top, width, _ = view(visit)
    scale = box["width"] / width
    visit.page.mouse.move(box["x"] + (place[0] - left) * scale, box["y"] + (place[1] - top) * scale)
    visit.page.locator("#ecg .ecg-frame").focus()
    for _ in range(5):
        visit.page.mouse.wheel(0, -100)
    visit.page.wait_for_function(
        "w => +document.querySelector('#ecg svg').getAttribute('viewBox').split(' ')[2] < w", arg=width / 5
    )


def test_calipers_measure_the_drawn_pulse_within_1_percent(answered: Visit) -> None:
    path = answered.page.get_attribute("#ecg .pulse >> nth=0", "d") or ""
    x, foot = (float(place) for place in re.findall(r"[\d.]+", path)[:2])
    zoom_at(answered, (x, foot - 5))
    answered.page.click("[data-tool=calipers]")
    drag(answered, (x, foot), (x + 5, foot - 10))
    ms, mv = measured(answered)
    assert ms == pytest.approx(1000 * PULSE_S, rel=0.01)
    assert mv == pytest.approx(PULSE_MV, rel=0.01)


def test_calipers_measure_the_printed_pulse_within_1_percent(answered: Visit) -> None:
    """The first row's pulse on the page: its corners are found in the pixels."""
    gray = page_array().max(axis=2)
    plateau = np.flatnonzero(gray[PULSE_TOP_ROW, :150] < 100)
    steps = [(side + 0.5) / PX_PER_MM for side in (plateau[0], plateau[-1])]
    heights = [(row + 0.5) / PX_PER_MM for row in (ZERO_ROW, PULSE_TOP_ROW)]
    answered.page.locator("#ecg .ecg-frame").focus()
    answered.page.keyboard.press("o")
    zoom_at(answered, (steps[0], heights[1] + 5))
    answered.page.keyboard.press("c")
    drag(answered, (steps[0], heights[0]), (steps[1], heights[1]))
    ms, mv = measured(answered)
    assert (ms, mv) == pytest.approx((1000 * (steps[1] - steps[0]) / 25, (heights[0] - heights[1]) / 10), rel=0.01)
    assert mv == pytest.approx(PULSE_MV, rel=0.01)


def test_calipers_move_by_keys(answered: Visit) -> None:
    answered.page.locator("#ecg .ecg-frame").focus()
    answered.page.keyboard.press("c")
    assert measured(answered) == (200, 1)
    answered.page.keyboard.press("Shift+ArrowRight")
    answered.page.keyboard.press("Shift+ArrowDown")
    assert measured(answered) == (240, 0.9)
    answered.page.keyboard.press("x")
    answered.page.keyboard.press("ArrowLeft")
    assert measured(answered)[0] == 244
    assert "246/min" in answered.page.locator("#ecg output").inner_text()


def test_keys_zoom_pan_and_return(answered: Visit) -> None:
    whole = view(answered)
    answered.page.locator("#ecg .ecg-frame").focus()
    answered.page.keyboard.press("+")
    assert view(answered)[2] == pytest.approx(whole[2] / 1.25, rel=0.01)
    left = view(answered)[0]
    answered.page.keyboard.press("ArrowRight")
    assert view(answered)[0] > left
    answered.page.keyboard.press("0")
    assert view(answered) == whole


def test_wheel_zooms_at_the_pointer_and_traps_nobody(answered: Visit) -> None:
    box = answered.page.locator("#ecg svg.ecg-svg").bounding_box()
    assert box is not None
    whole = view(answered)
    answered.page.mouse.move(box["x"] + 100, box["y"] + 100)
    answered.page.evaluate("document.activeElement.blur()")
    answered.page.mouse.wheel(0, -200)
    assert view(answered) == whole, "without the focus the wheel scrolls the page"
    answered.page.locator("#ecg .ecg-frame").focus()
    answered.page.mouse.move(box["x"] + 100, box["y"] + 100)
    answered.page.mouse.wheel(0, -200)
    answered.page.wait_for_function(
        "w => +document.querySelector('#ecg svg').getAttribute('viewBox').split(' ')[2] < w", arg=whole[2] - 1
    )


def test_o_shows_the_original_page_and_b_hides_its_boxes(answered: Visit) -> None:
    answered.page.locator("#ecg .ecg-frame").focus()
    answered.page.keyboard.press("o")
    assert (answered.page.get_attribute("#ecg image", "href") or "").startswith("blob:")
    assert answered.page.locator("#ecg .frame").count() == 13
    assert answered.page.locator("#ecg .frame").first.is_visible()
    answered.page.keyboard.press("b")
    assert not answered.page.locator("#ecg .frame").first.is_visible()
    answered.page.keyboard.press("o")
    assert answered.page.locator("#ecg .curve").count() == 13


def test_a_phone_shows_the_beginning_at_a_readable_size(visiting: Visiting) -> None:
    visit = visiting(**PHONE)
    visit.choose(page_jpeg())
    box = visit.page.locator("#ecg svg.ecg-svg").bounding_box()
    assert box is not None
    assert box["width"] / view(visit)[2] >= 2, "pixels per millimetre"
    assert visit.width_overflow_px == 0
    left = view(visit)[0]
    visit.page.locator("#ecg .ecg-frame").focus()
    visit.page.keyboard.press("ArrowRight")
    assert view(visit)[0] > left
