"""Models: chosen, compared, and looked at one by one."""

import httpx
import pytest

from tests.factories import page_jpeg
from tests.service.serving import file_form
from tests.web.browser import Visit


@pytest.mark.parametrize("model", ["fusion/5", "crnn/1", "production"])
def test_the_chosen_bundle_or_alias_answers(visited: Visit, client: httpx.Client, model: str) -> None:
    visited.page.select_option("#model", model)
    visited.choose(page_jpeg())
    shown = visited.answer()
    expected = client.post("/classify", params={"model": model}, **file_form(page_jpeg())).json()
    assert (shown["model"], shown["probabilities"]) == (expected["model"], expected["probabilities"])


def test_other_model_answers_and_the_focus_stays(visited: Visit) -> None:
    visited.choose(page_jpeg())
    visited.page.focus("#model")
    visited.page.select_option("#model", "crnn/1")
    visited.page.wait_for_selector(".answer[aria-label^='Crnn'], .answer[aria-label^='crnn']")
    assert visited.page.evaluate("document.activeElement.id") == "model"
    assert visited.answer()["model"]["name"] == "crnn"


def test_two_models_answer_side_by_side(visited: Visit, client: httpx.Client) -> None:
    visited.page.select_option("#other", "crnn/1")
    visited.choose(page_jpeg())
    one_top, other_top = visited.page.eval_on_selector_all("#cards .answer", "all => all.map((one) => one.offsetTop)")
    assert one_top == other_top, "side by side"
    fusion, crnn = (
        client.post("/classify", params={"model": model}, **file_form(page_jpeg())).json()
        for model in ("fusion/5", "crnn/1")
    )
    rows = [row.locator("td").all_inner_texts() for row in visited.page.locator("#comparison tbody tr").all()]
    for name, (one, other, difference) in zip(fusion["probabilities"], rows, strict=True):
        pair = fusion["probabilities"][name], crnn["probabilities"][name]
        assert [float(one.strip("<> %")), float(other.strip("<> %"))] == pytest.approx(
            [p * 100 for p in pair], abs=0.51
        )
        points = float(difference.replace("\N{MINUS SIGN}", "-"))
        assert points == pytest.approx((pair[1] - pair[0]) * 100, abs=0.51)
    agree = fusion["predicted_class"] == crnn["predicted_class"]
    words = visited.page.locator("#comparison p").inner_text()
    assert words.startswith("Both find" if agree else "They disagree")
    visited.open("leads", "explanation", "raw")
    assert visited.page.locator("#section-leads table.heat").count() == 2
    assert visited.page.locator("#section-explanation .body button").count() == 2
    assert visited.page.locator("#section-raw pre").count() == 4


def test_one_model_that_fails_leaves_the_others_answer(visited: Visit) -> None:
    refusal = {"code": "broken_model", "title": "This model cannot be served", "found": "a", "expected": "b"}
    body = {**refusal, "remedy": "c", "request_id": "1", "status": 503}
    visited.page.route("**/classify?model=crnn*", lambda route: route.fulfill(status=503, json=body))
    visited.page.select_option("#other", "crnn/1")
    visited.choose(page_jpeg())
    assert visited.page.locator("#cards .answer").count() == 2
    assert "This model cannot be served" in visited.page.locator("#cards .problem").inner_text()
    assert visited.answer()["model"]["name"] == "fusion"


@pytest.mark.parametrize("ref", ["fusion/5", "crnn/1"])
def test_a_card_draws_how_the_model_learned_and_what_it_reached(visited: Visit, client: httpx.Client, ref: str) -> None:
    card = client.get(f"/models/{ref}/card").json()
    details = visited.page.locator(f"[id='model-{ref}']")
    details.locator("summary").first.click()
    details.locator(".plots").first.wait_for()
    titles = details.locator(".plotted > figcaption").all_inner_texts()
    assert titles[:2] == ["Accuracy in training and validation", "Loss in training and validation"]
    assert ("Reliability of the probabilities, with 95% intervals" in titles) == (
        card["figures"]["reliability"] is not None
    )
    networks = card["history"]["networks"]
    assert details.locator(".plotted >> nth=0").locator("polyline").count() == 2 * len(networks)
    counts = [
        [int(cell) for cell in row.locator("td").all_inner_texts()]
        for row in details.locator(".confusion tbody tr").all()
    ]
    assert counts == card["figures"]["confusion_matrix"]
    shown = details.locator(".plotted:has-text('Figures of the page') svg").text_content() or ""
    assert f"{card['figures']['accuracy']:.3f}" in shown


def test_card_tells_what_the_policy_for_other_hospitals_gives(visited: Visit) -> None:
    visited.page.click("[id='model-fusion/5'] > summary")
    table = visited.page.locator("[id='model-fusion/5'] table:has-text('policy for other hospitals')")
    assert "1268 of 2620" in table.inner_text()


def test_the_numbers_behind_a_chart_can_be_read(visited: Visit, client: httpx.Client) -> None:
    (epochs,) = client.get("/models/crnn/1/card").json()["history"]["networks"]
    visited.page.click("[id='model-crnn/1'] > summary")
    chart = visited.page.locator("[id='model-crnn/1'] .plotted >> nth=1")
    chart.locator("summary").click()
    rows = [row.locator("td").all_inner_texts() for row in chart.locator("tbody tr").all()]
    assert rows == [[f"{epoch['loss']:.3f}", f"{epoch['val_loss']:.3f}"] for epoch in epochs]


def test_the_answer_leads_to_the_card_of_its_model(visited: Visit) -> None:
    visited.choose(page_jpeg())
    visited.details()
    visited.page.click("#answer a:has-text('fusion, version 5')")
    assert visited.page.evaluate("decodeURIComponent(location.hash)") == "#model-fusion/5"
    visited.page.locator("[id='model-fusion/5'] .plots").first.wait_for()


def test_no_title_promises_an_interval_that_is_not_there(visited: Visit, client: httpx.Client) -> None:
    visited.page.click("[id='model-crnn/1'] > summary")
    titles = visited.page.locator("[id='model-crnn/1'] .plotted > figcaption")
    titles.first.wait_for()
    assert "Figures of the page, with 95% intervals where they are known" in titles.all_inner_texts()
    card = client.get("/models/crnn/1/card").json()
    card["figures"]["accuracy_ci95"] = None
    visited.page.route("**/models/crnn/1/card", lambda route: route.fulfill(json=card))
    visited.page.reload()
    visited.page.click("[id='model-crnn/1'] > summary")
    titles.first.wait_for()
    assert "Figures of the page" in titles.all_inner_texts()


def test_what_a_networks_curves_and_figures_count_is_told(visited: Visit) -> None:
    visited.page.click("[id='model-crnn/1'] > summary")
    told = visited.page.locator("[id='model-crnn/1'] p:has-text('Judged on 63 pages')").inner_text()
    assert "the curves of its training count lead images" in told
    assert "No copies; no record on two sides." in told


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ("leak-free", "judged without copies, no record on two sides"),
        ("published", "says nothing about new patients"),
        (None, "how the pages were split is not said"),
    ],
)
def test_an_accuracy_in_the_list_says_how_it_came_about(
    visited: Visit, client: httpx.Client, protocol: str | None, words: str
) -> None:
    listed = client.get("/models").json()
    for model in listed["models"]:
        model["metrics"]["protocol"] = protocol
    visited.page.route("**/models", lambda route: route.fulfill(json=listed))
    visited.page.reload()
    for name, shown in (
        ("fusion/5", "92.4% (95% interval 89.8% to 95.0%)"),
        ("crnn/1", "71.4% (95% interval 59.3% to"),
    ):
        line = visited.page.locator(f"[id='model-{name}'] > summary").inner_text()
        assert f"accuracy {shown}" in line.lower()
        assert words in line


def test_compare_offers_each_other_model_once(visited: Visit) -> None:
    values = "all => all.map((one) => one.value)"
    assert visited.page.eval_on_selector_all("#other option", values) == ["", "crnn/1"]
    visited.page.select_option("#other", "crnn/1")
    visited.page.select_option("#model", "crnn/1")
    assert visited.page.eval_on_selector_all("#other option", values) == ["", "fusion/5"]
    assert visited.page.input_value("#other") == ""


def test_weak_models_are_marked(visited: Visit) -> None:
    words = "for comparison, misses infarctions"
    assert words in (visited.page.locator("#other option[value='crnn/1']").text_content() or "")
    assert words in visited.page.locator("[id='model-crnn/1'] > summary").inner_text()
    assert words not in visited.page.locator("[id='model-fusion/5'] > summary").inner_text()
    visited.page.select_option("#model", "crnn/1")
    visited.choose(page_jpeg())
    assert "it misses infarctions" in visited.page.locator("#answer .banner").inner_text()
