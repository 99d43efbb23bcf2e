"""What the service says about one ECG: an answer, or why it refuses."""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["OUR_SCHEME", "Answer", "Coded", "Refusal", "read_answer"]

_SCHEMES = {"http://snomed.info/sct": "SCT", "http://loinc.org": "LN"}
_HEART_RATE = "8867-4"
OUR_SCHEME = "99ECGRC"
"""Of classes for which there is no code elsewhere."""
_LONGEST_CODE = 16  # VR SH


class Coded(NamedTuple):
    """A concept, its scheme named as DICOM does."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        text: the impression, for the person who reads the record; it says whether a person has to look, and why.
        finding: the coded conclusion; None where the service refers the ECG to a person.
        probabilities: of each class.
        heart_rate_bpm: None where none was measured.
        versions: of the service and of its model.
        fhir: the answer as a FHIR transaction, as the service wrote it.
    """

    text: str
    finding: Coded | None
    probabilities: dict[Coded, float]
    heart_rate_bpm: float | None
    versions: tuple[str, ...]
    fhir: bytes


@dataclass(frozen=True)
class Refusal:
    """Why the service gives no answer about this ECG."""

    title: str
    reason: str
    remedy: str


def read_answer(fhir: bytes) -> Answer:
    """Read the service's FHIR transaction.

    Raises:
        KeyError, ValueError: it is not what the service writes.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in json.loads(fhir)["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    report, device = found["DiagnosticReport"][0], found["Device"][0]
    observations = {one["code"]["coding"][0]["code"]: one for one in found["Observation"]}
    classes = next(one for one in found["Observation"] if "component" in one)["component"]
    rate = observations.get(_HEART_RATE)
    return Answer(
        text=report["conclusion"],
        finding=next(map(_coded, report.get("conclusionCode", ())), None),
        probabilities={_class(one["code"]): float(one["valueQuantity"]["value"]) for one in classes},
        heart_rate_bpm=float(rate["valueQuantity"]["value"]) if rate else None,
        versions=tuple(one["value"] for one in device["version"]),
        fhir=fhir,
    )


def _coded(concept: dict[str, Any]) -> Coded:
    coding = concept["coding"][0]
    return Coded(coding["code"], _SCHEMES[coding["system"]], coding["display"])


def _class(concept: dict[str, Any]) -> Coded:
    """A class by its SNOMED CT code, or else by its name."""
    ours, *coded = concept["coding"]
    if coded:
        return _coded({"coding": coded})
    return Coded(ours["code"][:_LONGEST_CODE], OUR_SCHEME, ours["code"].replace("_", " "))
