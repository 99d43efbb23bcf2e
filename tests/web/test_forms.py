"""The page by keyboard alone, on paper, on a phone, in the dark, without motion; and what is taken along from it."""

import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from service.app import INTENDED_USE
from tests.factories import page_jpeg, page_png
from tests.service.serving import file_form
from tests.web.browser import SECTIONS, Visit
from tests.web.conftest import Visiting

PHONE = {"viewport": {"width": 360, "height": 780}, "has_touch": True, "is_mobile": True}
A4_PT = (842, 595)
TWO_REASONS = page_png("abnormal_heartbeat", 3)

campaign = pytest.mark.campaign

# Cells whose words do not fit, and tables that do not fit into what they scroll in.
CUT = """
() => [...document.querySelectorAll("th, td, .cell, .scroll:has(> table)")]
  .filter((one) => one.scrollWidth > one.clientWidth)
  .map((one) => `${one.tagName} ${one.scrollWidth} > ${one.clientWidth}: ${one.textContent.slice(0, 60)}`)
"""


def focused(visit: Visit) -> str:
    name: str = visit.page.evaluate("document.activeElement.id || document.activeElement.textContent")
    return name


def tab_to(visit: Visit, wanted: str) -> None:
    """Press Tab until the focus is there; what has it must be seen to have it."""
    for _ in range(80):
        visit.page.keyboard.press("Tab")
        if wanted in focused(visit):
            return
    raise AssertionError(f"the keyboard does not reach {wanted}")


def test_the_whole_way_by_keyboard_alone(visited: Visit) -> None:
    tab_to(visited, "sample")
    visited.page.keyboard.press("Enter")
    visited.wait()
    assert focused(visited) == "answer", "so that the answer is read out"
    tab_to(visited, "Original page")
    visited.page.keyboard.press("Enter")
    assert visited.page.locator("#ecg image").count() == 1
    tab_to(visited, "copy")
    visited.open("page", "leads")
    tab_to(visited, "The page and its 13 leads")
    tab_to(visited, "aVF")
    assert visited.page.locator("#section-leads tr.pointed").get_attribute("data-lead") == "aVF"
    for title, name in (
        ("Grayscale", "gray"),
        ("Divided leads", "divided"),
        ("What the answer rests on", "explanation"),
    ):
        tab_to(visited, title)
        visited.page.keyboard.press("Enter")
        visited.page.wait_for_selector(f"#section-{name} .body > *")
    tab_to(visited, "Show what fusion, version 5 rests on")
    visited.page.keyboard.press("Enter")
    visited.page.wait_for_selector("#section-explanation .chart")


def test_the_focus_is_seen(visited: Visit) -> None:
    for wanted in ("sample", "model", "other"):
        tab_to(visited, wanted)
        style = visited.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid"
    visited.page.focus("#file")
    visited.page.keyboard.press("Shift+Tab")
    visited.page.keyboard.press("Tab")
    assert visited.page.evaluate("getComputedStyle(document.querySelector('.file')).outlineStyle") == "solid"


@pytest.mark.parametrize(
    ("content", "other"),
    [
        pytest.param(page_jpeg(), "", id="short"),
        pytest.param(TWO_REASONS, "crnn/1", id="two-reasons-crnn"),
        pytest.param(page_jpeg(), "crnn/1", id="short-crnn", marks=campaign),
        pytest.param(TWO_REASONS, "", id="two-reasons", marks=campaign),
    ],
)
def test_an_answer_prints_on_one_page_of_a4(visited: Visit, other: str, content: bytes) -> None:
    visited.page.select_option("#other", other)
    visited.choose(content)
    visited.open(*SECTIONS)
    pdf = visited.page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    (box,) = set(re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf))
    assert tuple(float(side) for side in box) == pytest.approx(A4_PT, abs=1)


def test_paper_shows_verdict_and_ecg_at_true_scale(visited: Visit) -> None:
    visited.choose(page_jpeg())
    visited.page.emulate_media(media="print")
    for shown in ("#intended-use", "#answer .banner", "#answer .bars", "#paper svg", "#paper p"):
        assert visited.page.locator(shown).first.is_visible()
    for hidden in ("#upload", "#models", "nav", ".keep", "#ecg", "#pictures", "#answers"):
        assert not visited.page.locator(hidden).is_visible()
    ecg = visited.page.locator("#paper svg").bounding_box()
    assert ecg is not None
    mm = 96 / 25.4
    assert (ecg["width"], ecg["height"]) == pytest.approx((265 * mm, 125 * mm), abs=1), "10 s at 25 mm/s are 250 mm"
    assert visited.page.get_attribute("#paper svg", "viewBox") == "0 0 265 125"


@pytest.mark.parametrize("width", [320, *(pytest.param(px, marks=campaign) for px in (360, 768, 2560))])
def test_no_width_scrolls_sideways(visiting: Visiting, width: int) -> None:
    visit = visiting(viewport={"width": width, "height": 800})
    assert visit.width_overflow_px == 0
    visit.page.select_option("#other", "crnn/1")
    visit.choose(page_jpeg())
    for name in SECTIONS:
        visit.open(name)
    visit.page.click("[id='model-fusion/5'] > summary")
    visit.page.wait_for_selector("#model-list .plots")
    assert visit.width_overflow_px == 0


def test_table_cells_fit_on_a_phone(visiting: Visiting) -> None:
    visit = visiting(**PHONE)
    visit.page.select_option("#other", "crnn/1")
    visit.choose(page_jpeg())
    visit.open(*SECTIONS)
    for ref in ("fusion/5", "crnn/1"):
        visit.page.click(f"[id='model-{ref}'] > summary")
        visit.page.locator(f"[id='model-{ref}'] .plots").first.wait_for()
    visit.page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert visit.page.locator("th:visible").count() > 100
    assert visit.page.evaluate(CUT) == []


def test_top_class_is_marked_by_more_than_colour(visiting: Visiting) -> None:
    for width, marked, line in ((1280, True, "1px"), (360, False, "2px")):
        visit = visiting(viewport={"width": width, "height": 800})
        visit.choose(page_jpeg())
        visit.open("leads")
        most = visit.page.locator("#section-leads td.most").first
        before = most.evaluate("one => getComputedStyle(one, '::before').content")
        assert ("\N{BLACK RIGHT-POINTING SMALL TRIANGLE}" in before) is marked
        assert most.evaluate("one => getComputedStyle(one).borderBottomWidth") == line


def test_a_phone_can_be_touched(visiting: Visiting) -> None:
    visit = visiting(**PHONE)
    visit.page.tap("#sample")
    visit.wait()
    visit.page.tap("#section-gray > summary")
    visit.page.wait_for_selector("#section-gray img")
    for target in visit.page.locator("button:visible, select:visible, summary:visible").all():
        box = target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24, "WCAG 2.2, 2.5.8"


def test_the_dark_scheme_is_dark_and_keeps_the_paper_white(visiting: Visiting) -> None:
    visit = visiting(color_scheme="dark")
    visit.choose(page_jpeg())
    visit.open("preprocessed")
    ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    paper = visit.page.evaluate("getComputedStyle(document.querySelector('.chart')).backgroundColor")
    assert max(map(int, re.findall(r"\d+", ground))) < 40
    assert min(map(int, re.findall(r"\d+", paper))) > 240


def test_nothing_moves_for_who_wants_no_motion(visiting: Visiting) -> None:
    visit = visiting(reduced_motion="reduce")
    assert visit.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_the_json_is_downloaded_under_the_requests_id(visited: Visit) -> None:
    visited.choose(page_jpeg())
    with visited.page.expect_download() as download:
        visited.page.click("#download")
    answer = visited.answer()
    assert download.value.suggested_filename == f"ecg-answer-{answer['request_id']}.json"
    assert json.loads(download.value.path().read_text()) == answer


def test_the_answer_is_copied_as_text(visiting: Visiting) -> None:
    visit = visiting(permissions=["clipboard-read", "clipboard-write"])
    visit.choose(page_jpeg())
    visit.page.click("#copy")
    visit.page.wait_for_selector("#status:has-text('Copied as text.')")
    lines = visit.page.evaluate("navigator.clipboard.readText()").split("\n")
    answer = visit.answer()
    (watch,) = [line for line in lines if line.startswith("Watch for myocardial infarction: flagged from ")]
    assert "With thresholds chosen on other pages than they were judged on" in watch
    assert watch.endswith("Expect worse on other pages.")
    assert lines[0].split(".")[0] == visit.page.locator("#answer .banner h3").inner_text()
    assert {f"- {reason['message']}" for reason in answer["reasons"]} <= set(lines)
    assert f"Page: SHA-256 {answer['image']['sha256']}" in lines
    assert lines[-1] == INTENDED_USE


@pytest.mark.parametrize("thresholds", [True, False])
def test_the_text_loses_no_warning(visiting: Visiting, client: httpx.Client, thresholds: bool) -> None:
    visit = visiting(permissions=["clipboard-read", "clipboard-write"])
    answer = client.post("/classify", **file_form(page_jpeg())).json() | {"seen_in_training": True}
    answer |= {"decision": "reported", "reasons": []} | ({} if thresholds else {"operating_point": None})
    visit.page.route("**/classify*", lambda route: route.fulfill(json=answer))
    visit.choose(page_jpeg())
    visit.page.click("#copy")
    visit.page.wait_for_selector("#status:has-text('Copied as text.')")
    text = visit.page.evaluate("navigator.clipboard.readText()")
    assert "The answer can be wrong." in text or "have a clinician look now" in text
    assert "The model was trained on this very file" in text
    assert ("refers every page" in text) is not thresholds


def test_the_command_that_is_shown_gets_the_same_answer(visited: Visit, tmp_path: Path) -> None:
    visited.choose(page_jpeg())
    answer = visited.answer()
    (tmp_path / "page.jpg").write_bytes(page_jpeg())
    command = visited.page.locator("#section-raw pre").first.inner_text()
    said = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=True, capture_output=True, timeout=30)
    again = json.loads(said.stdout)
    same = ("probabilities", "decision", "reasons", "leads", "model", "image")
    assert [again[field] for field in same] == [answer[field] for field in same]
