"""A result as a DICOM Comprehensive SR (TID 1500) in the study of its ECG, preliminary and unverified.

Source: DICOM PS3.16, TID 1500, 1501, 300; CID 7021.
"""

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    CodedConcept,
    CompositeContentItem,
    ComprehensiveSR,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TextContentItem,
    TrackingIdentifier,
    WaveformContentItem,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import EncapsulatedPDFStorage, SecondaryCaptureImageStorage

from gateway.answer import OUR_SCHEME, Answer, Coded, Refusal
from gateway.instance import MANUFACTURER, MODEL_NAME, Instance

__all__ = ["NON_DIAGNOSTIC", "structured_report"]

NON_DIAGNOSTIC = Coded("122753", "DCM", "Non-diagnostic ECG")

_STUDY = Coded("11524-6", "LN", "EKG study")
_IMPRESSION = Coded("8601-7", "LN", "EKG impression")
_HEART_RATE = Coded("8867-4", "LN", "Heart rate")
_REFERENCES = {SecondaryCaptureImageStorage: ImageContentItem, EncapsulatedPDFStorage: CompositeContentItem}
_EVALUATIONS = Coded("C0034375", "UMLS", "Qualitative Evaluations")
_PER_MINUTE = Coded("/min", "UCUM", "per minute")
_PROBABILITY = Coded("C0033204", "UMLS", "Probability")
_PROBABILITY_UNIT = Coded("{probability}", "UCUM", "probability")
_SERIES_NUMBER = 9001


def structured_report(instance: Instance, said: Answer | Refusal) -> Dataset:
    """Write the report of one ECG; its UIDs depend on the ECG's SOP Instance UID alone."""
    observer = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=instance.result_uid("device"), name=MODEL_NAME, manufacturer_name=MANUFACTURER, model_name=MODEL_NAME
        ),
    )
    group, text = _group(instance, said), _text(said)
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=_concept(_STUDY),
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )
    content[0].ContentSequence.append(_words(text))
    report = ComprehensiveSR(
        evidence=[instance.header],
        content=content,
        **instance.result_attributes("report", _SERIES_NUMBER),
        software_versions=list(said.versions) if isinstance(said, Answer) else None,
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=_own_scheme(said),
    )
    measured = report.ContentSequence[-2].ContentSequence[0]
    measured.ContentSequence.append(_source(instance.header))  # afterwards: highdicom copies no waveform reference
    return report


def _group(instance: Instance, said: Answer | Refusal) -> MeasurementsAndQualitativeEvaluations:
    """What was measured and found on the one ECG."""
    finding: Coded | None = NON_DIAGNOSTIC
    numbers: list[Measurement] = []
    if isinstance(said, Answer):
        finding = said.finding
        numbers = [
            Measurement(_concept(code), value, _concept(_PROBABILITY_UNIT), derivation=_concept(_PROBABILITY))
            for code, value in said.probabilities.items()
        ]
        if said.heart_rate_bpm is not None:
            numbers.append(Measurement(_concept(_HEART_RATE), said.heart_rate_bpm, _concept(_PER_MINUTE)))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=instance.result_uid("tracking"), identifier="ECG"),
        measurements=numbers,
        qualitative_evaluations=[QualitativeEvaluation(_concept(_IMPRESSION), _concept(finding))] if finding else None,
    )


def _source(header: Dataset) -> ContentItem:
    """A reference to the ECG, as the kind of object that it is."""
    kind = _REFERENCES.get(header.SOPClassUID, WaveformContentItem)
    item: ContentItem = kind(
        codes.DCM.SourceOfMeasurement,
        header.SOPClassUID,
        header.SOPInstanceUID,
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
    return item


def _words(text: str) -> ContainerContentItem:
    container = ContainerContentItem(_concept(_EVALUATIONS), relationship_type=RelationshipTypeValues.CONTAINS)
    item = TextContentItem(_concept(_IMPRESSION), text, relationship_type=RelationshipTypeValues.CONTAINS)
    container.ContentSequence = ContentSequence([item])
    return container


def _text(said: Answer | Refusal) -> str:
    if isinstance(said, Answer):
        return said.text
    return f"{NON_DIAGNOSTIC.meaning}: no result. {said.title}. {said.reason} {said.remedy}"


def _concept(code: Coded) -> CodedConcept:
    return CodedConcept(code.value, code.scheme, code.meaning)


def _own_scheme(said: Answer | Refusal) -> list[CodingSchemeIdentificationItem] | None:
    """Say what our scheme is, where a class of the model has no code of another."""
    if isinstance(said, Refusal) or all(code.scheme != OUR_SCHEME for code in said.probabilities):
        return None
    return [CodingSchemeIdentificationItem(OUR_SCHEME, "Classes of a model", responsible_organization=MANUFACTURER)]
