"""What hospitals send to POST /classify beside pictures: PDF, DICOM and recordings."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from model_registry.registry import Registry
from service.recordings import recorded_page
from shared_preproc.errors import UnsupportedFormatError
from shared_preproc.recording import Recording
from shared_preproc.spec import TRACES_50_HZ
from synthetic.pages import synth_signals
from tests.bundles import publish_readers
from tests.factories import HEIGHT_PX, WIDTH_PX, page_array, page_jpeg
from tests.service.audits import answers
from tests.service.serving import problem, serving, settings_for, wait_until
from tests.sources.dicoms import CANARY, encapsulated_pdf, jpeg_capture, native_capture, shipped_waveform
from tests.sources.pdfs import HOSTILE, Print, ecg_pdf, scan_pdf
from tests.sources.signals import muse_xml, stored

SIZE_PX = (WIDTH_PX, HEIGHT_PX)
SAME = ("probabilities", "decision", "reasons", "quality", "leads", "image")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """readers/1, which was validated on nothing, and readers/2, which was on MUSE XML."""
    folder = tmp_path_factory.mktemp("traces")
    registry = Registry(folder)
    registry.promote(publish_readers(registry))
    publish_readers(registry, validated_sources=("muse_xml",))
    return folder


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def traces(models: Path, audit: Path) -> Iterator[httpx.Client]:
    with serving(settings_for(models, audit_dir=audit)) as client:
        yield client


def answered(client: httpx.Client, data: bytes, path: str = "/classify") -> dict[str, Any]:
    response = client.post(path, content=data)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


@pytest.mark.parametrize(
    ("wrap", "kind"),
    [
        (lambda jpeg: scan_pdf(jpeg, SIZE_PX), "pdf_scan"),
        (lambda jpeg: jpeg_capture(jpeg, SIZE_PX), "dicom_image"),
        (lambda jpeg: encapsulated_pdf(scan_pdf(jpeg, SIZE_PX)), "pdf_scan"),
    ],
    ids=["PDF", "Secondary Capture", "Encapsulated PDF"],
)
def test_wrapped_jpeg_gets_the_answer_of_the_jpeg(traces: httpx.Client, wrap: Any, kind: str) -> None:
    jpeg = page_jpeg()
    data = wrap(jpeg)
    bare, wrapped = answered(traces, jpeg), answered(traces, data)
    assert {name: wrapped[name] for name in SAME} == {name: bare[name] for name in SAME}
    assert wrapped["image"]["sha256"] == hashlib.sha256(jpeg).hexdigest()
    assert (wrapped["source"]["kind"], wrapped["source"]["sha256"]) == (kind, hashlib.sha256(data).hexdigest())


def test_uncompressed_capture_is_classified(traces: httpx.Client) -> None:
    answer = answered(traces, native_capture(page_array(), "RGB"))
    assert answer["image"]["format"] == "pixels"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (ecg_pdf(Print(rate_hz=250)), "pdf_curves"),
        (shipped_waveform(), "dicom_waveform"),
        (muse_xml(stored()), "muse_xml"),
    ],
    ids=["PDF", "DICOM", "MUSE"],
)
def test_recording_is_referred_as_not_validated(traces: httpx.Client, data: bytes, kind: str) -> None:
    answer = answered(traces, data)
    assert (answer["source"]["kind"], answer["image"], answer["seen_in_training"]) == (kind, None, None)
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("referred", "source_not_validated")
    assert min(answer["quality"]["coverage"].values()) > 0.9


def test_validated_kind_is_not_referred_for_it(traces: httpx.Client) -> None:
    answer = answered(traces, muse_xml(stored()), "/classify?model=readers/2")
    assert "source_not_validated" not in {reason["code"] for reason in answer["reasons"]}


def test_recording_can_be_explained(traces: httpx.Client) -> None:
    answer = answered(traces, shipped_waveform(), "/classify?explain=true")
    assert sum(lead["explanation"]["weight"] for lead in answer["leads"]) == pytest.approx(1, abs=1e-3)


def test_mask_model_refuses_a_recording(client: httpx.Client) -> None:
    body = problem(client.post("/classify", content=shipped_waveform()), 415, "unsupported_format")
    assert "takes pictures" in body["expected"]


def test_reading_refuses_a_recording_by_name(traces: httpx.Client) -> None:
    body = problem(traces.post("/reading", content=shipped_waveform()), 415, "unsupported_format")
    assert body["found"] == "a recording, which has no page"


def test_rendered_page_of_another_layout_is_refused_by_name(traces: httpx.Client) -> None:
    problem(traces.post("/classify", content=ecg_pdf(Print(named=False))), 422, "unsuitable_dimensions")


@pytest.mark.parametrize("name", ["deflate bomb", "20,000 pages", "password"])
def test_service_survives_hostile_pdfs(traces: httpx.Client, name: str) -> None:
    problem(traces.post("/classify", content=HOSTILE[name]()), 415, "unsupported_format")
    assert traces.get("/health").is_success


def test_audit_names_the_kind_and_no_patient(traces: httpx.Client, audit: Path) -> None:
    data = jpeg_capture(page_jpeg(), SIZE_PX)
    assert CANARY.encode() in data
    answered(traces, data)
    digest = hashlib.sha256(data).hexdigest()
    wait_until(lambda: digest in {record["image_sha256"] for record in answers(audit)})
    assert {record["source"] for record in answers(audit) if record["image_sha256"] == digest} == {"dicom_image"}
    assert "CANARY" not in "".join(file.read_text() for file in audit.iterdir())


def test_recording_looks_like_its_printed_page() -> None:
    signals = synth_signals("normal", 0)
    recording = Recording(signals.mv, signals.sampling_rate_hz)
    page = recorded_page(recording, TRACES_50_HZ)
    tensor = page.tensor(TRACES_50_HZ)
    assert tensor.shape == TRACES_50_HZ.tensor_shape
    assert np.isfinite(tensor).all()


def test_recording_with_a_long_gap_is_refused_by_lead() -> None:
    signals = synth_signals("normal", 0)
    signal_mv = signals.mv.copy()
    signal_mv[8, 2600:3500] = np.nan
    with pytest.raises(UnsupportedFormatError, match="of V3"):
        recorded_page(Recording(signal_mv, signals.sampling_rate_hz), TRACES_50_HZ)
