"""The first glance: what to do, in plain words and colour, with the ECG in the same window."""

from typing import Any

import httpx
import pytest

from tests.factories import page_jpeg
from tests.service.serving import file_form
from tests.web.browser import Visit
from tests.web.conftest import Visiting

PROBABILITIES = {"abnormal_heartbeat": 0.02, "history_of_mi": 0.02, "myocardial_infarction": 0.02, "normal": 0.94}
RED = "rgb(179, 20, 13)"


@pytest.fixture(scope="module")
def answer(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.post("/classify", **file_form(page_jpeg())).json()
    return found


def show(visit: Visit, answer: dict[str, Any], most: str, *codes: str, infarction: float = 0.02) -> None:
    """Have the service give this class, for these reasons, and choose a page."""
    changed = answer | {
        "predicted_class": most,
        "probabilities": PROBABILITIES | {"normal": 0.02} | {most: 0.94} | {"myocardial_infarction": infarction},
        "decision": "referred" if codes else "reported",
        "reasons": [{"code": code, "message": f"the service's words for {code}"} for code in codes],
        "seen_in_training": False,
    }
    visit.page.route("**/classify*", lambda route: route.fulfill(json=changed))
    visit.choose(page_jpeg())


def title(visit: Visit) -> str:
    return visit.page.locator("#answer .banner h3").inner_text()


def ground(visit: Visit) -> str:
    colour: str = visit.page.eval_on_selector("#answer .banner", "one => getComputedStyle(one).backgroundColor")
    return colour


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_infarction_is_red(visiting: Visiting, answer: dict[str, Any], scheme: str) -> None:
    visit = visiting(color_scheme=scheme)
    show(visit, answer, "myocardial_infarction", infarction=0.94)
    assert title(visit) == "Possible infarction: have a clinician look now"
    assert ground(visit) == RED


def test_flagged_infarction_is_red_whatever_is_most_probable(visited: Visit, answer: dict[str, Any]) -> None:
    show(visited, answer, "normal", "possible_critical_class", infarction=0.3)
    assert title(visited) == "Possible infarction: have a clinician look now"
    assert ground(visited) == RED


@pytest.mark.parametrize(
    ("most", "words"),
    [("normal", "Looks normal"), ("abnormal_heartbeat", "Abnormal"), ("history_of_mi", "Abnormal")],
)
def test_reported_classes_are_said_in_plain_words(
    visited: Visit, answer: dict[str, Any], most: str, words: str
) -> None:
    show(visited, answer, most)
    assert title(visited) == words
    assert ground(visited) != RED
    assert "eported" not in visited.page.locator("#answer .banner").inner_text()


def test_doubt_says_why_a_person_is_needed(visited: Visit, answer: dict[str, Any]) -> None:
    show(visited, answer, "normal", "readers_disagree", "possible_infarction", "brand_new_code")
    assert title(visited) == "Not sure: needs a person"
    assert visited.page.locator("#answer .because li").all_inner_texts() == [
        "because one of the two networks sees signs of infarction",
        "because the model's two networks do not agree",
        "because the service's words for brand_new_code",
    ]


def test_details_hold_hashes_and_the_services_words(visited: Visit, answer: dict[str, Any]) -> None:
    show(visited, answer, "normal", "uncertain")
    assert answer["image"]["sha256"] not in visited.page.locator("#answer").inner_text()
    visited.details()
    shown = visited.page.locator("#answer .details").inner_text()
    assert answer["image"]["sha256"] in shown
    assert "the service's words for uncertain" in shown


def test_verdict_classes_and_ecg_fit_one_window(visiting: Visiting) -> None:
    visit = visiting(viewport={"width": 1280, "height": 800})
    visit.choose(page_jpeg())
    assert visit.page.evaluate("scrollY") == 0
    for shown in ("#answer .banner", "#answer .bars", "#ecg .ecg-frame"):
        box = visit.page.locator(shown).bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 800


def test_spanish_says_the_same(visited: Visit, answer: dict[str, Any]) -> None:
    show(visited, answer, "myocardial_infarction", infarction=0.94)
    visited.page.select_option("#language", "es")
    visited.page.wait_for_selector("html[lang=es]")
    assert title(visited) == "Posible infarto: que un médico lo mire ahora"
    assert visited.page.evaluate("document.documentElement.lang") == "es"
    assert visited.page.locator("#ecg svg .name").last.text_content() == "Tira de ritmo"
    assert "lang=es" in visited.page.url
