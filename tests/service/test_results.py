"""Answers as FHIR and HL7: valid by independent readers, preliminary, and without a word that was not sent."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hl7apy.validation import Validator

from service.results.codes import Subject
from service.results.fhir import FHIR_MEDIA_TYPE, fhir_transaction
from service.results.hl7 import HL7_MEDIA_TYPE, hl7_message
from service.schemas.classification import Classification
from tests.factories import blank_png, page_jpeg
from tests.service.serving import problem

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
HEADERS = {"X-Patient-ID": "Zoë|^&~\\ 1".encode("ascii", "ignore").decode(), "X-Order-Number": "ORDER-7"}


@pytest.fixture(scope="module")
def answer(client: httpx.Client) -> Classification:
    return Classification.model_validate_json(client.post("/classify", content=page_jpeg()).content)


def posted(client: httpx.Client, media_type: str, page: bytes | None = None) -> httpx.Response:
    return client.post("/classify", content=page or page_jpeg(), headers={"Accept": media_type, **HEADERS})


def resources(bundle: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in bundle["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found


def test_fhir_answer_is_a_valid_preliminary_transaction(client: httpx.Client) -> None:
    response = posted(client, FHIR_MEDIA_TYPE)
    assert response.headers["content-type"] == FHIR_MEDIA_TYPE
    Bundle.model_validate_json(response.content)
    found = resources(response.json())
    assert found.keys() == {"Device", "Observation", "DiagnosticReport", "Provenance"}
    (report,) = found["DiagnosticReport"]
    assert report["subject"] == {"identifier": {"value": HEADERS["X-Patient-ID"]}}
    assert report["basedOn"] == [{"identifier": {"value": "ORDER-7"}}]
    assert {one["status"] for kind in ("Observation", "DiagnosticReport") for one in found[kind]} == {"preliminary"}
    assert all(one["meta"]["security"][0]["code"] == "AIAST" for kind in found for one in found[kind])


def test_description_names_every_media_type_of_an_answer(client: httpx.Client) -> None:
    answered = client.get("/openapi.json").json()["paths"]["/classify"]["post"]["responses"]["200"]["content"]
    assert answered.keys() == {"application/json", FHIR_MEDIA_TYPE, HL7_MEDIA_TYPE}
    assert answered["application/json"]["schema"]["$ref"].endswith("/Classification")


def test_fhir_references_point_into_the_transaction(answer: Classification) -> None:
    bundle = fhir_transaction(answer, Subject(), NOW)
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    text = json.dumps(bundle["entry"])
    assert all(reference in urls for reference in _references(json.loads(text)))


def test_fhir_is_the_same_when_sent_again(answer: Classification) -> None:
    assert fhir_transaction(answer, Subject("1"), NOW) == fhir_transaction(answer, Subject("1"), NOW)


@pytest.mark.parametrize("decision", ["reported", "referred"])
def test_referred_answer_has_no_conclusion_code(answer: Classification, decision: str) -> None:
    changed = answer.model_copy(update={"decision": decision})
    (report,) = resources(fhir_transaction(changed, Subject(), NOW))["DiagnosticReport"]
    assert ("conclusionCode" in report) is (decision == "reported")
    assert ("CWE" in hl7_message(changed, Subject(), NOW).decode()) is (decision == "reported")


@pytest.mark.parametrize(("kind", "field"), [("DiagnosticReport", "code"), ("Observation", "status")])
def test_fhir_reader_rejects_what_lacks_a_field(answer: Classification, kind: str, field: str) -> None:
    bundle = fhir_transaction(answer, Subject(), NOW)
    del resources(bundle)[kind][0][field]
    with pytest.raises(ValueError, match=field):
        Bundle.model_validate_json(json.dumps(bundle))


def test_hl7_answer_is_strictly_valid(client: httpx.Client) -> None:
    response = posted(client, HL7_MEDIA_TYPE)
    assert response.headers["content-type"].startswith(HL7_MEDIA_TYPE)
    message = parse_message(response.text, validation_level=VALIDATION_LEVEL.STRICT)
    assert Validator.validate(message)
    assert message.msh.msh_9.value == "ORU^R01^ORU_R01"


def test_hl7_escapes_what_separates_fields(answer: Classification) -> None:
    text = hl7_message(answer, Subject("a|b^c&d~e\\f\r\ng", "7"), NOW).decode()
    pid = next(line for line in text.split("\r") if line.startswith("PID"))
    assert pid.split("|")[3] == r"a\F\b\S\c\T\d\R\e\E\f  g"
    assert {line[:3] for line in text.split("\r") if line} == {"MSH", "PID", "OBR", "OBX"}
    results = [line.split("|") for line in text.split("\r") if line.startswith("OBX")]
    assert {fields[11] for fields in results} == {"P"}


def test_refused_page_stays_a_problem(client: httpx.Client) -> None:
    problem(posted(client, FHIR_MEDIA_TYPE, blank_png()), 422, "not_an_ecg_page")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, application/fhir+json", "text/html"])
def test_json_is_the_default(client: httpx.Client, accept: str) -> None:
    response = posted(client, accept)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["vary"] == "Accept"


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [reference for one in value for reference in _references(one)]
    if isinstance(value, dict):
        own = [value["reference"]] if "reference" in value else []
        return own + [reference for one in value.values() for reference in _references(one)]
    return []
