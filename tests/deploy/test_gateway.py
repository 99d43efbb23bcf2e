"""`docker compose --profile gateway up`: an ECG that reaches Orthanc gets its report and page in the same study."""

import io
from collections.abc import Iterator

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE

from benchmarks.server_process import free_port
from tests.deploy.stack import Stack, built_images, running_stack
from tests.factories import HEIGHT_PX, WIDTH_PX, page_jpeg
from tests.gateway.servers import CANARY_ID, CANARY_NAME, Archive, answer_of, in_a_study
from tests.sources.dicoms import jpeg_capture

pytestmark = pytest.mark.engine

FILES = ("tests/deploy/orthanc.yml",)
PORTS = ("GATEWAY_PORT", "ORTHANC_PORT", "ORTHANC_DICOM_PORT")
CONTAINERS = ("service", "gateway", "orthanc")


@pytest.fixture(scope="module")
def hospital(engine: None) -> Iterator[Stack]:  # noqa: ARG001 - there has to be one
    """Service, gateway and archive."""
    ports = {name: str(free_port()) for name in PORTS}
    with (
        built_images(*CONTAINERS, files=FILES) as prefix,
        running_stack(prefix, FILES, COMPOSE_PROFILES="gateway", **ports) as stack,
    ):
        yield stack


def send(ecg: Dataset, port: int) -> int:
    """Store an ECG in the archive and give the status."""
    ae = AE("CART")
    ae.add_requested_context(ecg.SOPClassUID, ecg.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", port, ae_title="ORTHANC")
    assert association.is_established
    status = int(association.send_c_store(ecg).Status)
    association.release()
    return status


def test_ecg_in_the_archive_gets_report_and_page(hospital: Stack) -> None:
    ecg = dcmread(io.BytesIO(in_a_study(jpeg_capture(page_jpeg(), (WIDTH_PX, HEIGHT_PX)))))
    archive = Archive(int(hospital.variables["ORTHANC_PORT"]))
    with archive.client:
        assert send(ecg, int(hospital.variables["ORTHANC_DICOM_PORT"])) == 0
        results = archive.results(ecg.StudyInstanceUID)
        assert len(archive.instances(StudyInstanceUID=ecg.StudyInstanceUID)) == 3, "no result is classified again"
    assert {(str(one.PatientName), one.PatientID) for one in results.values()} == {(CANARY_NAME, CANARY_ID)}
    said = answer_of(results["SR"])
    probabilities = {name: value for name, value in said["numbers"].items() if name != "Heart rate"}
    assert len(probabilities) == 4
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-3)
    assert "fusion/5" in results["SR"].SoftwareVersions
    assert results["OT"].pixel_array.min() == 0
    log = hospital.compose("logs", "service", "gateway")
    assert "event=answered" in log
    assert CANARY_ID not in log
    assert [hospital.state(name)["RestartCount"] for name in CONTAINERS] == [0, 0, 0]
