"""The Open Inference Protocol: by Triton's own client, and by what the protocol's text says."""

import base64
import json
import struct
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as tritonhttp

from shared_preproc.leads import LEADS
from tests import factories
from tests.bundles import CLASS_NAMES
from tests.service.inference import error, page_input

PAGES = [factories.page_jpeg(), factories.page_jpeg(seed=1)]
INFER = "/v2/models/production/infer"


def as_bytes(*pages: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(page)) + page for page in pages)


def expected(client: httpx.Client, page: bytes, model: str = "production") -> dict[str, Any]:
    body: dict[str, Any] = client.post(f"/classify?model={model}", content=page).json()
    return body


def test_the_server(client: httpx.Client) -> None:
    assert client.get("/v2").json()["name"] == "ecg-report-classifier"
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}


@pytest.mark.parametrize("path", ["/v2/models/production", "/v2/models/tiny/versions/1"])
def test_a_model(client: httpx.Client, path: str) -> None:
    metadata = client.get(path).json()
    assert (metadata["name"], metadata["versions"], metadata["platform"]) == ("tiny", ["1"], "onnx_onnxruntime")
    assert metadata["inputs"] == [{"name": "page", "datatype": "BYTES", "shape": [-1]}]
    assert [(one["name"], one["datatype"], one["shape"]) for one in metadata["outputs"]] == [
        ("page_probabilities", "FP32", [-1, 4]),
        ("lead_probabilities", "FP32", [-1, 13, 4]),
        ("decision", "BYTES", [-1]),
    ]
    assert metadata["parameters"]["class_names"] == ",".join(CLASS_NAMES)
    assert client.get(f"{path}/ready").json() == {"name": "tiny", "ready": True}


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_the_answer_is_that_of_classify(client: httpx.Client, shape: list[int]) -> None:
    body = {"id": "mine", "inputs": [page_input(*PAGES, shape=shape)]}
    answer = client.post("/v2/models/tiny/versions/2/infer", json=body).json()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("mine", "tiny", "2")
    pages, leads, decision = answer["outputs"]
    assert (pages["shape"], leads["shape"], decision["shape"]) == ([2, 4], [2, 13, 4], [2])
    by_page = np.reshape(pages["data"], pages["shape"])
    by_lead = np.reshape(leads["data"], leads["shape"])
    for index, page in enumerate(PAGES):
        said = expected(client, page, "tiny/2")
        assert by_page[index] == pytest.approx([said["probabilities"][name] for name in CLASS_NAMES], abs=1e-4)
        for lead, (name, entry) in enumerate(zip(LEADS, said["leads"], strict=True)):
            assert entry["lead"] == name
            expected_lead = [entry["probabilities"][one] for one in CLASS_NAMES]
            assert by_lead[index, lead] == pytest.approx(expected_lead, abs=1e-4)
        assert decision["data"][index] == said["decision"]


def test_a_request_without_an_id_gets_the_services(client: httpx.Client) -> None:
    response = client.post(INFER, json={"inputs": [page_input(PAGES[0])]})
    assert response.json()["id"] == response.headers["x-request-id"]


def test_only_the_outputs_that_are_asked_for(client: httpx.Client) -> None:
    body = {"inputs": [page_input(PAGES[0])], "outputs": [{"name": "decision"}]}
    assert [one["name"] for one in client.post(INFER, json=body).json()["outputs"]] == ["decision"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": []},
        {"inputs": [page_input(PAGES[0]), page_input(PAGES[0])]},
        {"inputs": [page_input(PAGES[0], name="image")]},
        {"inputs": [page_input(PAGES[0], datatype="UINT8")]},
        {"inputs": [page_input(PAGES[0], shape=[2])]},
        {"inputs": [page_input(PAGES[0], shape=[1, 1, 1])]},
        {"inputs": [page_input(PAGES[0], data=["no base64!"])]},
        {"inputs": [page_input(PAGES[0], data=None)]},
        {"inputs": [page_input()]},
        {"inputs": [page_input(*[b"x"] * 17)]},
        {"inputs": [page_input(PAGES[0])], "outputs": [{"name": "logits"}]},
        {"inputs": [page_input(PAGES[0])], "id": "x" * 1000},
    ],
)
def test_what_the_protocol_does_not_want(client: httpx.Client, body: dict[str, Any]) -> None:
    error(client.post(INFER, json=body), 400, "invalid_inference")


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", PAGES[0], b"[" * 100_000, b'{"inputs":[' + b"[]," * 10**6])
def test_what_is_no_request_at_all(client: httpx.Client, content: bytes) -> None:
    error(client.post(INFER, content=content), 400, "invalid_inference")


@pytest.mark.parametrize(
    ("length", "behind", "size"),
    [
        ("10000000", b"", 0),
        ("-1", b"", 0),
        ("x", b"", 0),
        (None, as_bytes(PAGES[0]), len(PAGES[0]) + 5),
        (None, as_bytes(PAGES[0])[:-1], len(PAGES[0]) + 3),
        (None, b"\x01\x00", 2),
        (None, b"\xff\xff\xff\xff", 4),
    ],
)
def test_bytes_behind_the_json_that_are_not_what_was_said(
    client: httpx.Client, length: str | None, behind: bytes, size: int
) -> None:
    one = {"name": "page", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [one]}).encode()
    headers = {"Inference-Header-Content-Length": length or str(len(head))}
    error(client.post(INFER, content=head + behind, headers=headers), 400, "invalid_inference")


def test_refusals_of_the_service_have_the_form_of_the_protocol(client: httpx.Client) -> None:
    one = {"inputs": [page_input(PAGES[0])]}
    error(client.get("/v2/models/none"), 404, "unknown_model")
    error(client.get("/v2/models/none/ready"), 404, "unknown_model")
    error(client.post("/v2/models/none/infer", json=one), 404, "unknown_model")
    error(client.post("/v2/models/damaged/infer", json=one), 503, "broken_model")
    error(client.post(INFER, json={"inputs": [page_input(PAGES[0], factories.blank_png())]}), 422, "not_an_ecg_page")
    error(client.post(INFER, json=one, headers={"Content-Encoding": "gzip"}), 400, "invalid_inference")
    error(client.post(INFER, json=one, headers={"X-Request-Deadline-Ms": "soon"}), 400, "invalid_inference")
    error(client.post(INFER, content=bytes(13 * 2**20)), 413, "body_too_large")
    error(client.post(INFER, content=b""), 422, "missing_file")
    late = client.post(INFER, json=one, headers={"X-Request-Deadline-Ms": "1"})
    error(late, 503, "deadline_exceeded")
    assert late.headers["retry-after"] == "1"


def test_a_refusal_repeats_nothing_that_was_sent(client: httpx.Client) -> None:
    for body in (
        {"inputs": [page_input(PAGES[0], name="canary")]},
        {"inputs": [page_input(PAGES[0], parameters={"canary": ["canary"]})]},
        {"inputs": [page_input(PAGES[0])], "parameters": {"canary": {}}},
        {"inputs": [page_input(PAGES[0], data=["canary!"])]},
    ):
        assert "canary" not in error(client.post(INFER, json=body), 400, "invalid_inference")


@pytest.fixture
def triton(client: httpx.Client) -> Iterator[Any]:
    triton = tritonhttp.InferenceServerClient(f"{client.base_url.host}:{client.base_url.port}", network_timeout=30.0)
    yield triton
    triton.close()


def test_tritons_client_finds_its_way(triton: Any) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("production")
    assert triton.is_model_ready("tiny", "2")
    assert not triton.is_model_ready("none")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert triton.get_model_metadata("tiny", "2")["versions"] == ["2"]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [None, True, False])
def test_tritons_client_is_answered(
    triton: Any, client: httpx.Client, binary_in: bool, binary_out: bool | None
) -> None:
    page = tritonhttp.InferInput("page", [2], "BYTES")
    sent = PAGES if binary_in else [base64.b64encode(page) for page in PAGES]
    page.set_data_from_numpy(np.array(sent, object), binary_data=binary_in)
    names = ("page_probabilities", "decision")
    wanted = [tritonhttp.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    result = triton.infer("production", [page], outputs=None if binary_out is None else wanted)
    said = [expected(client, one) for one in PAGES]
    by_page = result.as_numpy("page_probabilities")
    assert (by_page.shape, by_page.dtype) == ((2, 4), np.float32)
    for index, one in enumerate(said):
        assert by_page[index] == pytest.approx([one["probabilities"][name] for name in CLASS_NAMES], abs=1e-4)
    decisions = [one if isinstance(one, str) else one.decode() for one in result.as_numpy("decision")]
    assert decisions == [one["decision"] for one in said]


def test_tritons_client_understands_a_refusal(triton: Any) -> None:
    page = tritonhttp.InferInput("page", [1], "BYTES")
    page.set_data_from_numpy(np.array([factories.blank_png()], object))
    with pytest.raises(tritonhttp.InferenceServerException, match="not_an_ecg_page") as refusal:
        triton.infer("production", [page])
    assert refusal.value.status() == "422"


def test_empty_elements_without_number_are_rejected_early(client: httpx.Client) -> None:
    behind = bytes(4 * 1_000_000)
    asked = {"name": "page", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(behind)}}
    head = json.dumps({"inputs": [asked]}).encode()
    began_s = time.process_time()
    answer = client.post(
        "/v2/models/tiny/infer", content=head + behind, headers={"Inference-Header-Content-Length": str(len(head))}
    )
    assert answer.status_code == 400
    assert "17 pages" in answer.json()["error"]
    assert time.process_time() - began_s < 1.0
