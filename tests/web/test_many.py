"""Many pages: a table that fills, sorts, filters, exports, stops and goes on; and two pages side by side."""

import csv
import io
import json

import pytest

from tests.factories import heic, page_jpeg
from tests.web.browser import Visit

PAGES = {
    "page 2.jpg": page_jpeg("abnormal_heartbeat", 1),
    "page 10.jpg": page_jpeg(),
    "=cmd.jpg": page_jpeg("normal", 2),
    "notes.heic": heic(),
}
MANY = 50
MAX_TASK_CPU_MS = 100


def names(visit: Visit) -> list[str]:
    return visit.page.locator(".many tbody tr:visible th").all_inner_texts()


@pytest.fixture
def filled(visited: Visit) -> Visit:
    visited.choose_many(PAGES)
    return visited


def test_each_file_has_a_row_with_its_answer_or_its_error(filled: Visit) -> None:
    assert names(filled) == ["=cmd.jpg", "notes.heic", "page 2.jpg", "page 10.jpg"], "numbers in order of size"
    assert "4 pages: 3 answered, 1 without an answer, 0 to come." in filled.page.locator("#many-told").inner_text()
    failed = filled.page.locator(".many tbody tr:has-text('notes.heic')").inner_text()
    assert "No answer" in failed
    assert "Save the picture as JPEG or PNG" in failed
    assert "/min" in filled.page.locator(".many tbody tr:has-text('page 10.jpg')").inner_text()


def test_a_head_sorts_and_sorts_back(filled: Visit) -> None:
    head = filled.page.locator(".many thead button:text-is('Heart rate')")
    head.click()
    assert filled.page.locator("th[aria-sort=ascending]").inner_text().startswith("Heart rate")
    order = names(filled)
    assert order[-1] == "notes.heic"
    head.click()
    assert names(filled) == order[::-1]


def test_verdict_and_words_filter(filled: Visit) -> None:
    filled.page.select_option("#many-kind", "failed")
    assert names(filled) == ["notes.heic"]
    filled.page.select_option("#many-kind", "all")
    filled.page.fill("#many-words", "PAGE 1")
    assert names(filled) == ["page 10.jpg"]


def test_one_opens_and_the_next_follows(filled: Visit) -> None:
    filled.page.click(".many [aria-label='Open notes.heic']")
    filled.page.wait_for_selector("body[data-state=refused]")
    filled.page.click("text=Next page")
    filled.page.wait_for_selector("body[data-state=answered]:has(#paper svg)")
    assert "page 2.jpg, 3 of 4" in filled.page.locator("#many-told").inner_text()
    assert filled.page.locator("#ecg .curve").count() == 13
    filled.page.click("text=Back to the table")
    assert len(names(filled)) == 4


def test_csv_and_json_hold_what_is_seen(filled: Visit) -> None:
    with filled.page.expect_download() as download:
        filled.page.click("text=Export CSV")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert [row["file"] for row in rows] == ["'=cmd.jpg", "notes.heic", "page 2.jpg", "page 10.jpg"], "no formula"
    assert rows[1]["error"] == "unsupported_format"
    assert float(rows[2]["normal"]) <= 1
    filled.page.select_option("#many-kind", "failed")
    with filled.page.expect_download() as download:
        filled.page.click("text=Export JSON")
    (only,) = json.loads(download.value.path().read_text())
    assert only["problem"]["code"] == "unsupported_format"


def test_work_stops_and_goes_on_without_losing_a_page(visited: Visit) -> None:
    visited.page.route("**/classify*", lambda _: None)  # never answered
    visited.start_many(PAGES)
    visited.page.wait_for_selector(".many .chip.reading")
    visited.page.click("text=Stop")
    visited.page.wait_for_selector("text=Go on")
    assert "4 to come" in visited.page.locator("#many-told").inner_text()
    visited.page.unroute("**/classify*")
    visited.page.click("text=Go on")
    visited.page.wait_for_selector("#many-told:has-text('3 answered, 1 without')")


def test_two_pages_stand_side_by_side_and_move_together(filled: Visit) -> None:
    for name in ("page 2.jpg", "page 10.jpg"):
        filled.page.check(f"[aria-label='Hold {name} side by side with another']")
    filled.page.click("text=Two side by side")
    views = filled.page.locator(".sides svg.ecg-svg")
    views.nth(1).locator("g").first.wait_for(state="attached")
    assert filled.page.locator(".one-side h3").first.inner_text() == "Earlier: page 2.jpg"
    filled.page.locator(".sides .ecg-frame").first.focus()
    filled.page.keyboard.press("+")
    one, other = (views.nth(at).get_attribute("viewBox") for at in (0, 1))
    assert one == other
    zeros = filled.page.eval_on_selector_all(
        ".sides svg.ecg-svg",
        "all => all.map((one) => [...one.querySelectorAll('.pulse')].map((p) => p.getAttribute('d')))",
    )
    assert zeros[0] == zeros[1], "rows at the same heights"
    table = filled.page.locator("#side table").inner_text()
    assert "Myocardial infarction" in table
    assert "Heart rate" in table
    filled.page.click("text=Swap")
    assert filled.page.locator(".one-side h3").first.inner_text() == "Earlier: page 10.jpg"


@pytest.mark.slow
def test_fifty_pages_in_one_drop_freeze_no_frame(visited: Visit) -> None:
    """By the CPU time of the page's thread: wall time counts what else runs on the machine."""
    browser = visited.page.context.browser
    assert browser is not None
    browser.start_tracing(page=visited.page, categories=["devtools.timeline", "toplevel"])
    visited.choose_many({f"{at}.jpg": page_jpeg("normal", at % 5) for at in range(MANY)})
    events = json.loads(browser.stop_tracing())["traceEvents"]
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [event for event in events if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in main]
    longest_ms = max(event.get("tdur", 0) for event in tasks) / 1000
    assert 0 < longest_ms <= MAX_TASK_CPU_MS
