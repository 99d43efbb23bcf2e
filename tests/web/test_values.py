"""What is shown is what the service said, to the printed precision."""

from itertools import product
from typing import Any

import httpx
import pytest

from tests.bundles import CLASS_NAMES
from tests.factories import page_jpeg
from tests.service.serving import file_form
from tests.web.browser import Visit


def printed(probability: float) -> str:
    """No decimals above 1 %, and never certain."""
    if probability >= 0.995:
        return "> 99%"
    if probability >= 0.00995 or probability == 0:
        return f"{probability:.0%}"
    return "< 0.1%" if probability < 0.0005 else f"{probability:.1%}"


def agree(shown: str, probability: float) -> bool:
    """Whether it is printed so; a tie may be rounded either way."""
    return shown == printed(probability) or shown in {printed(probability - 1e-9), printed(probability + 1e-9)}


def heat(visit: Visit) -> list[list[str]]:
    rows: list[list[str]] = visit.page.eval_on_selector_all(
        "#section-leads tbody tr", "rows => rows.map((row) => [...row.cells].slice(1).map((cell) => cell.textContent))"
    )
    return rows


def check(visit: Visit, answer: dict[str, Any]) -> None:
    visit.details()
    text = visit.page.locator("#answer").inner_text()
    order = ("myocardial_infarction", "history_of_mi", "abnormal_heartbeat", "normal")
    values = [answer["probabilities"][name] for name in order]
    bars = visit.page.locator("#answer .bars dd span").all_inner_texts()
    widths = visit.page.eval_on_selector_all("#answer .bar .part", "all => all.map((one) => one.width.baseVal.value)")
    assert all(map(agree, bars, values))
    assert widths == pytest.approx([100 * value for value in values], abs=0.01)
    assert agree(text.split("Most probable: ")[1].split(". ")[0].split(", ")[1], max(values))
    assert all(reason["message"] in text for reason in answer["reasons"])
    assert {"reported": "Reported", "referred": "Referred to a person"}[answer["decision"]] in text
    rate = answer["measurements"]["heart_rate_bpm"]
    assert f"{int(rate + 0.5)}/min" in text
    assert ("Tachycardia" in text) is (rate > 100)
    assert ("Bradycardia" in text) is (rate < 60)
    assert {True: "/min, regular", False: "/min, irregular"}[answer["measurements"]["regular"]] in text
    assert f"{answer['quality']['einthoven_residual_mv']:.3f} mV off" in text
    assert f"{min(answer['quality']['coverage'].values()):.1%} of the width" in text
    assert f"{answer['model']['name']}, version {answer['model']['version']}" in text
    assert answer["image"]["sha256"] in text
    for row, lead in zip(heat(visit), answer["leads"], strict=True):
        assert all(map(agree, row, lead["probabilities"].values()))


@pytest.mark.parametrize("seeds", [1, pytest.param(5, marks=pytest.mark.campaign)])
def test_pages_are_shown_as_the_service_answers_them(visited: Visit, client: httpx.Client, seeds: int) -> None:
    for class_name, seed in product(CLASS_NAMES, range(seeds)):
        content = page_jpeg(class_name, seed)
        visited.choose(content)
        visited.open("leads")
        check(visited, client.post("/classify", **file_form(content)).json())
    assert visited.complaints == []


def test_no_probability_is_printed_as_certain(visited: Visit) -> None:
    shown = visited.page.evaluate(
        "values => import('/web/words.js').then(({ probability }) => values.map(probability))",
        [0, 0.0004, 0.0005, 0.0099, 0.00995, 0.5, 0.9949, 0.995, 1],
    )
    assert shown == ["0%", "< 0.1%", "0.1%", "1.0%", "1%", "50%", "99%", "> 99%", "> 99%"]


def test_answer_to_a_training_page_says_so(visited: Visit, client: httpx.Client) -> None:
    answer = {**client.post("/classify", **file_form(page_jpeg())).json(), "seen_in_training": True}
    visited.page.route("**/classify*", lambda route: route.fulfill(json=answer))
    visited.choose(page_jpeg())
    assert "trained on this very file" in visited.page.locator("#answer .banner").inner_text()
