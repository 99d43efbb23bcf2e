"""An answer as a FHIR R4 (4.0.1) transaction: Device, Observations, DiagnosticReport and Provenance.

Every status is `preliminary`, and every resource has the label for data made by software. There is no Condition: a
probability is no diagnosis.
"""

from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from service import __version__
from service.results.codes import (
    CLASS_CODES,
    ECG_IMPRESSION,
    ECG_STUDY,
    HEART_RATE,
    INTENDED_USE,
    Code,
    Subject,
    impression,
)
from service.schemas.classification import Classification

__all__ = ["FHIR_MEDIA_TYPE", "fhir_transaction"]

FHIR_MEDIA_TYPE = "application/fhir+json"

_LOINC = "http://loinc.org"
_SNOMED = "http://snomed.info/sct"
_UCUM = "http://unitsofmeasure.org"
_OURS = "urn:ecg-report-classifier"
_Resource = dict[str, Any]


def fhir_transaction(answer: Classification, subject: Subject, made_at: datetime) -> _Resource:
    """Make a Bundle that creates each entry only if none with its identifier exists; ``made_at`` has a time zone."""
    device, observations = _device(answer), [_class_observation(answer)]
    if answer.quality.heart_rate_bpm is not None:
        observations.append(_rate_observation(answer.quality.heart_rate_bpm))
    urls = [_url(answer, resource) for resource in (device, *observations)]
    common = {
        "status": "preliminary",
        "effectiveDateTime": made_at.isoformat(timespec="seconds"),
        **({"subject": {"identifier": {"value": subject.patient_id}}} if subject.patient_id else {}),
    }
    report = {
        "resourceType": "DiagnosticReport",
        "key": "report",
        **common,
        **({"basedOn": [{"identifier": {"value": subject.order_number}}]} if subject.order_number else {}),
        "category": [_concept("http://terminology.hl7.org/CodeSystem/v2-0074", Code("EC", "Electrocardiac"))],
        "code": _concept(_LOINC, ECG_STUDY),
        "issued": made_at.isoformat(timespec="seconds"),
        "result": [{"reference": url} for url in urls[1:]],
        "conclusion": impression(answer),
    }
    if answer.decision == "reported" and answer.predicted_class in CLASS_CODES:
        report["conclusionCode"] = [_concept(_SNOMED, CLASS_CODES[answer.predicted_class])]
    provenance = {
        "resourceType": "Provenance",
        "key": "provenance",
        "target": [{"reference": _url(answer, report)}],
        "recorded": made_at.isoformat(timespec="seconds"),
        "agent": [{"who": {"reference": urls[0]}}],
        "entity": [{"role": "source", "what": {"identifier": _identifier("sha256", answer.source.sha256)}}],
    }
    made = [resource | common | {"device": {"reference": urls[0]}} for resource in observations]
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [_entry(answer, resource) for resource in (device, *made, report, provenance)],
    }


def _device(answer: Classification) -> _Resource:
    model = answer.model
    return {
        "resourceType": "Device",
        "key": f"device:{__version__}:{model.sha256}",
        "status": "active",
        "deviceName": [{"name": "ECG report classifier", "type": "model-name"}],
        "version": [{"value": __version__}, {"value": f"{model.name}/{model.version}"}],
        "note": [{"text": INTENDED_USE}],
    }


def _class_observation(answer: Classification) -> _Resource:
    return {
        "resourceType": "Observation",
        "key": "class",
        "code": _concept(_LOINC, ECG_IMPRESSION),
        "valueString": impression(answer),
        "component": [
            {
                "code": _class_concept(name),
                "valueQuantity": {"value": probability, "unit": "1", "system": _UCUM, "code": "1"},
            }
            for name, probability in answer.probabilities.items()
        ],
    }


def _rate_observation(heart_rate_bpm: float) -> _Resource:
    return {
        "resourceType": "Observation",
        "key": "rate",
        "code": _concept(_LOINC, HEART_RATE),
        "valueQuantity": {"value": heart_rate_bpm, "unit": "/min", "system": _UCUM, "code": "/min"},
    }


def _entry(answer: Classification, resource: _Resource) -> _Resource:
    content = {name: value for name, value in resource.items() if name != "key"}
    identifier = _identifier("result", _key(answer, resource))
    content["meta"] = {
        "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "AIAST"}]
    }
    request = {"method": "POST", "url": content["resourceType"]}
    if content["resourceType"] != "Provenance":  # which has no identifier
        content["identifier"] = [identifier]
        request["ifNoneExist"] = f"identifier={identifier['system']}|{identifier['value']}"
    return {"fullUrl": _url(answer, resource), "resource": content, "request": request}


def _key(answer: Classification, resource: _Resource) -> str:
    key = str(resource["key"])
    return key if key.startswith("device:") else f"{answer.request_id}:{key}"


def _url(answer: Classification, resource: _Resource) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{_OURS}:{_key(answer, resource)}')}"


def _identifier(kind: str, value: str) -> dict[str, str]:
    return {"system": f"{_OURS}:{kind}", "value": value}


def _concept(system: str, code: Code) -> _Resource:
    return {"coding": [{"system": system, "code": code.code, "display": code.display}]}


def _class_concept(class_name: str) -> _Resource:
    ours = {"system": f"{_OURS}:class", "code": class_name}
    coded = CLASS_CODES.get(class_name)
    return {"coding": [ours, *(_concept(_SNOMED, coded)["coding"] if coded else [])]}
