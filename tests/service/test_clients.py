"""Clients that generators make of the OpenAPI description: generated, imported, called."""

import importlib
import json
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.errors import KINDS
from tests.conftest import REPOSITORY
from tests.factories import blank_png, page_jpeg
from tests.service import npm

PACKAGE = "ecg_report_classifier_client"
TYPESCRIPT = Path(__file__).parent / "typescript"
COMPILE = ("--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext")


@pytest.fixture(scope="module")
def generated(client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Python client that openapi-python-client makes."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(client.get("/openapi.json").text)
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--meta", "none"]
    subprocess.run(
        [*command, "--output-path", PACKAGE], cwd=folder, check=True, capture_output=True, text=True, timeout=120
    )
    return folder


@pytest.fixture
def module(generated: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(generated)
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")


def classified(module: Any, client: httpx.Client, page: bytes) -> Any:
    body = module("models").ClassifyFilesBody(file=module("types").File(payload=BytesIO(page), file_name="page"))
    with module("client").Client(base_url=str(client.base_url)) as connection:
        return module("api.classification.classify").sync(client=connection, body=body)


def test_generated_client_reads_an_answer(module: Any, client: httpx.Client) -> None:
    answer = classified(module, client, page_jpeg())
    assert sum(answer.probabilities.additional_properties.values()) == pytest.approx(1, abs=1e-3)
    assert len(answer.leads) == 13


def test_generated_client_reads_a_problem(module: Any, client: httpx.Client) -> None:
    problem = classified(module, client, blank_png())
    assert problem.code is module("models").ProblemCode.NOT_AN_ECG_PAGE
    assert problem.remedy


@pytest.fixture(scope="module")
def compiled(client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of client.ts, compiled with the types that openapi-typescript makes."""
    folder = npm.project(TYPESCRIPT, tmp_path_factory.mktemp("typescript"))
    programs = folder / "node_modules" / ".bin"
    (folder / "openapi.json").write_text(client.get("/openapi.json").text)
    npm.run(folder, programs / "openapi-typescript", "openapi.json", "-o", "api.ts")
    npm.run(folder, programs / "tsc", *COMPILE, "client.ts")
    return folder


def typescript(compiled: Path, client: httpx.Client, page: bytes) -> Any:
    (compiled / "page").write_bytes(page)
    return json.loads(npm.run(compiled, "node", "client.js", str(client.base_url).rstrip("/"), "page"))


@pytest.mark.slow
def test_typescript_client_reads_an_answer(compiled: Path, client: httpx.Client) -> None:
    answer = typescript(compiled, client, page_jpeg())
    assert answer["total"] == pytest.approx(1, abs=1e-3)
    assert answer["decision"] == "referred"


@pytest.mark.slow
def test_typescript_client_reads_a_problem(compiled: Path, client: httpx.Client) -> None:
    problem = typescript(compiled, client, blank_png())
    assert (problem["code"], problem["retryable"]) == ("not_an_ecg_page", False)
    assert problem["remedy"]


def test_description_names_every_code_once(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["Problem"]["properties"]["code"]["enum"] == sorted(kind.code for kind in KINDS.values())
    assert {"uncertain", "leads_disagree"} <= set(schemas["Reason"]["properties"]["code"]["enum"])


def test_every_reason_is_described_and_has_words(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()["components"]["schemas"]["Reason"]["properties"]["code"]["enum"]
    made = re.compile(r'(?:Doubt|Reason)\(\s*"([a-z_]+)"')
    folders = ("model_registry", "service", "shared_preproc")
    sources = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]
    assert {code for path in sources for code in made.findall(path.read_text())} == set(described)
    for language in ("en", "es"):
        texts = (REPOSITORY / "service" / "web" / f"texts-{language}.js").read_text()
        assert set(re.findall(r'"reason\.([a-z_]+)"', texts)) == set(described)
