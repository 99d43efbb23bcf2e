"""What is written about an ECG, without any server."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom import Dataset, dcmread

from gateway.answer import OUR_SCHEME, Answer, Coded, Refusal
from gateway.instance import Instance, read_instance
from gateway.report import structured_report
from gateway.result_page import result_page
from service.results.codes import CLASS_CODES
from tests.gateway.servers import CANARY_ID, answer_of, in_a_study
from tests.sources.dicoms import encapsulated_pdf, shipped_waveform

NORMAL = Coded(CLASS_CODES["normal"].code, "SCT", CLASS_CODES["normal"].display)
ANSWER = Answer(
    text="Normal, probability 0.97.",
    finding=NORMAL,
    probabilities={NORMAL: 0.97},
    heart_rate_bpm=71.3,
    versions=("0.2.0", "fusion/2"),
    fhir=b"{}",
)
REFUSAL = Refusal("No ECG", "Found: a holiday. Expected: an ECG.", "Send an ECG.")


def instance(data: bytes, **changes: object) -> Instance:
    return read_instance(in_a_study(data, **changes))


@pytest.fixture
def ecg(capture: bytes) -> Instance:
    return instance(capture)


def again(dataset: Dataset) -> Dataset:
    """The same, written and read."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return dcmread(io.BytesIO(buffer.getvalue()))


@pytest.mark.parametrize(
    ("data", "reference"),
    [("capture", "IMAGE"), (lambda: encapsulated_pdf(b"%PDF"), "COMPOSITE"), (shipped_waveform, "WAVEFORM")],
)
def test_report_refers_to_its_ecg(
    data: str | Callable[[], bytes], reference: str, request: pytest.FixtureRequest
) -> None:
    ecg = instance(request.getfixturevalue(data) if isinstance(data, str) else data())
    report = again(structured_report(ecg, ANSWER))
    group = report.ContentSequence[-2].ContentSequence[0]
    (item,) = (item for item in group.ContentSequence if item.ValueType == reference)
    assert item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == ecg.header.SOPInstanceUID
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == report.StudyInstanceUID == ecg.header.StudyInstanceUID


def test_report_says_what_the_service_says(ecg: Instance) -> None:
    assert answer_of(again(structured_report(ecg, ANSWER))) == {
        "findings": [f"{NORMAL.value} SCT"],
        "numbers": {"Normal electrocardiogram": 0.97, "Heart rate": 71.3},
        "text": ANSWER.text,
    }


def test_referred_answer_has_no_finding(ecg: Instance) -> None:
    assert answer_of(structured_report(ecg, replace(ANSWER, finding=None)))["findings"] == []


def test_class_without_code_has_one_of_ours(ecg: Instance) -> None:
    answer = replace(ANSWER, probabilities={Coded("left_bundle_bran", OUR_SCHEME, "left bundle branch block"): 0.5})
    report = structured_report(ecg, answer)
    assert report.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == OUR_SCHEME
    assert answer_of(report)["numbers"]["left bundle branch block"] == 0.5


def test_refusal_is_non_diagnostic_with_its_reason(ecg: Instance) -> None:
    said = answer_of(structured_report(ecg, REFUSAL))
    assert said["findings"] == ["122753 DCM"]
    assert REFUSAL.reason in said["text"]


def test_results_are_the_same_when_made_again(ecg: Instance) -> None:
    for write in (structured_report, result_page):
        assert write(ecg, ANSWER).SOPInstanceUID == write(ecg, REFUSAL).SOPInstanceUID


def test_page_shows_more_than_white_paper(ecg: Instance) -> None:
    answered, refused = (again(result_page(ecg, said)) for said in (ANSWER, REFUSAL))
    assert answered.pixel_array.min() == 0
    assert (answered.pixel_array != refused.pixel_array).any()
    assert answered.BurnedInAnnotation == "NO"
    assert answered.PatientID == CANARY_ID


@pytest.mark.parametrize(
    ("characters", "name"),
    [
        (["ISO 2022 IR 6", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 144", "Люксембург^Роза"),
        ("ISO_IR 100", "Müller^Zoë"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
    ],
)
def test_names_keep_their_letters(characters: str | list[str], name: str, capture: bytes) -> None:
    ecg = instance(capture, SpecificCharacterSet=characters, PatientName=name)
    assert str(again(structured_report(ecg, ANSWER)).PatientName) == name


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("PatientSex", "unknown"), ("PatientBirthDate", "2.1.1950"), ("StudyTime", "noon"), ("AccessionNumber", "A" * 99)],
)
def test_invalid_attributes_are_left_out(name: str, wrong: str, capture: bytes) -> None:
    report = again(structured_report(instance(capture, **{name: wrong}), ANSWER))
    assert not report[name].value
    assert report.PatientID == CANARY_ID
