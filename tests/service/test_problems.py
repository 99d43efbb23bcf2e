"""Every refusal: its status, its code, and the one shape they all have."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request

from model_registry.registry import Registry
from service.errors import KINDS, Kind, ServiceError
from service.models.onnx import Classifier
from service.problems import handle_errors
from shared_preproc.errors import UNSUITABLE_DIMENSIONS, PreprocError
from tests import factories
from tests.bundles import publish_tiny
from tests.service.classifiers import FailingClassifier, GatedClassifier, NumberlessClassifier
from tests.service.serving import PROBLEM_FIELDS, file_form, form, problem, serving, settings_for

SMALL_LIMIT_BYTES = 100_000
PAGE = factories.page_jpeg()
FILE = 'name="file"; filename="Jane Doe.jpg"'

BAD_PAGES: list[tuple[Callable[[], bytes], int, str]] = [
    (lambda: b"not a picture", 415, "unsupported_format"),
    (lambda: b"%PDF-1.7\n", 422, "undecodable_image"),
    (lambda: b"RIFF\x00\x00\x00\x00WEBPVP8 ", 422, "undecodable_image"),
    (factories.heic, 415, "unsupported_format"),
    (factories.gray16_png, 415, "unsupported_format"),
    (factories.rgb16_png, 415, "unsupported_format"),
    (factories.cmyk_jpeg, 415, "unsupported_format"),
    (factories.apng, 415, "unsupported_format"),
    (factories.mpo, 415, "unsupported_format"),
    (factories.truncated_jpeg, 422, "undecodable_image"),
    (factories.truncated_png, 422, "undecodable_image"),
    (lambda: b"\xff\xd8\xff", 422, "undecodable_image"),
    (lambda: b"\x89PNG\r\n\x1a\n", 422, "undecodable_image"),
    (factories.bomb_png, 422, "unsuitable_dimensions"),
    (lambda: factories.resized_png(600, 426), 422, "unsuitable_dimensions"),
    (lambda: factories.resized_png(1, 1), 422, "unsuitable_dimensions"),
    (factories.noise_jpeg, 422, "not_an_ecg_page"),
    (factories.noise_png, 422, "not_an_ecg_page"),
    (factories.blank_png, 422, "not_an_ecg_page"),
    (factories.page_without_leads_png, 422, "unreadable_leads"),
]


@pytest.mark.parametrize(("make", "status", "code"), BAD_PAGES)
def test_bad_pages(client: httpx.Client, make: Callable[[], bytes], status: int, code: str) -> None:
    content = make()
    by_form = problem(client.post("/classify", **file_form(content)), status, code)
    raw = problem(client.post("/classify", content=content, headers={"Content-Type": "image/jpeg"}), status, code)
    assert by_form | {"request_id": ""} == raw | {"request_id": ""}
    assert "Jane" not in str(by_form)


@pytest.mark.parametrize(
    ("make", "code"),
    [(factories.blank_png, "not_an_ecg_page"), (factories.page_without_leads_png, "unreadable_leads")],
)
def test_what_is_no_page_never_reaches_the_model(models_dir: Path, make: Callable[[], bytes], code: str) -> None:
    with serving(settings_for(models_dir), lambda _: FailingClassifier()) as client:
        body = problem(client.post("/classify?explain=true", content=make()), 422, code)
    assert any(character.isdigit() for character in body["found"]), "what was measured"


def test_unsuitable_dimensions_are_told_in_the_published_words(client: httpx.Client) -> None:
    body = problem(client.post("/classify", content=factories.resized_png(600, 426)), 422, "unsuitable_dimensions")
    assert body["title"] == UNSUITABLE_DIMENSIONS
    assert body["found"] == "600 x 426 px"
    assert "2213 x 1572 px" in body["expected"]


@pytest.mark.parametrize(
    ("request_line", "request_parts", "status", "code"),
    [
        ("POST /classify", {}, 422, "missing_file"),
        ("POST /classify", file_form(b""), 422, "missing_file"),
        ("POST /classify", form(('name="image"', PAGE)), 422, "missing_file"),
        ("POST /classify", form((FILE, PAGE), (FILE, PAGE)), 422, "unexpected_parts"),
        ("POST /classify", form((FILE, PAGE), ('name="b"; filename="b"', b"")), 422, "unexpected_parts"),
        ("POST /classify", form((FILE, PAGE), close=False), 400, "malformed_multipart"),
        ("POST /classify?model=none", {"content": PAGE}, 404, "unknown_model"),
        ("POST /classify?model=tiny/99", {"content": PAGE}, 404, "unknown_model"),
        ("POST /classify?model=../tiny/1", {"content": PAGE}, 404, "unknown_model"),
        ("POST /classify?model=%00", {"content": PAGE}, 404, "unknown_model"),
        ("POST /classify?model=", {"content": PAGE}, 404, "unknown_model"),
        ("POST /classify?model=damaged", {"content": PAGE}, 503, "broken_model"),
        ("POST /classify?modle=tiny", {"content": PAGE}, 422, "invalid_request"),
        ("POST /classify?explain=maybe", {"content": PAGE}, 422, "invalid_request"),
        ("GET /models/none/1/card", {}, 404, "unknown_model"),
        ("GET /models/tiny/99/card", {}, 404, "unknown_model"),
        ("GET /models/tiny/01/card", {}, 404, "unknown_model"),
        ("GET /models/production/1/card", {}, 404, "unknown_model"),
        ("GET /models/%2e%2e/1/card", {}, 404, "unknown_model"),
        ("GET /models/tiny/1", {}, 404, "not_found"),
        ("GET /classify", {}, 405, "method_not_allowed"),
        ("DELETE /models", {}, 405, "method_not_allowed"),
        ("PUT /web/style.css", {}, 405, "method_not_allowed"),
        ("GET /nothing/here", {}, 404, "not_found"),
        ("GET /web/../settings.py", {}, 404, "not_found"),
        ("GET /web/%2e%2e/settings.py", {}, 404, "not_found"),
        ("GET /web/", {}, 404, "not_found"),
        ("GET /health/live/", {}, 404, "not_found"),
    ],
)
def test_every_failing_route_gives_one_body_shape(
    client: httpx.Client, request_line: str, request_parts: dict[str, Any], status: int, code: str
) -> None:
    method, path = request_line.split()
    problem(client.request(method, path, **request_parts), status, code)


def test_of_many_unknown_parameters_few_are_named(client: httpx.Client) -> None:
    query = "&".join(f"p{number}" for number in range(300))
    response = client.post(f"/classify?{query}", content=PAGE)
    body = problem(response, 422, "invalid_request")
    assert body["found"] == 'the unknown query parameter "p0", "p1", "p2"'
    assert len(response.content) < 1000


def test_every_described_route_names_unknown_parameters(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()["paths"]
    for path, method in ((path, method) for path, methods in described.items() for method in methods):
        parameters = described[path][method].get("parameters", [])
        known = sorted(one["name"] for one in parameters if one["in"] == "query")
        url = path.format(name="tiny", model="tiny", version="1")
        response = client.request(method, url, params={"Model": "tiny"})
        if "/health" in path or path == "/metrics":
            assert response.is_success, path
            continue
        assert response.status_code == 422, path
        found = f'Found: the unknown query parameter "Model". Expected: {", ".join(known) or "no parameters"}.'
        assert found in response.json().get("detail", response.json().get("error")), path


def test_parameter_given_twice_is_refused(client: httpx.Client) -> None:
    response = client.post("/classify?model=tiny&model=other", content=PAGE)
    assert 'the query parameter "model" more than once' in problem(response, 422, "invalid_request")["found"]


@pytest.mark.parametrize("path", ["/health", "/health/live", "/metrics", "/v2/health/ready", "/", "/docs"])
def test_probes_scrapes_and_files_take_any_parameter(client: httpx.Client, path: str) -> None:
    assert client.get(f"{path}?ts=1&ts=2").is_success


@pytest.mark.parametrize("request_line", ["POST /classify", "GET /models", "GET /v2/models/tiny", "GET /metrics"])
def test_a_query_of_any_length_gets_a_short_answer_at_once(client: httpx.Client, request_line: str) -> None:
    method, path = request_line.split()
    for query in ("x" * 60_000, "&".join(f"p{number}" for number in range(10_000))):
        response = client.request(method, f"{path}?{query}")
        assert (response.status_code, len(response.content) < 1000) == (422, True)
        assert "a query string of more than 2048 bytes" in response.text


def test_405_names_the_allowed_methods(client: httpx.Client) -> None:
    assert client.get("/classify").headers["allow"] == "POST"
    for path in ("/models", "/web/style.css"):
        assert client.delete(path).headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("status", [400, 401, 413, 499])
def test_any_framework_refusal_is_a_problem(status: int) -> None:
    app = FastAPI()
    handle_errors(app)
    handle: Any = app.exception_handlers[HTTPException]
    request = Request({"type": "http", "state": {"request_id": "1"}})
    response = asyncio.run(handle(request, HTTPException(status, headers={"WWW-Authenticate": "Basic"})))
    body = json.loads(response.body)
    assert (response.status_code, body["status"], body["code"]) == (status, status, "http_error")
    assert body.keys() == PROBLEM_FIELDS
    assert response.headers["www-authenticate"] == "Basic"


def test_a_broken_model_is_named_with_its_reason_but_no_path(client: httpx.Client, models_dir: Path) -> None:
    body = problem(client.post("/classify?model=damaged", content=PAGE), 503, "broken_model")
    assert "damaged/1: model.onnx has the SHA-256" in body["found"]
    assert str(models_dir) not in str(body)


@pytest.fixture(scope="module")
def strict_client(models_dir: Path) -> Iterator[httpx.Client]:
    with serving(settings_for(models_dir, max_body_bytes=SMALL_LIMIT_BYTES)) as client:
        yield client


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("wrap", [lambda content: {"content": content}, file_form])
def test_a_body_over_the_limit(strict_client: httpx.Client, wrap: Any, announced: bool) -> None:
    request_parts = wrap(bytes(SMALL_LIMIT_BYTES + 1))
    if not announced:
        request_parts["content"] = iter([request_parts["content"]])
    body = problem(strict_client.post("/classify", **request_parts), 413, "body_too_large")
    assert str(SMALL_LIMIT_BYTES) in body["expected"]


@pytest.mark.parametrize("faulty", [FailingClassifier(), NumberlessClassifier()])
def test_an_unforeseen_fault_says_nothing_of_itself(
    models_dir: Path, faulty: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(settings_for(models_dir), lambda _: faulty) as client:
        response = client.post("/classify", content=PAGE)
        body = problem(response, 500, "internal_error")
    assert "secret" not in response.text
    (logged,) = [record for record in caplog.records if record.msg == "internal_error"]
    assert vars(logged)["fields"] == {"request_id": body["request_id"]}
    assert logged.exc_info


def test_too_many_waiting_requests(models_dir: Path) -> None:
    settings = settings_for(models_dir, workers=1, max_waiting_requests=0)
    slow = GatedClassifier()
    with serving(settings, lambda _: slow) as client, ThreadPoolExecutor(1) as threads:
        first = threads.submit(client.post, "/classify", content=PAGE)
        assert slow.entered.wait(10)
        refused = client.post("/classify", content=PAGE)
        assert client.get("/health").status_code == 200
        slow.gate.set()
        assert first.result().status_code == 200
    problem(refused, 503, "overloaded")
    assert refused.headers["retry-after"] == "1"


def test_a_registry_that_cannot_be_read(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    publish_tiny(registry)
    registry.promote("tiny/1")
    with serving(settings_for(tmp_path)) as client:
        (tmp_path / "aliases.json").write_text("{")
        problem(client.get("/models"), 503, "registry_unavailable")
        problem(client.post("/classify?model=tiny", content=PAGE), 503, "registry_unavailable")
        assert client.post("/classify", content=PAGE).status_code == 200


def test_every_refusal_has_a_kind_and_every_code_one_meaning() -> None:
    for tree in (ServiceError, PreprocError):
        for error in leaves(tree):
            assert error in KINDS, error
    assert len({kind.code for kind in KINDS.values()}) == len(KINDS)


def leaves(error: type[Exception]) -> list[type[Exception]]:
    below = error.__subclasses__()
    return [leaf for sub in below for leaf in leaves(sub)] if below else [error]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.code)
def test_every_code_is_documented(kind: Kind, client: httpx.Client) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    assert f"| {kind.status} | `{kind.code}` |" in documented
    if kind.code in {"not_found", "method_not_allowed", "http_error", "client_gone", "invalid_inference"}:
        return
    description = client.get("/openapi.json").json()
    paths = description["paths"].values()
    assert description["components"]["schemas"]["Problem"]["properties"].keys() == PROBLEM_FIELDS
    responses = [operation["responses"].get(str(kind.status)) for path in paths for operation in path.values()]
    described = [response for response in responses if response and f"`{kind.code}`" in response["description"]]
    assert described
    for response in described:
        assert response["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
