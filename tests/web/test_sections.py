"""What each section shows: thirteen named leads, where they belong, with the service's numbers."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.leads import LEADS
from tests.factories import page_array, page_jpeg, page_png, page_without_leads_png
from tests.service.serving import file_form
from tests.web.browser import Visit

pytestmark = pytest.mark.slow

BOXES = dict(EDAN_3X4_R1.lead_boxes)
NAMES = [str(lead).replace("rhythm_strip", "Rhythm strip") for lead in LEADS]

# Scrolling is smooth, so the place is waited for.
IN_VIEW = """
async (id) => {
  for (let frame = 0; frame < 300; frame += 1) {
    const { top, bottom } = document.getElementById(id).getBoundingClientRect();
    if (bottom > 0 && top < innerHeight) return true;
    await new Promise(requestAnimationFrame);
  }
  return false;
}
"""


@pytest.fixture(scope="module")
def reading(client: httpx.Client) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/reading", **file_form(page_png())).json()
    return answer


@pytest.fixture
def answered(visited: Visit) -> Visit:
    visited.choose(page_png())
    visited.open("page", "leads")
    return visited


def pixels_of(visit: Visit, selector: str) -> list[NDArray[np.uint8]]:
    """What each of these canvases shows: uint8 (rows, columns, 3)."""
    addresses = visit.page.eval_on_selector_all(selector, "all => all.map((one) => one.toDataURL())")
    files = [base64.b64decode(address.partition(",")[2]) for address in addresses]
    return [np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for content in files]


def test_page_is_drawn_with_every_lead_named(answered: Visit) -> None:
    (drawn,) = pixels_of(answered, "#section-page canvas")
    np.testing.assert_array_equal(drawn, page_array())
    boxes = answered.page.locator("#section-page .boxes a").all()
    assert [box.get_attribute("data-lead") for box in boxes] == list(LEADS)
    for box, lead in zip(boxes, LEADS, strict=True):
        frame = box.locator(".frame")
        place = [int(frame.get_attribute(side) or "") for side in ("y", "x", "height", "width")]
        assert place == [BOXES[lead].top, BOXES[lead].left, BOXES[lead].height_px, BOXES[lead].width_px]
    assert [box.text_content() for box in boxes] == NAMES


def test_boxes_lie_on_the_page_where_they_are_said_to_lie(answered: Visit) -> None:
    # Both at one moment: the page scrolls to the answer meanwhile.
    canvas, frame = answered.page.evaluate(
        """() => ["#section-page canvas", "#section-page a[data-lead=V5] .frame"].map(
            (one) => document.querySelector(one).getBoundingClientRect().toJSON())"""
    )
    scale = canvas["width"] / EDAN_3X4_R1.width_px
    assert frame["x"] - canvas["x"] == pytest.approx(BOXES[LEADS[10]].left * scale, abs=4 * scale + 1)
    assert frame["y"] - canvas["y"] == pytest.approx(BOXES[LEADS[10]].top * scale, abs=4 * scale + 1)


def test_the_gray_page_is_the_services(answered: Visit, reading: dict[str, Any]) -> None:
    answered.open("gray")
    address = answered.page.get_attribute("#section-gray img", "src")
    assert address == f"data:image/png;base64,{reading['page']['gray']['data']}"
    assert answered.page.evaluate("document.querySelector('#section-gray img').naturalWidth") == EDAN_3X4_R1.width_px


def test_divided_leads_are_the_pixels_of_the_uploaded_page(answered: Visit) -> None:
    answered.open("divided")
    assert answered.page.locator("#section-divided figcaption strong").all_inner_texts() == NAMES
    for lead, crop in zip(LEADS, pixels_of(answered, "#section-divided canvas"), strict=True):
        box = BOXES[lead]
        np.testing.assert_array_equal(crop, page_array()[box.top : box.bottom, box.left : box.right])


def test_a_jpeg_is_drawn_as_it_was_sent(visited: Visit) -> None:
    visited.choose(page_jpeg())
    visited.open("page")
    (drawn,) = pixels_of(visited, "#section-page canvas")
    sent = np.asarray(Image.open(io.BytesIO(page_jpeg())).convert("RGB"))
    assert np.abs(drawn.astype(int) - sent).max() <= 4, "two JPEG decoders"


def test_preprocessed_leads_show_mask_curve_and_units(answered: Visit, reading: dict[str, Any]) -> None:
    answered.open("preprocessed")
    charts = answered.page.locator("#section-preprocessed .chart").all()
    assert answered.page.locator("#section-preprocessed figcaption strong").all_inner_texts() == NAMES
    for chart, lead in zip(charts, reading["leads"], strict=True):
        assert chart.locator("image").get_attribute("href") == f"data:image/png;base64,{lead['mask']['data']}"
        points = (chart.locator(".curve").get_attribute("points") or "").split()
        trace = lead["trace"]
        assert len(points) == len(trace["signal_mv"])
        highest = int(np.argmax(trace["signal_mv"]))
        x, y = map(float, points[highest].split(","))
        assert x == pytest.approx(trace["start_px"] + 0.5 + highest * trace["step_px"], abs=0.06)
        row = trace["zero_px"] + 0.5 - trace["signal_mv"][highest] * trace["px_per_mv"]
        assert y == pytest.approx(row, abs=0.06)
        labels = chart.locator("text").all_text_contents()
        assert any(label.endswith(" mV") for label in labels)
        assert "0 s" in labels
        assert chart.get_attribute("role") == "img"


def test_the_curve_lies_on_the_ink(answered: Visit) -> None:
    """Rows in which the curve of lead I is drawn are dark on the page, nearly everywhere."""
    answered.open("preprocessed")
    points = answered.page.get_attribute("#section-preprocessed .curve >> nth=0", "points") or ""
    x, y = np.array([point.split(",") for point in points.split()], float).T
    box = BOXES[LEADS[0]]
    crop = page_array()[box.top : box.bottom, box.left : box.right].min(axis=2)
    inside = (x >= 0) & (x < box.width_px - 1)
    rows = np.clip(y[inside].astype(int)[:, None] + np.arange(-3, 4), 0, box.height_px - 1)
    assert (crop[rows, x[inside].astype(int)[:, None]].min(axis=1) < 128).mean() > 0.95


def test_pointing_at_a_lead_marks_it_everywhere(answered: Visit) -> None:
    answered.open("divided")
    marked = answered.page.locator(".pointed")
    answered.page.hover("#section-leads tr[data-lead=V3] td >> nth=0")
    assert {one.get_attribute("data-lead") for one in marked.all()} == {"V3"}
    assert answered.page.locator("#section-page a.pointed, #section-leads a.pointed").count() == 2
    answered.page.hover("#section-page a[data-lead=aVL] .frame")
    assert answered.page.locator("#section-leads tr.pointed").get_attribute("data-lead") == "aVL"
    answered.page.focus("#section-leads tr[data-lead=II] a")
    assert answered.page.locator("#section-page a.pointed").get_attribute("data-lead") == "II"
    answered.page.focus("#section-page a[data-lead=V6]")
    assert answered.page.locator("#section-leads tr.pointed").get_attribute("data-lead") == "V6"


def test_a_box_leads_to_its_leads_probabilities_and_back(answered: Visit) -> None:
    answered.page.click("#section-page a[data-lead=V2]")
    assert answered.page.evaluate("document.activeElement.id") == "lead-V2"
    answered.page.click("#section-leads tr[data-lead=V2] th a")
    assert answered.page.evaluate("document.activeElement.id") == "box-V2"
    assert answered.page.evaluate(IN_VIEW, "box-V2")


def test_link_opens_its_section(answered: Visit) -> None:
    for section in ("page", "leads"):
        answered.page.click(f"#section-{section} > summary")
    with answered.page.expect_response("**/reading*"):
        answered.start(page_png())  # Nothing of it is drawn in the closed sections.
    assert answered.page.locator("#section-page canvas").count() == 0
    answered.page.click("#section-leads > summary")
    answered.page.locator("#section-leads canvas").wait_for()
    answered.page.click("#section-leads tr[data-lead=aVF] th a")
    assert answered.page.evaluate("document.activeElement.id") == "box-aVF"
    answered.page.click("#section-leads > summary")
    answered.page.click("#section-page a[data-lead=V4]")
    assert answered.page.evaluate("document.activeElement.id") == "lead-V4"
    assert answered.page.evaluate(IN_VIEW, "lead-V4")


@pytest.mark.parametrize("content", [page_png(), page_without_leads_png(*LEADS)], ids=["answered", "refused"])
def test_no_link_is_dead(visited: Visit, content: bytes) -> None:
    visited.choose(content)
    visited.page.evaluate("document.querySelectorAll('.section').forEach((one) => (one.open = true))")
    dead = visited.page.evaluate(
        """() => [...document.querySelectorAll("a[href^='#']")]
            .map((one) => decodeURIComponent(one.getAttribute("href").slice(1)))
            .filter((id) => !document.getElementById(id))"""
    )
    assert dead == []
    ids = visited.page.eval_on_selector_all("[id]", "all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids))
    assert visited.page.locator("#section-page .boxes a[id]").count() == 13


def test_the_explanation_is_drawn_when_it_is_asked_for(answered: Visit, client: httpx.Client) -> None:
    explained = client.post("/classify?explain=true", **file_form(page_png())).json()
    answered.open("explanation")
    assert not any("explain" in request.url for request in answered.requests)
    answered.page.click("#section-explanation button")
    answered.page.wait_for_selector("#section-explanation .chart")
    assert str(answered.page.evaluate("document.activeElement.textContent")).startswith("What speaks for")
    notes = answered.page.locator("#section-explanation figcaption span").all_inner_texts()
    weights = [lead["explanation"]["weight"] for lead in explained["leads"]]
    assert [float(note.split("%")[0]) / 100 for note in notes] == pytest.approx(weights, abs=0.0006)
    first = answered.page.locator("#section-explanation .chart >> nth=0")
    heights = [float(bar.get_attribute("height") or "") for bar in first.locator("rect.bar").all()]
    curve = explained["leads"][0]["explanation"]["curve"]
    assert heights == pytest.approx([0.3 * 300 * value for value in curve], abs=0.1)
    assert "a marked place is no finding" in answered.page.locator("#section-explanation").inner_text()


def test_an_explanation_can_be_taken_back(answered: Visit) -> None:
    answered.open("explanation")
    answered.page.route("**/classify?*explain*", lambda _: None)  # never answered
    answered.page.click("#section-explanation button")
    assert answered.page.locator("#section-explanation progress").is_visible()
    answered.page.click("text=Cancel >> visible=true")
    assert answered.page.locator("#section-explanation button").inner_text().startswith("Show what")
    assert answered.complaints == []
