"""The ways in which a page comes: chosen, dropped, pasted, or the synthetic one."""

import base64
from collections.abc import Callable

import pytest
from playwright.sync_api import Route

from tests.factories import page_jpeg, page_png
from tests.web.browser import Visit
from tests.web.conftest import Visiting

# What a person drags or copies in another program, as a browser hands it over.
TRANSFER = """
([encoded, type, target]) => {
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "Jane Doe.jpg", { type: "image/jpeg" }));
  const options = { bubbles: true, cancelable: true };
  const event = type === "paste"
    ? new ClipboardEvent(type, { ...options, clipboardData: transfer })
    : new DragEvent(type, { ...options, dataTransfer: transfer });
  return !document.querySelector(target).dispatchEvent(event);
}
"""


def hand_over(visit: Visit, kind: str, target: str) -> bool:
    prevented: bool = visit.page.evaluate(TRANSFER, [base64.b64encode(page_jpeg()).decode(), kind, target])
    return prevented


@pytest.mark.parametrize("content", [page_jpeg, page_png])
def test_a_chosen_page_is_answered(visited: Visit, content: object) -> None:
    assert callable(content)
    visited.choose(content())
    assert visited.page.locator("#answer .banner h3").inner_text().startswith("Most probable: ")
    assert visited.complaints == []


@pytest.mark.parametrize("target", ["#drop", "body"])
def test_a_dropped_page_is_answered_wherever_it_falls(visited: Visit, target: str) -> None:
    assert hand_over(visited, "dragover", target), "otherwise the browser would refuse the drop"
    assert visited.page.locator("#drop.over").count() == 1
    assert hand_over(visited, "drop", target), "otherwise the browser would leave for the picture"
    visited.wait()
    assert visited.page.locator("#drop.over").count() == 0
    assert visited.page.locator("#answer").is_visible()


def test_a_pasted_page_is_answered(visited: Visit) -> None:
    assert hand_over(visited, "paste", "body")
    visited.wait()
    assert visited.page.locator("#answer").is_visible()


def test_the_synthetic_page_is_one_click_away(visited: Visit) -> None:
    visited.page.click("#sample")
    visited.wait()
    assert visited.page.locator("#answer").is_visible()


def without_the_synthetic_page(route: Route) -> None:
    route.abort()


def with_an_error_for_it(route: Route) -> None:
    route.fulfill(status=502, body="<html>Bad gateway</html>")


@pytest.mark.parametrize("fails", [without_the_synthetic_page, with_an_error_for_it])
def test_a_synthetic_page_that_does_not_arrive_is_told(visited: Visit, fails: Callable[[Route], None]) -> None:
    visited.page.route("**/sample.jpg", fails)
    visited.page.click("#sample")
    visited.page.wait_for_selector("#status:has-text('The synthetic page did not arrive.')")
    assert not any(request.method == "POST" for request in visited.requests)


def test_late_sample_does_not_replace_the_chosen_page(visited: Visit) -> None:
    visited.page.route("**/sample.jpg", lambda _: None)  # never answered
    with visited.page.expect_request("**/sample.jpg"):
        visited.page.click("#sample")
    with visited.page.expect_event("requestfailed") as ended:
        visited.choose(page_jpeg())
    assert ended.value.url.endswith("/sample.jpg")
    assert visited.page.locator("#answer").is_visible()
    assert "did not arrive" not in visited.page.locator("#status").inner_text()


def test_late_model_list_leaves_the_answer(visited: Visit) -> None:
    visited.page.add_init_script(
        "{ const get = window.fetch; const held = new Promise((go) => (window.release = go));"
        "  window.fetch = async (...what) => { await held; return get(...what); }; }"
    )
    visited.page.reload()
    visited.choose(page_jpeg())
    told = visited.page.locator("#status").inner_text()
    assert told.startswith("fusion: ")
    visited.page.evaluate("release()")
    visited.page.wait_for_selector("#model optgroup", state="attached")
    assert visited.page.locator("#status").inner_text() == told


def test_the_name_of_the_file_stays_in_the_browser(visited: Visit) -> None:
    visited.choose(page_jpeg())
    sent = [request.post_data_buffer or b"" for request in visited.requests if request.method == "POST"]
    assert len(sent) == 2
    assert not any(b"Jane" in body for body in sent)


def test_the_same_file_can_be_chosen_again(visited: Visit) -> None:
    visited.choose(page_jpeg())
    first = visited.answer()
    visited.choose(page_jpeg())
    assert visited.answer()["request_id"] != first["request_id"]


def test_the_progress_of_the_upload_is_told(visiting: Visiting) -> None:
    visit = visiting()
    visit.page.evaluate(
        "() => { window.told = []; new MutationObserver(() => told.push(document.querySelector('#status').textContent))"
        ".observe(document.querySelector('#status'), { childList: true }); }"
    )
    visit.choose(page_png())
    told = visit.page.evaluate("told")
    assert told[0] == "The page is sent…"
    assert "The model reads the page…" in told
    assert told[-1].startswith("fusion: ")


@pytest.mark.parametrize(
    "ending", ["document.querySelector('#cancel').click()", "dispatchEvent(new Event('pagehide'))"]
)
def test_work_ends_when_it_is_cancelled_or_the_page_is_left(visited: Visit, ending: str) -> None:
    visited.page.route("**/classify*", lambda _: None)  # never answered
    visited.start(page_jpeg())
    visited.page.wait_for_selector("body[data-state=busy]")
    with visited.page.expect_event("requestfailed") as ended:
        visited.page.evaluate(ending)
    assert ended.value.url.endswith("/classify")
    assert visited.complaints == []
