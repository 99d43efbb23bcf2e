"""What the gateway makes of the service's answers."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message
from pydicom import dcmread
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from gateway.answer import Answer, Refusal
from gateway.errors import UnreachableError, UnusableInstanceError
from gateway.instance import read_instance
from gateway.mllp import send_hl7
from gateway.results import results_of
from gateway.service_client import ServiceClient
from model_registry.registry import Registry
from service.auth.keys import new_key
from service.errors import KINDS, Kind
from shared_preproc.errors import PreprocError
from tests.bundles import publish_readers
from tests.conftest import REPOSITORY
from tests.factories import page_jpeg
from tests.gateway.receivers import listening
from tests.gateway.servers import CANARY_ID, CANARY_NAME, HEAD_BYTES, LIMIT_S, answer_of, damaged, in_a_study
from tests.service.process import Process, environment, running
from tests.service.serving import wait_until


@pytest.fixture
def client(service: Process) -> Iterator[ServiceClient]:
    with ServiceClient(str(service.url), None) as client:
        yield client


def test_patient_and_order_go_into_fhir_and_hl7(client: ServiceClient, capture: bytes) -> None:
    results = results_of(read_instance(in_a_study(capture)), client, fhir=True, hl7=True)
    assert [kind for kind, _ in results] == ["dicom", "dicom", "fhir", "hl7"]
    bundle, message = json.loads(results[2][1]), results[3][1].decode()
    (report,) = (e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "DiagnosticReport")
    assert report["status"] == "preliminary"
    assert report["subject"] == {"identifier": {"value": CANARY_ID}}
    assert report["basedOn"] == [{"identifier": {"value": "A1"}}]
    assert f"\rPID|1||{CANARY_ID}|" in message
    assert "\rOBR|1|A1|" in message
    request_id = message.split("\rOBR|1|A1|")[1].split("|")[0]
    assert request_id in report["identifier"][0]["value"], "one answer in two forms"


class Acknowledge(AbstractHandler):  # type: ignore[misc]
    def reply(self) -> str:
        """Accept what can be parsed."""
        taken, answer = parse_message(self.incoming_message), Message("ACK", version="2.5.1")
        answer.msh.msh_9, answer.msa.msa_1, answer.msa.msa_2 = "ACK", "AA", taken.msh.msh_10.value
        return str(answer.to_mllp())


def test_another_projects_receiver_accepts_hl7(client: ServiceClient, capture: bytes) -> None:
    server = MLLPServer("127.0.0.1", 0, {"ORU^R01^ORU_R01": (Acknowledge,)})
    server.daemon_threads = True
    message = client.hl7(read_instance(in_a_study(capture)))
    with listening(server):
        send_hl7(message, ("127.0.0.1", server.server_address[1]))


def test_service_with_keys_wants_one(tmp_path: Path, capture: bytes) -> None:
    registry, (key, line) = Registry(tmp_path / "models"), new_key("gateway")
    registry.promote(publish_readers(registry))
    (tmp_path / "keys").write_text(line)
    instance = read_instance(in_a_study(capture))
    with running(environment(tmp_path / "models", ECG_KEYS_FILE=str(tmp_path / "keys"))) as locked:
        with ServiceClient(str(locked.url), "wrong") as client, pytest.raises(UnreachableError, match="unauthorized"):
            client.classify(instance)
        with ServiceClient(str(locked.url), key) as client:
            assert isinstance(client.classify(instance), Answer)


@pytest.mark.parametrize("patient_id", ["", "Zoë", "x" * 65])
def test_result_without_patient_goes_to_dicom_only(client: ServiceClient, capture: bytes, patient_id: str) -> None:
    instance = read_instance(in_a_study(capture, PatientID=patient_id))
    results = results_of(instance, client, fhir=True, hl7=True)
    assert [kind for kind, _ in results] == ["dicom", "dicom"]


@pytest.mark.parametrize("kind", [kind for error, kind in KINDS.items() if issubclass(error, PreprocError)])
def test_refusal_of_the_ecg_is_a_result(capture: bytes, kind: Kind) -> None:
    with refusing(kind) as url, ServiceClient(url, None) as client:
        assert isinstance(client.classify(read_instance(in_a_study(capture))), Refusal)


@contextmanager
def refusing(kind: Kind) -> Iterator[str]:
    """Serve this refusal to every request."""
    problem = {"code": kind.code, "title": kind.title, "detail": "found", "remedy": "do"}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse(problem, kind.status)(scope, receive, send)

    server = uvicorn.Server(uvicorn.Config(answer, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def test_service_that_is_away_is_waited_for(capture: bytes) -> None:
    instance = read_instance(in_a_study(capture))
    with ServiceClient("http://127.0.0.1:1", None) as client, pytest.raises(UnreachableError):
        results_of(instance, client)


@pytest.mark.filterwarnings("ignore::UserWarning")  # highdicom quotes odd names; the gateway hears no warnings
@pytest.mark.parametrize("count", [30, pytest.param(5000, marks=pytest.mark.campaign)])
def test_mutated_objects_get_a_result(client: ServiceClient, capture: bytes, count: int) -> None:
    chance, read = np.random.default_rng(count), 0
    for _ in range(count):
        data = in_a_study(capture)
        within = HEAD_BYTES if chance.random() < 0.8 else len(data)
        try:
            instance = read_instance(damaged(data, within, chance))
        except UnusableInstanceError:
            continue
        read += 1
        assert [kind for kind, _ in results_of(instance, client)] == ["dicom", "dicom"]
    assert count // 10 < read <= count


def run_folder(service: Process, *arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    given = {"ECG_GATEWAY_SERVICE_URL": str(service.url), **variables}
    command = [sys.executable, "-m", "gateway", "folder", *map(str, arguments)]
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | given, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )


def test_folder_gives_each_ecg_two_results(service: Process, tmp_path: Path, ecg_file: Callable[..., Path]) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    study = dcmread(ecg_file()).StudyInstanceUID
    ecg_file(StudyInstanceUID=study).rename(tmp_path / "in" / f"series#{CANARY_NAME}.dcm")
    (tmp_path / "in" / "task.json").write_text("{}")
    (tmp_path / "in" / "page.jpg").write_bytes(page_jpeg())
    ecg_file(SOPClassUID="1.2.840.10008.5.1.4.1.1.2").rename(tmp_path / "in" / "ct.dcm")
    folders = (tmp_path / "in", tmp_path / "out")
    variables = dict(zip(("MERCURE_IN_DIR", "MERCURE_OUT_DIR"), map(str, folders), strict=True))
    done = run_folder(service, **variables)
    assert done.returncode == 0, done.stderr
    assert CANARY_NAME not in done.stderr
    results = {dcmread(path).Modality: dcmread(path) for path in (tmp_path / "out").iterdir()}
    assert results.keys() == {"SR", "OT"}
    assert {result.StudyInstanceUID for result in results.values()} == {study}
    assert answer_of(results["SR"])["findings"] == ["164854000 SCT"]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert run_folder(service, *folders).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


def test_folder_tells_which_files_failed(service: Process, tmp_path: Path, ecg_file: Callable[..., Path]) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    ecg_file(StudyInstanceUID="").rename(tmp_path / "in" / "a.dcm")
    ecg_file().rename(tmp_path / "in" / "b.dcm")
    done = run_folder(service, tmp_path / "in", tmp_path / "out")
    assert done.returncode == 1
    assert "no usable StudyInstanceUID" in done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_folder_that_is_missing_is_named(service: Process, tmp_path: Path) -> None:
    done = run_folder(service, tmp_path / "nowhere", tmp_path)
    assert done.returncode == 2
    assert "IN and OUT must be folders" in done.stderr
