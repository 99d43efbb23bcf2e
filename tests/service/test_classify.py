"""POST /classify, answered: what is said, about which file, by which model."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from model_registry.registry import Registry
from service.explain import explain
from service.models.onnx import OnnxClassifier
from shared_preproc.leads import LEADS
from shared_preproc.page import decode_page
from shared_preproc.pipeline import preprocess, read_page
from shared_preproc.quality import measure_quality
from shared_preproc.spec import MASKS_150
from tests import factories
from tests.bundles import CLASS_NAMES
from tests.factories import page_jpeg, page_png
from tests.service.serving import file_form

LEAD_NAMES = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6", "rhythm_strip"]

FIELDS = [
    *("request_id", "predicted_class", "probabilities", "decision", "reasons", "operating_point", "policy"),
    *("readers", "findings", "seen_in_training", "quality", "measurements", "leads", "model", "source"),
    *("placement", "image", "timings_ms"),
]


def answered(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def without_chance(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in {"request_id", "timings_ms"}}


def test_the_whole_answer(client: httpx.Client, models_dir: Path) -> None:
    page = page_jpeg()
    response = client.post("/classify", **file_form(page))
    answer = answered(response)
    assert list(answer) == FIELDS
    assert answer["request_id"] == response.headers["x-request-id"]
    assert [lead["lead"] for lead in answer["leads"]] == LEAD_NAMES
    for part in (answer, *answer["leads"]):
        assert tuple(part["probabilities"]) == CLASS_NAMES
        assert sum(part["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert part["predicted_class"] == max(part["probabilities"], key=part["probabilities"].get)
    manifest = Registry(models_dir).load("tiny/1").manifest
    assert answer["model"] == {
        "name": "tiny",
        "version": "1",
        "sha256": manifest.model_sha256,
        "preprocessing": MASKS_150.fingerprint,
    }
    digest = hashlib.sha256(page).hexdigest()
    assert answer["source"] == {"kind": "jpeg", "how": "The picture as sent.", "sha256": digest}
    assert answer["image"] == {"sha256": digest, "format": "JPEG", "width_px": 2213, "height_px": 1572}
    assert list(answer["quality"]) == ["heart_rate_bpm", "rate", "regular", "einthoven_residual_mv", "coverage"]
    assert (answer["readers"], answer["findings"], answer["policy"]) == (None, [], None)
    assert list(answer["quality"]["coverage"]) == LEAD_NAMES
    assert all(lead["explanation"] is None for lead in answer["leads"])
    timings = answer["timings_ms"]
    assert list(timings) == ["decode", "preprocess", "examine", "inference", "explain", "total"]
    assert timings["explain"] is None
    assert 0 < sum(timings[step] for step in ("decode", "preprocess", "examine", "inference")) <= timings["total"]


def test_what_is_measured_on_the_page_is_sent_as_measured(client: httpx.Client) -> None:
    sent = answered(client.post("/classify", content=page_jpeg()))["quality"]
    measured = measure_quality(read_page(decode_page(page_jpeg(), MASKS_150.layout), MASKS_150), MASKS_150)
    assert sent["heart_rate_bpm"] == pytest.approx(measured.heart_rate_bpm, abs=0.05)
    assert (sent["rate"], sent["regular"]) == (measured.rate, measured.regular)
    assert sent["einthoven_residual_mv"] == pytest.approx(measured.einthoven_residual_mv, abs=1e-3)
    assert sent["coverage"] == pytest.approx(measured.coverage, abs=1e-4)


@pytest.mark.parametrize("asked", ["true", "1"])
def test_explanation_gives_each_leads_share_and_place(client: httpx.Client, models_dir: Path, asked: str) -> None:
    answer = answered(client.post(f"/classify?explain={asked}", content=page_jpeg()))
    explained = {lead["lead"]: lead["explanation"] for lead in answer["leads"]}
    assert sum(one["weight"] for one in explained.values()) == pytest.approx(1, abs=1e-3)
    model = OnnxClassifier(Registry(models_dir).load("tiny/1"), wanted="cpu", threads=1)
    predicted = CLASS_NAMES.index(answer["predicted_class"])
    for lead, evidence in explain(preprocess(page_jpeg(), MASKS_150), MASKS_150, model, predicted).items():
        sent = explained[lead]
        assert sent["weight"] == pytest.approx(evidence.weight, abs=1e-4)
        assert sent["rate_hz"] == evidence.rate_hz
        assert sent["curve"] == pytest.approx(list(evidence.curve), abs=1e-4)
    timings = answer["timings_ms"]
    assert 0 < timings["explain"] < timings["total"]
    assert without_chance(answer) | {"leads": None} == without_chance(
        answered(client.post("/classify?explain=false", content=page_jpeg()))
    ) | {"leads": None}


def test_the_numbers_are_the_models_each_under_its_own_lead(client: httpx.Client, models_dir: Path) -> None:
    answer = answered(client.post("/classify", **file_form(page_png(seed=3))))
    model = OnnxClassifier(Registry(models_dir).load("tiny/1"), wanted="cpu", threads=1)
    expected = model.run(preprocess(page_png(seed=3), MASKS_150)[np.newaxis])
    by_name = dict(zip(MASKS_150.layout.leads, expected.leads[0], strict=True))
    assert len({tuple(lead) for lead in expected.leads[0].tolist()}) > 10, "a mixed-up order would go unseen"
    for lead, sent in zip(LEADS, answer["leads"], strict=True):
        np.testing.assert_allclose(list(sent["probabilities"].values()), by_name[lead], atol=1e-4)
    np.testing.assert_allclose(list(answer["probabilities"].values()), expected.pages[0], atol=1e-4)


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "application/octet-stream", None])
def test_a_raw_body_is_judged_by_its_content(client: httpx.Client, media_type: str | None) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = answered(client.post("/classify", content=page_png(), headers=headers))
    assert answer["image"]["format"] == "PNG"
    form_answer = answered(client.post("/classify", **file_form(page_png())))
    assert without_chance(answer) == without_chance(form_answer)


@pytest.mark.parametrize(
    ("make", "width_px", "height_px"),
    [
        (lambda: factories.rotated_jpeg(6), 2213, 1572),
        (factories.progressive_jpeg, 2213, 1572),
        (factories.palette_png, 2213, 1572),
        (factories.rgba_png, 2213, 1572),
        (lambda: factories.resized_png(2233, 1552), 2233, 1552),
    ],
)
def test_odd_pages_are_classified(
    client: httpx.Client, make: Callable[[], bytes], width_px: int, height_px: int
) -> None:
    image = answered(client.post("/classify", content=make()))["image"]
    assert (image["width_px"], image["height_px"]) == (width_px, height_px)


@pytest.mark.parametrize(
    ("reference", "answering"),
    [("production", "tiny/1"), ("tiny", "tiny/2"), ("tiny/1", "tiny/1"), ("tiny/2", "tiny/2"), ("other", "other/1")],
)
def test_the_model_that_is_asked_for_answers(client: httpx.Client, reference: str, answering: str) -> None:
    answer = answered(client.post("/classify", params={"model": reference}, content=page_jpeg()))
    assert f"{answer['model']['name']}/{answer['model']['version']}" == answering


def test_concurrent_answers_are_the_sequential_ones(client: httpx.Client) -> None:
    def classify(seed_and_model: tuple[int, str]) -> dict[str, Any]:
        seed, model = seed_and_model
        return without_chance(answered(client.post("/classify", params={"model": model}, content=page_jpeg(seed=seed))))

    requests = [(seed, model) for seed in range(4) for model in ("production", "other", "tiny/2")]
    sequential = [classify(request) for request in requests]
    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(classify, requests)) == sequential
