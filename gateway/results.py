"""One ECG to its results: ask the service, write what each destination gets."""

import io
import re

from pydicom import Dataset

from gateway.answer import Answer
from gateway.instance import Instance
from gateway.log import log
from gateway.report import structured_report
from gateway.result_page import result_page
from gateway.service_client import ServiceClient
from gateway.spool import Kind

__all__ = ["results_of"]

_IDENTIFIER = re.compile(r"[\x20-\x7e]{1,64}")  # what the service takes


def results_of(
    instance: Instance, service: ServiceClient, *, fhir: bool = False, hl7: bool = False
) -> list[tuple[Kind, bytes]]:
    """Classify one ECG and write its report and page, and FHIR and HL7 where asked for.

    A refused ECG gets a report and a page that say so. Without a patient id there is no FHIR and no HL7, as a result
    without a patient belongs in no record.

    Raises:
        DeliveryError: the service gives no answer; try again.
    """
    identified = (fhir or hl7) and _IDENTIFIER.fullmatch(instance.header.PatientID) is not None
    said = service.classify(instance, identified=identified)
    results: list[tuple[Kind, bytes]] = [
        ("dicom", _encoded(structured_report(instance, said))),
        ("dicom", _encoded(result_page(instance, said))),
    ]
    if isinstance(said, Answer) and identified:
        results += [("fhir", said.fhir)] if fhir else []
        results += [("hl7", service.hl7(instance))] if hl7 else []
    elif isinstance(said, Answer) and (fhir or hl7):
        log("no_patient_id", ecg=instance.key, missing="FHIR and HL7")
    log("answered" if isinstance(said, Answer) else "not_diagnostic", ecg=instance.key)
    return results


def _encoded(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
