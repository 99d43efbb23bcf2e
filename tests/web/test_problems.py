"""Refusals: the service's own words and its remedy, beside the picture that caused them."""

import re
from collections.abc import Callable

import httpx
import pytest

from shared_preproc.leads import Lead
from tests import factories
from tests.service.serving import file_form
from tests.web.browser import Visit

campaign = pytest.mark.campaign

UPLOADS: dict[str, tuple[Callable[[], bytes], bool]] = {
    "unsupported_format": (factories.heic, False),
    "undecodable_image": (factories.truncated_png, False),
    "unsuitable_dimensions": (lambda: factories.resized_png(600, 426), True),
    "not_an_ecg_page": (factories.blank_png, True),
    "unreadable_leads": (lambda: factories.page_without_leads_png(*Lead), True),
    "missing_file": (lambda: b"", False),
}
"""By code: a file that causes it, and whether the browser can show that file."""

# The first picture is decoded when `release` is called, which ends after all that follows from it has run.
HOLD_THE_FIRST_PICTURE = """
() => {
  const decode = window.createImageBitmap;
  const held = new Promise((resolve) => {
    window.release = async () => {
      resolve();
      await new Promise((later) => setTimeout(later, 100));
    };
  });
  window.createImageBitmap = async (file) => {
    window.createImageBitmap = decode;
    await held;
    return decode(file);
  };
}
"""


def shown(visit: Visit) -> dict[str, str]:
    terms = visit.page.locator("#refusal dt").all_inner_texts()
    return dict(zip(terms, visit.page.locator("#refusal dd").all_inner_texts(), strict=True))


@pytest.mark.parametrize(
    "code",
    [
        "undecodable_image",
        "not_an_ecg_page",
        "missing_file",
        pytest.param("unsupported_format", marks=campaign),
        pytest.param("unsuitable_dimensions", marks=campaign),
        pytest.param("unreadable_leads", marks=campaign),
    ],
)
def test_what_an_upload_is_refused_for_is_told_beside_it(visited: Visit, client: httpx.Client, code: str) -> None:
    make, can_be_shown = UPLOADS[code]
    content = make()
    problem = client.post("/classify", **file_form(content)).json()
    assert problem["code"] == code
    visited.choose(content)
    assert visited.page.locator("#refusal h3").inner_text() == problem["title"]
    told = shown(visited)
    assert visited.page.locator("#refusal .decision").inner_text() == "Refused: no class is given"
    assert [told["Found"], told["Expected"], told["What to do"]] == [
        problem[f] for f in ("found", "expected", "remedy")
    ]
    assert len(told["Request"]) == 32
    assert (visited.page.locator("#refusal figure canvas").count() == 1) is can_be_shown
    assert "Jane Doe.jpg" in visited.page.locator("#refusal figcaption").inner_text()
    assert visited.page.evaluate("document.activeElement.id") == "problem"
    assert not visited.page.locator("#answer, #answers").first.is_visible()


@pytest.mark.parametrize("code", [pytest.param("not_an_ecg_page", marks=campaign), "unreadable_leads"])
def test_refused_page_can_be_looked_at(visited: Visit, code: str) -> None:
    visited.choose(UPLOADS[code][0]())
    visited.open("page", "preprocessed")
    assert visited.page.locator("#section-page .boxes a").count() == 13
    assert visited.page.locator("#section-preprocessed .chart").count() == 13


def test_too_large_file_is_explained(visited: Visit) -> None:
    visited.choose(bytes(14_000_000))
    title = visited.page.locator("#refusal h3").inner_text()
    assert title in {"The upload is too large", "No answer of the service arrived"}
    assert re.search("one report page|a single report page", shown(visited)["What to do"])


def test_a_connection_that_breaks_is_told_as_such(visited: Visit) -> None:
    visited.page.route("**/classify*", lambda route: route.abort("connectionreset"))
    visited.choose(factories.page_jpeg())
    assert visited.page.locator("#refusal h3").inner_text() == "No answer of the service arrived"
    assert visited.page.locator("#refusal .decision").inner_text() == "No answer"


def test_an_answer_of_something_in_between_is_told_as_such(visited: Visit) -> None:
    visited.page.route("**/classify*", lambda route: route.fulfill(status=502, body="<html>Bad gateway</html>"))
    visited.choose(factories.page_jpeg())
    assert visited.page.locator("#refusal h3").inner_text() == "No answer of the service arrived"


def test_a_fault_of_the_page_is_not_blamed_on_the_service(visited: Visit) -> None:
    visited.page.route("**/classify*", lambda route: route.fulfill(json={}))
    visited.choose(factories.page_jpeg())
    assert visited.page.locator("#refusal h3").inner_text() == "This page failed"
    assert visited.page.locator("#refusal .decision").inner_text() == "No answer"
    assert visited.complaints, "it has to reach the browser's console"


def test_fault_in_an_answer_shows_none_of_it(visited: Visit) -> None:
    visited.page.route("**/reading*", lambda route: route.fulfill(json={"leads": []}))
    visited.start(factories.page_jpeg())
    visited.page.wait_for_selector("#refusal h3:has-text('This page failed')")
    for hidden in ("#answer", "#answers", "#pictures"):
        assert not visited.page.locator(hidden).is_visible()


def test_a_card_that_does_not_come_refuses_no_page(visited: Visit) -> None:
    visited.page.route("**/models/*/*/card", lambda route: route.abort())
    visited.page.click("[id='model-fusion/5'] > summary")
    told = visited.page.locator("#models .problem")
    assert told.locator(".decision").inner_text() == "The card cannot be shown"
    assert told.locator("h3").inner_text() == "No answer of the service arrived"


def test_an_explanation_that_does_not_come_takes_no_class_away(visited: Visit) -> None:
    visited.choose(factories.page_jpeg())
    visited.page.route("**/classify?*explain*", lambda route: route.abort())
    visited.open("explanation")
    visited.page.click("#section-explanation button")
    told = visited.page.locator("#section-explanation .problem .decision")
    assert told.inner_text() == "The explanation cannot be shown"


def test_without_a_model_list_the_default_answers(visited: Visit) -> None:
    visited.page.route("**/models", lambda route: route.abort())
    visited.page.reload()
    visited.page.wait_for_selector("#status:has-text('The models cannot be listed')")
    visited.choose(factories.page_jpeg())
    assert visited.page.locator("#answer").is_visible()


def test_late_picture_of_a_refusal_leaves_the_next_answer(visited: Visit) -> None:
    visited.page.evaluate(HOLD_THE_FIRST_PICTURE)
    visited.start(factories.blank_png())
    visited.page.wait_for_selector("body[data-state=refused]")
    assert visited.page.evaluate("document.activeElement.id") == "problem", "which waits for no picture"
    visited.choose(factories.page_jpeg())
    visited.page.evaluate("release()")
    assert visited.page.locator("#answers").is_visible()
    assert visited.page.locator("#section-page canvas").is_visible()
    assert not visited.page.locator("#problem").is_visible()


def test_after_a_refusal_the_next_page_is_answered(visited: Visit) -> None:
    visited.choose(factories.blank_png())
    visited.choose(factories.page_jpeg())
    assert visited.page.locator("#answer").is_visible()
    assert not visited.page.locator("#problem").is_visible()
