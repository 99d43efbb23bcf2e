"""The whole way, with a real archive: storescu, Orthanc, gateway, service, and the results in the same study."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from benchmarks.server_process import free_port
from sources.read import read_source
from sources.source import ImageSource
from tests.factories import HEIGHT_PX, WIDTH_PX, page_array, page_jpeg
from tests.gateway.certificates import Certificates
from tests.gateway.receivers import FhirServer, Hl7Receiver, listening
from tests.gateway.servers import (
    CANARY_ID,
    CANARY_NAME,
    TOOLS,
    Gateway,
    Orthanc,
    answer_of,
    ended,
    in_a_study,
    storescu,
    wait_until,
    warnings_of,
)
from tests.service.process import Process
from tests.sources.dicoms import encapsulated_pdf, jpeg_capture, native_capture, shipped_waveform
from tests.sources.pdfs import scan_pdf

pytestmark = pytest.mark.gateway

MANY = 200


@pytest.fixture
def hospital(service: Process, tools: None, tmp_path: Path) -> Iterator[tuple[Orthanc, Gateway]]:  # noqa: ARG001
    """An archive and a gateway that know each other."""
    for name in ("orthanc", "gateway"):
        (tmp_path / name).mkdir()
    port = free_port()
    orthanc = Orthanc(tmp_path / "orthanc", port)
    gateway = Gateway(
        tmp_path / "gateway",
        service_url=str(service.url),
        port=str(port),
        archive=orthanc.archive,
        allowed_ae_titles="ORTHANC, CART",
    )
    with ended(orthanc, gateway):
        orthanc.start()
        gateway.start()
        yield orthanc, gateway


def gray() -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    return np.asarray(Image.fromarray(page_array()).convert("L"))


KINDS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: jpeg_capture(page_jpeg(), (WIDTH_PX, HEIGHT_PX)),
    "rgb": lambda: native_capture(page_array(), "RGB"),
    "monochrome1": lambda: native_capture(255 - gray(), "MONOCHROME1"),
    "monochrome2": lambda: native_capture(gray(), "MONOCHROME2"),
    "pdf": lambda: encapsulated_pdf(scan_pdf(page_jpeg(), (WIDTH_PX, HEIGHT_PX))),
    "waveform": shipped_waveform,
}


@pytest.mark.parametrize("kind", KINDS)
def test_report_and_page_land_in_the_study(
    hospital: tuple[Orthanc, Gateway], ecg_file: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    orthanc, gateway = hospital
    ecg = ecg_file(KINDS[kind]())
    assert storescu(orthanc.port, ecg, called="ORTHANC") == 0
    source = dcmread(ecg)
    results = orthanc.results(source.StudyInstanceUID)
    for result in results.values():
        assert warnings_of(result, tmp_path) == []
        assert result.PatientName == source.PatientName
        assert result.PatientID == source.PatientID
    said = answer_of(results["SR"])
    assert said["findings"] == ([] if kind == "waveform" else ["164854000 SCT"])
    assert said["text"].startswith("Not reported: a person" if kind == "waveform" else "Normal, probability 0.96")
    assert (results["SR"].PreliminaryFlag, results["SR"].VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert gateway.stop() == 0


def test_refused_page_becomes_non_diagnostic(
    hospital: tuple[Orthanc, Gateway], ecg_file: Callable[..., Path], tmp_path: Path
) -> None:
    orthanc, _ = hospital
    ecg = ecg_file(native_capture(np.full((HEIGHT_PX, WIDTH_PX), 255, np.uint8), "MONOCHROME2"))
    assert storescu(orthanc.port, ecg, called="ORTHANC") == 0
    results = orthanc.results(dcmread(ecg).StudyInstanceUID)
    said = answer_of(results["SR"])
    assert said["findings"] == ["122753 DCM"]
    assert "not an ECG report page" in said["text"]
    assert [warnings_of(result, tmp_path) for result in results.values()] == [[], []]


def test_no_patient_in_log_or_audit(
    hospital: tuple[Orthanc, Gateway], ecg_file: Callable[..., Path], service: Process, audit_dir: Path
) -> None:
    orthanc, gateway = hospital
    good, refused = ecg_file(), ecg_file(native_capture(np.zeros((50, 50), np.uint8), "MONOCHROME2"))
    for ecg in (good, refused):
        assert storescu(gateway.port, ecg) == 0
        orthanc.results(dcmread(ecg).StudyInstanceUID)
    assert storescu(gateway.port, ecg_file(StudyInstanceUID="")) != 0
    said = gateway.log + service.log + service.client.get("/metrics").text
    said += "".join(path.read_text() for path in audit_dir.iterdir())
    assert "event=received" in said
    for canary in (CANARY_NAME.partition("^")[0], CANARY_ID, dcmread(good).SOPInstanceUID):
        assert canary not in said


def test_kills_lose_and_double_nothing(hospital: tuple[Orthanc, Gateway], tmp_path: Path, capture: bytes) -> None:
    orthanc, gateway = hospital
    ecgs = [tmp_path / f"{number:03d}.dcm" for number in range(MANY)]
    for ecg in ecgs:
        ecg.write_bytes(in_a_study(capture))
    assert storescu(gateway.port, *ecgs) == 0
    wait_until(lambda: len(orthanc.instances(Modality="SR")) >= MANY // 4)
    orthanc.kill()
    time.sleep(1)
    gateway.kill()
    gateway.start()
    time.sleep(1)
    orthanc.start()
    wait_until(lambda: len(orthanc.instances(Modality="SR")) >= MANY // 2)
    gateway.kill()
    gateway.start()
    assert storescu(gateway.port, *ecgs[:10]) == 0, "sent again"
    for modality in ("SR", "OT"):
        wait_until(lambda modality=modality: len(orthanc.instances(Modality=modality)) >= MANY)  # type: ignore[misc]
    assert gateway.left() == []
    studies = {dcmread(ecg).StudyInstanceUID for ecg in ecgs}
    for modality in ("SR", "OT"):
        results = [orthanc.study_of(instance) for instance in orthanc.instances(Modality=modality)]
        assert len(results) == MANY
        assert set(results) == studies
    assert gateway.log.count("event=received_again") == 10


def test_object_keeps_its_bytes(tools: None, tmp_path: Path, ecg_file: Callable[..., Path]) -> None:  # noqa: ARG001
    gateway = Gateway(tmp_path, service_url="http://127.0.0.1:1", archive="dicom://NONE@127.0.0.1:1")
    with ended(gateway):
        gateway.start()
        assert storescu(gateway.port, ecg_file()) == 0
        ((kind, data),) = gateway.left()
    assert kind == "classify"
    source = read_source(data)
    assert isinstance(source, ImageSource)
    assert source.page == page_jpeg()


def test_results_go_by_stow_as_well(
    hospital: tuple[Orthanc, Gateway], service: Process, tmp_path: Path, ecg_file: Callable[..., Path]
) -> None:
    orthanc, _ = hospital
    gateway = Gateway(tmp_path, service_url=str(service.url), archive=orthanc.stow)
    ecg = ecg_file()
    with ended(gateway):
        gateway.start()
        assert storescu(gateway.port, ecg) == 0
        results = orthanc.results(dcmread(ecg).StudyInstanceUID)
        page = tmp_path / "page.dcm"
        results["OT"].save_as(page)
        assert storescu(gateway.port, page) == 0
        assert gateway.left() == []
        assert gateway.log.count("event=received") == 1, "its own results are no ECGs"


def test_fhir_and_hl7_get_the_same_answer(
    hospital: tuple[Orthanc, Gateway], service: Process, tmp_path: Path, ecg_file: Callable[..., Path]
) -> None:
    orthanc, _ = hospital
    fhir, hl7, ecg = FhirServer(503, 200), Hl7Receiver(), ecg_file()
    gateway = Gateway(
        tmp_path,
        service_url=str(service.url),
        archive=orthanc.archive,
        fhir_url=fhir.url,
        hl7=f"127.0.0.1:{hl7.address[1]}",
    )
    with listening(fhir), listening(hl7), ended(gateway):
        gateway.start()
        assert storescu(gateway.port, ecg) == 0
        orthanc.results(dcmread(ecg).StudyInstanceUID)
        wait_until(lambda: bool(fhir.taken and hl7.messages))
        assert gateway.left() == []
    (bundle,), (message,) = fhir.taken, hl7.messages
    assert CANARY_ID in bundle
    assert f"|{CANARY_ID}|" in message
    assert hl7.accepted[0] in bundle, "the message's control id is the answer's"
    assert CANARY_ID not in gateway.log


@pytest.mark.parametrize(("calling", "called"), [("STRANGER", "ECG"), ("CART", "OTHER")])
def test_unknown_ae_titles_are_rejected(
    tools: None,  # noqa: ARG001
    tmp_path: Path,
    ecg_file: Callable[..., Path],
    calling: str,
    called: str,
) -> None:
    gateway = Gateway(tmp_path, archive="dicom://NONE@127.0.0.1:1", allowed_ae_titles="CART")
    with ended(gateway):
        gateway.start()
        assert storescu(gateway.port, ecg_file(), calling=calling, called=called) != 0
        assert "event=association_rejected" in gateway.log
        assert gateway.left() == []


def test_tls_asks_senders_for_a_certificate(
    tools: None,  # noqa: ARG001
    tmp_path: Path,
    ecg_file: Callable[..., Path],
) -> None:
    for name in ("ours", "strangers", "far", "near"):
        (tmp_path / name).mkdir()
    ours, strangers = Certificates(tmp_path / "ours"), Certificates(tmp_path / "strangers")
    files = {"tls_ca": str(ours.ca), "tls_certificate": str(ours.certificate), "tls_key": str(ours.key)}
    far = Gateway(tmp_path / "far", service_url="http://127.0.0.1:1", archive="dicom://NONE@127.0.0.1:1", **files)
    with ended(far):
        far.start()
        ecg = ecg_file()
        silent = socket.create_connection(("127.0.0.1", far.port))
        assert storescu(far.port, ecg) != 0, "without TLS"
        assert storescu(far.port, ecg, options=dcmtk_tls(strangers, trusted=ours)) != 0
        assert storescu(far.port, ecg, options=dcmtk_tls(ours, trusted=ours)) == 0
        silent.close()
        assert [kind for kind, _ in far.left()] == ["classify"]
    assert "Traceback" not in far.log


def dcmtk_tls(own: Certificates, *, trusted: Certificates) -> tuple[str, ...]:
    """Options of storescu: the certificate that it shows, and the authority that it trusts."""
    return ("+tls", str(own.key), str(own.certificate), "+cf", str(trusted.ca))


def test_results_go_to_the_archive_by_tls(
    service: Process,
    tools: None,  # noqa: ARG001
    tmp_path: Path,
    ecg_file: Callable[..., Path],
) -> None:
    own, received, port = Certificates(tmp_path), tmp_path / "received", free_port()
    received.mkdir()
    listener = [TOOLS["storescp"], "-od", str(received), *dcmtk_tls(own, trusted=own), str(port)]
    gateway = Gateway(
        tmp_path,
        service_url=str(service.url),
        archive=f"dicoms://SCP@127.0.0.1:{port}",
        tls_ca=str(own.ca),
        tls_certificate=str(own.certificate),
        tls_key=str(own.key),
    )
    with subprocess.Popen(listener) as archive, ended(gateway):
        gateway.start()
        assert storescu(gateway.port, ecg_file(), options=dcmtk_tls(own, trusted=own)) == 0
        wait_until(lambda: len(list(received.iterdir())) == 2)
        archive.kill()
