"""POST /reading: what is read off a page, where it lies, and how it refuses."""

import base64
import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model_registry.registry import Registry
from service.routes.reading import read_leads
from shared_preproc.leads import LEADS
from shared_preproc.page import decode_page
from shared_preproc.pipeline import read_page
from shared_preproc.spec import MASKS_150, TRACES_50_HZ
from tests import factories
from tests.factories import page_jpeg, page_png
from tests.service.serving import file_form, problem, serving, settings_for

LAYOUT = MASKS_150.layout
BOXES = dict(LAYOUT.lead_boxes)


def read(client: httpx.Client, page: bytes, **query: Any) -> dict[str, Any]:
    response = client.post("/reading", content=page, params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def picture(sent: dict[str, Any]) -> Image.Image:
    assert sent["media_type"] == "image/png"
    return Image.open(io.BytesIO(base64.b64decode(sent["data"], validate=True)), formats=("PNG",))


def ink(mask: dict[str, Any]) -> NDArray[np.bool_]:
    """Where a mask shows black over any background."""
    image = picture(mask)
    assert image.mode == "1", "one bit a pixel"
    rgba = np.asarray(image.convert("RGBA"))
    opaque = rgba[..., 3] == 255
    assert (rgba[opaque][:, :3] == 0).all()
    assert (rgba[~opaque][:, 3] == 0).all()
    return np.asarray(opaque)


def test_the_whole_reading(client: httpx.Client) -> None:
    response = client.post("/reading", **file_form(page_jpeg()))
    answer = response.json()
    assert list(answer) == ["request_id", "image", "placement", "preprocessing", "page", "leads", "timings_ms"]
    assert answer["request_id"] == response.headers["x-request-id"]
    assert answer["preprocessing"] == MASKS_150.fingerprint
    assert [lead["lead"] for lead in answer["leads"]] == list(LEADS)
    classified = client.post("/classify", **file_form(page_jpeg())).json()
    assert answer["image"] == classified["image"]
    timings = answer["timings_ms"]
    steps = ["decode", "preprocess", "examine", "encode"]
    assert list(timings) == [*steps, "total"]
    assert 0 < sum(timings[step] for step in steps) <= timings["total"]


@pytest.mark.parametrize("page", [page_jpeg(seed=2), page_png(seed=2)])
def test_pictures_are_what_was_read_to_the_pixel(client: httpx.Client, page: bytes) -> None:
    answer = read(client, page)
    decoded = decode_page(page, LAYOUT)
    gray = picture(answer["page"]["gray"])
    assert gray.mode == "L"
    np.testing.assert_array_equal(np.asarray(gray), decoded.gray)
    assert (answer["page"]["width_px"], answer["page"]["height_px"]) == gray.size
    masks = read_page(decoded, MASKS_150).masks
    for lead, sent in zip(LEADS, answer["leads"], strict=True):
        box = BOXES[lead]
        assert sent["box"] == {
            "left_px": box.left,
            "top_px": box.top,
            "width_px": box.width_px,
            "height_px": box.height_px,
        }
        np.testing.assert_array_equal(ink(sent["mask"]), masks[lead] > 0)


@pytest.mark.parametrize("class_name", ["normal", "myocardial_infarction", "abnormal_heartbeat"])
def test_a_curve_lies_on_the_ink_of_its_mask(client: httpx.Client, class_name: str) -> None:
    for sent in read(client, page_jpeg(class_name, seed=1))["leads"]:
        drawn, trace = ink(sent["mask"]), sent["trace"]
        signal = np.array(trace["signal_mv"])
        columns = np.round(trace["start_px"] + np.arange(len(signal)) * trace["step_px"]).astype(int)
        rows = np.round(trace["zero_px"] - signal * trace["px_per_mv"]).astype(int)
        inside = (columns >= 0) & (columns < drawn.shape[1]) & (rows >= 0) & (rows < drawn.shape[0])
        assert inside.mean() > 0.98
        near = [drawn[max(0, y - 2) : y + 3, max(0, x - 1) : x + 2].any() for y, x in zip(rows, columns, strict=True)]
        assert np.mean(np.array(near)[inside]) > 0.97, sent["lead"]
        assert abs(columns[-1] - drawn.shape[1]) < 10
        assert len(signal) / trace["rate_hz"] == (10.0 if sent["lead"] == "rhythm_strip" else 2.5)
        assert len(trace["top_mv"]) == len(trace["bottom_mv"]) == len(signal)
        assert (np.array(trace["bottom_mv"]) <= signal).all()
        assert (signal <= np.array(trace["top_mv"])).all()


def test_curves_are_those_of_the_classifier(client: httpx.Client) -> None:
    traces = read_page(decode_page(page_jpeg(), LAYOUT), MASKS_150).traces
    for lead, sent in zip(LEADS, read(client, page_jpeg())["leads"], strict=True):
        np.testing.assert_allclose(sent["trace"]["signal_mv"], traces[lead].signal_mv, atol=0.00051)


def test_the_model_that_is_asked_for_says_how_the_page_is_read(models_dir: Path) -> None:
    manifest = Registry(models_dir).load("tiny/2").manifest
    with serving(settings_for(models_dir)) as client:
        assert read(client, page_jpeg(), model="tiny/2")["preprocessing"] == manifest.preprocessing_fingerprint
    assert read_leads(page_jpeg(), TRACES_50_HZ, "id").preprocessing == TRACES_50_HZ.fingerprint


REFUSED = [
    (b"", "missing_file", 422),
    (factories.heic(), "unsupported_format", 415),
    (factories.truncated_jpeg(), "undecodable_image", 422),
    (factories.resized_png(600, 426), "unsuitable_dimensions", 422),
]


@pytest.mark.parametrize(("page", "code", "status"), REFUSED)
def test_it_refuses_as_classify_does(client: httpx.Client, page: bytes, code: str, status: int) -> None:
    refusals = [problem(client.post(path, content=page), status, code) for path in ("/reading", "/classify")]
    assert refusals[0] | {"request_id": ""} == refusals[1] | {"request_id": ""}


def test_refused_page_can_be_looked_at(client: httpx.Client) -> None:
    blank = factories.encoded(Image.new("RGB", (LAYOUT.width_px, LAYOUT.height_px), "white"), "PNG")
    problem(client.post("/classify", content=blank), 422, "not_an_ecg_page")
    problem(client.post("/reading", content=blank), 422, "not_an_ecg_page")
    answer = read(client, blank, examine="false")
    assert answer["timings_ms"]["examine"] is None
    assert not any(ink(lead["mask"]).any() for lead in answer["leads"])


def test_what_is_not_asked_for_here_is_refused(client: httpx.Client) -> None:
    problem(client.post("/reading?explain=true", content=page_jpeg()), 422, "invalid_request")
    problem(client.post("/reading?model=nobody", content=page_jpeg()), 404, "unknown_model")
    problem(client.get("/reading"), 405, "method_not_allowed")


def test_a_deadline_holds(client: httpx.Client) -> None:
    response = client.post("/reading", content=page_jpeg(), headers={"X-Request-Deadline-Ms": "1"})
    problem(response, 503, "deadline_exceeded")


def test_the_interface_describes_it(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    reading, classify = paths["/reading"]["post"], paths["/classify"]["post"]
    assert reading["requestBody"] == classify["requestBody"]
    assert {one["name"] for one in reading["parameters"]} == {"model", "examine", "X-Request-Deadline-Ms"}
    assert set(reading["responses"]) == set(classify["responses"])
