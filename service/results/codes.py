"""What FHIR and HL7 share: codes of SNOMED CT and LOINC, the subject, and the impression in words."""

from dataclasses import dataclass
from typing import NamedTuple

from service.schemas.classification import Classification

__all__ = ["CLASS_CODES", "ECG_IMPRESSION", "ECG_STUDY", "HEART_RATE", "INTENDED_USE", "Code", "Subject", "impression"]

INTENDED_USE = "Decision support for research; not a certified medical device. Preliminary, made by software."


class Code(NamedTuple):
    """A concept of a code system."""

    code: str
    display: str


# SNOMED CT's findings on ECGs, not diseases.
CLASS_CODES = {
    "abnormal_heartbeat": Code("102594003", "Electrocardiogram abnormal"),
    "history_of_mi": Code("164867002", "Electrocardiographic old myocardial infarction"),
    "myocardial_infarction": Code("164865005", "Electrocardiographic myocardial infarction"),
    "normal": Code("164854000", "Normal electrocardiogram"),
}
"""By class name; other classes have no codes."""
ECG_STUDY = Code("11524-6", "EKG study")
ECG_IMPRESSION = Code("8601-7", "EKG impression")
HEART_RATE = Code("8867-4", "Heart rate")


@dataclass(frozen=True)
class Subject:
    """Whose ECG it is, as the request says; never read off the page, logged or recorded."""

    patient_id: str | None = None
    order_number: str | None = None
    """The placer's."""


def impression(answer: Classification) -> str:
    """Put an answer into words."""
    top = answer.predicted_class
    words = f"{top.replace('_', ' ').capitalize()}, probability {answer.probabilities[top]:.2f}."
    if answer.decision == "referred":
        reasons = " ".join(reason.message for reason in answer.reasons)
        words = f"Not reported: a person has to look at the ECG. {reasons} Most probable: {words}"
    return f"{words} {INTENDED_USE}"
