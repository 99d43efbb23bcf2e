"""Answers as FHIR, judged by two independent validators: fhir.resources, and HL7's definitions in npm's `fhir`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fhir.resources.R4B.bundle import Bundle
from pydantic import ValidationError

from service.results.codes import CLASS_CODES, Subject
from service.results.fhir import fhir_transaction
from service.schemas.classification import Classification
from tests.factories import page_jpeg
from tests.service import npm

ANSWERS = 200
SOURCE = Path(__file__).parent / "fhir"
CLASSES = [*CLASS_CODES, "left_bundle_branch_block", "paced"]
WORDS = ["one lead is flat.", "Zoë & <b>", '"\\', "山田", "x" * 400]

Bundles = list[dict[str, Any]]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of validate.js, with the packages that it needs."""
    return npm.project(SOURCE, tmp_path_factory.mktemp("fhir"))


@pytest.fixture(scope="module")
def answers(client: httpx.Client) -> Bundles:
    """Random answers to one page as FHIR: other classes, numbers, decisions, patients, words and time zones."""
    answer = Classification.model_validate_json(client.post("/classify", content=page_jpeg()).content)
    return [random_answer(answer, np.random.default_rng(number)) for number in range(ANSWERS)]


def random_answer(answer: Classification, chance: np.random.Generator) -> dict[str, Any]:
    names = chance.permutation(CLASSES)[: int(chance.integers(1, len(CLASSES) + 1))].tolist()
    shares = chance.dirichlet(np.full(len(names), 0.3)).round(4)
    reasons = [{"code": "uncertain", "message": one} for one in chance.choice(WORDS, int(chance.integers(3)))]
    rate = None if chance.random() < 0.2 else round(float(chance.uniform(20, 300)), 1)
    content = answer.model_dump(mode="json") | {
        "request_id": chance.bytes(16).hex(),
        "predicted_class": names[int(shares.argmax())],
        "probabilities": dict(zip(names, shares.tolist(), strict=True)),
        "decision": "referred" if reasons else "reported",
        "reasons": reasons,
    }
    content["quality"]["heart_rate_bpm"] = rate
    patient = "".join(map(chr, chance.integers(0x21, 0x7F, int(chance.integers(0, 65)))))
    zone = timezone(timedelta(minutes=15 * int(chance.integers(-48, 57))))
    made_at = datetime.fromtimestamp(float(chance.uniform(0, 4e9)), UTC).astimezone(zone)
    subject = Subject(patient or None, "E-77" if chance.random() < 0.5 else None)
    return fhir_transaction(Classification.model_validate(content), subject, made_at)


def python_complains(bundle: dict[str, Any]) -> bool:
    try:
        Bundle.model_validate_json(json.dumps(bundle))
    except (ValidationError, KeyError):  # KeyError: no such resource
        return True
    return False


def node_complaints(node: Path, bundles: Bundles) -> list[list[str]]:
    return list(json.loads(npm.run(node, "node", "validate.js", given=json.dumps(bundles))))


def test_two_validators_accept_random_answers(node: Path, answers: Bundles) -> None:
    assert len({json.dumps(one) for one in answers}) == ANSWERS
    assert not any(map(python_complains, answers))
    assert node_complaints(node, answers) == [[]] * ANSWERS


def _lacks(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda resource: resource.pop(name)


def _has(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda resource: resource.update({name: value})


BOTH, ONLY_NODE = True, False
MUTANTS: dict[str, tuple[str, Callable[[dict[str, Any]], None], bool]] = {
    "observation-without-code": ("Observation", _lacks("code"), BOTH),
    "observation-without-status": ("Observation", _lacks("status"), BOTH),
    "report-without-code": ("DiagnosticReport", _lacks("code"), BOTH),
    "report-without-status": ("DiagnosticReport", _lacks("status"), BOTH),
    "provenance-without-agent": ("Provenance", _lacks("agent"), BOTH),
    "provenance-without-target": ("Provenance", _lacks("target"), BOTH),
    "provenance-without-time": ("Provenance", _lacks("recorded"), BOTH),
    "misspelt-element": ("DiagnosticReport", _has("conclusions", "normal"), BOTH),
    "no-list": ("Device", _has("version", {"value": "1"}), BOTH),
    "no-date": ("Observation", _has("effectiveDateTime", "yesterday"), BOTH),
    "words-for-a-number": ("Observation", _has("component", [{"code": {}, "valueQuantity": {"value": "high"}}]), BOTH),
    "unknown-status": ("DiagnosticReport", _has("status", "prelim"), ONLY_NODE),
    "unknown-device-status": ("Device", _has("status", "on"), ONLY_NODE),
    "unknown-resource": ("Device", _has("resourceType", "Gadget"), BOTH),
}
"""By name: the resource, what is done to it, and who has to complain."""


def test_mutants_of_random_answers_are_refused(node: Path, answers: Bundles) -> None:
    names = [list(MUTANTS)[number % len(MUTANTS)] for number in range(ANSWERS)]
    mutants: Bundles = json.loads(json.dumps(answers))
    for name, bundle in zip(names, mutants, strict=True):
        kind, damage, _ = MUTANTS[name]
        damage(next(one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == kind))
    accepted = {name for name, complaints in zip(names, node_complaints(node, mutants), strict=True) if not complaints}
    assert accepted == set()
    accepted = {name for name, mutant in zip(names, mutants, strict=True) if not python_complains(mutant)}
    assert accepted == {name for name, (_, _, refused_by) in MUTANTS.items() if refused_by is ONLY_NODE}
