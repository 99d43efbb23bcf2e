"""What is told of thresholds: what they gave on pages that they were not chosen on, or that it was on those."""

import json
from typing import Any

import httpx
import pytest
from playwright.sync_api import Route

from tests.factories import page_jpeg
from tests.service.serving import file_form
from tests.web.browser import Visit
from tests.web.conftest import Visiting

CARD = "/models/fusion/5/card"


@pytest.fixture(scope="module")
def card(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get(CARD).json()
    return found


def interval(figures: dict[str, Any], name: str) -> str:
    """A share and its interval as the page words them."""
    low, high = figures[f"{name}_ci95"]
    return f"{figures[name]:.1%} (95% interval {low:.1%} to {high:.1%})"


def decision(visit: Visit) -> str:
    visit.page.click("[id='model-fusion/5'] > summary")
    words = visit.page.locator("[id='model-fusion/5'] p:has-text('A page is referred')")
    return words.inner_text()


def answering(visit: Visit, content: dict[str, Any]) -> None:
    """Have the model give this card."""

    def fulfil(route: Route) -> None:
        route.fulfill(json=content)

    visit.page.route(f"**{CARD}", fulfil)


def test_card_tells_thresholds_by_pages_not_chosen_on(visited: Visit, card: dict[str, Any]) -> None:
    fair, flattering = (card["card"]["decision_figures"][name] for name in ("cross_fitted", "as_fitted"))
    assert fair["accuracy"] < flattering["accuracy"], "otherwise this shows nothing"
    words = decision(visited)
    assert "On pages that the networks had not seen and the thresholds were not chosen on" in words
    for name in ("coverage", "accuracy", "critical_caught"):
        assert interval(fair, name) in words
        assert flattering[name] == fair[name] or interval(flattering, name) not in words


@pytest.mark.parametrize("others", [None, {}, {"decision_figures": None}])
def test_card_without_them_calls_thresholds_in_sample(
    visited: Visit, card: dict[str, Any], others: dict[str, Any] | None
) -> None:
    if others is not None:
        others = {"intended_use": [], "not_intended": [], "limits": []} | others
    answering(visited, card | {"card": others})
    words = decision(visited)
    assert "On the pages that the thresholds were chosen on" in words
    assert f"{card['decision']['accuracy']:.1%}" in words
    assert words.endswith("Expect worse on other pages.")


def test_thresholds_without_reports_show_no_accuracy(visited: Visit, card: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(card))
    none = {"reported": 0, "accuracy": None, "accuracy_ci95": None, "coverage": 0.0, "coverage_ci95": None}
    changed["card"]["decision_figures"]["cross_fitted"] |= none
    answering(visited, changed)
    assert "0.0% were reported. There," in decision(visited)
    assert visited.complaints == []


def test_an_answer_tells_both_and_which_is_which(visited: Visit, card: dict[str, Any]) -> None:
    visited.choose(page_jpeg())
    visited.details()
    notes = visited.page.locator("#answer dd:has-text('flagged from') small")
    notes.nth(0).filter(has_text="referred, or named as such").wait_for()
    fair, chosen = notes.all_inner_texts()
    point = visited.answer()["operating_point"]
    assert interval(card["card"]["decision_figures"]["cross_fitted"], "critical_caught") in fair
    assert fair.startswith("With thresholds chosen on other pages than they were judged on")
    assert interval(point, "sensitivity") in chosen
    assert chosen.startswith("On the pages that it was chosen on")
    assert chosen.endswith("Expect worse on other pages.")
    visited.choose(page_jpeg())
    asked = [request for request in visited.requests if request.url.endswith(CARD)]
    assert len(asked) == 1, "a bundle never changes"


def test_figures_are_shown_for_their_sensitivity_only(visited: Visit, client: httpx.Client) -> None:
    answer = client.post("/classify", **file_form(page_jpeg())).json()
    answer["operating_point"] |= {"target": 0.8, "sensitivity": 0.8}
    visited.page.route("**/classify*", lambda route: route.fulfill(json=answer))
    with visited.page.expect_response(f"**{CARD}"):
        visited.choose(page_jpeg())
    visited.details()
    words = visited.page.locator("#answer dd:has-text('flagged from')").inner_text()
    assert "it flagged 80.0%" in words
    assert "named as such" not in words


@pytest.mark.parametrize("status", [404, 429])
def test_answer_names_its_threshold_source_without_a_card(visiting: Visiting, status: int) -> None:
    visit = visiting()
    visit.page.route(f"**{CARD}", lambda route: route.fulfill(status=status, json={"found": "a", "remedy": "b"}))
    visit.choose(page_jpeg())
    visit.details()
    assert "Expect worse on other pages." in visit.page.locator("#answer").inner_text()


def test_in_sample_thresholds_are_not_called_unseen(visited: Visit, client: httpx.Client) -> None:
    visited.choose(page_jpeg())
    decision(visited)
    described = client.get("/openapi.json").json()
    shown = visited.page.locator("main").inner_text() + json.dumps(described)
    assert "unseen" not in shown.lower()
    points = [one for one in described["components"]["schemas"].values() if "target" in one.get("properties", {})]
    assert ["expect worse on others" in " ".join(one["description"].split()) for one in points] == [True]
