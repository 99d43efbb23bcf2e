"""The service as a process: how it starts, refuses to start, keeps its memory, and stops."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import onnxruntime as ort
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.errors import StartupError
from service.http import check_uvicorn
from tests.conftest import REPOSITORY
from tests.factories import page_jpeg
from tests.service.process import Process, environment, failed_start, running
from tests.service.serving import file_form, problem, wait_until

MIB = 2**20
UPLOAD_BYTES = 200 * 10**6

WITHOUT_TRAINING_STACK = """
import runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"tensorflow", "keras", "tf2onnx", "skimage", "scipy", "sklearn", "trainer"}:
            raise ModuleNotFoundError(f"{name} is not for serving")

sys.meta_path.insert(0, Refuse())
sys.argv = ["service"]
runpy.run_module("service", run_name="__main__", alter_sys=True)
"""

READING_NO_ENVIRONMENT = """
import os

class Watched(dict):
    def _refuse(self, name):
        assert not str(name).startswith("ECG_"), f"{name} is read at import"
    def __getitem__(self, name):
        self._refuse(name)
        return super().__getitem__(name)
    def __contains__(self, name):
        self._refuse(name)
        return super().__contains__(name)
    def get(self, name, default=None):
        self._refuse(name)
        return super().get(name, default)

real, os.environ = os.environ, Watched(os.environ)
os.environ["ECG_PORT"] = "nonsense"
import service.app, service.server, service.__main__
try:
    service.settings.Settings()
except Exception:
    raise SystemExit(0)
raise SystemExit("the watch sees nothing")
"""


@pytest.fixture(scope="module")
def process(models_dir: Path) -> Iterator[Process]:
    with running(environment(models_dir, ECG_LOG_LEVEL="debug")) as process:
        yield process


def test_it_answers(process: Process) -> None:
    answer = process.client.post("/classify", **file_form(page_jpeg()))
    assert answer.json()["model"]["name"] == "tiny"


def pieces_of(size: int) -> Iterator[bytes]:
    piece = bytes(10**6)
    for _ in range(size // len(piece)):
        yield piece


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": str(UPLOAD_BYTES)},
        pytest.param({"Transfer-Encoding": "chunked"}, marks=pytest.mark.campaign),
        {"Transfer-Encoding": "chunked", "Content-Type": "multipart/form-data; boundary=b"},
    ],
)
def test_an_upload_of_200_mb_costs_no_memory(headers: dict[str, str], models_dir: Path) -> None:
    with running(environment(models_dir, ECG_MAX_BODY_BYTES=str(2 * MIB))) as process:
        assert process.client.post("/classify", content=page_jpeg()).is_success
        before = process.memory_bytes("VmRSS")
        multipart = "Content-Type" in headers
        start = [b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'] if multipart else []
        body = (piece for pieces in (start, pieces_of(UPLOAD_BYTES)) for piece in pieces)
        problem(process.client.post("/classify", content=body, headers=headers), 413, "body_too_large")
        assert process.memory_bytes("VmHWM") - before < 8 * MIB
        assert process.client.post("/classify", content=page_jpeg()).is_success


def test_the_log_tells_nothing_of_the_sender(process: Process) -> None:
    client = process.client
    client.post("/classify?model=JaneDoe", **file_form(page_jpeg()))
    client.post("/classify?patient=JaneDoe", **file_form(page_jpeg()))
    client.post("/classify", **file_form(b"JaneDoe"))
    client.post("/classify", content=b"JaneDoe", headers={"Content-Type": "multipart/form-data; boundary=JaneDoe"})
    last = client.get("/JaneDoe?patient=JaneDoe", headers={"X-Request-ID": "Jane Doe", "X-Patient": "JaneDoe"})
    client.request("JANEDOE", "/health")
    wait_until(lambda: last.headers["x-request-id"] in process.log)
    assert not re.search("Jane|Doe", process.log, re.IGNORECASE)
    assert all(re.match(r"time=\S+ level=\w+ logger=\S+ event=", line) for line in process.log.splitlines())


def test_the_server_does_not_introduce_itself(process: Process) -> None:
    assert "server" not in process.client.get("/health").headers


def test_websocket_request_logs_no_advice(process: Process) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    response = process.client.get("/health", headers=upgrade)
    assert response.is_success
    wait_until(lambda: response.headers["x-request-id"] in process.log)
    assert "pip install" not in process.log


def test_a_misspelt_setting_is_named_in_the_log(models_dir: Path) -> None:
    with running(environment(models_dir, ECG_MAX_BODY="1", ECG_SHARED_DIR="/nowhere")) as process:
        assert "level=warning logger=__main__ event=unknown_settings ignored=ECG_MAX_BODY\n" in process.log


def test_it_needs_nothing_of_the_training_stack(models_dir: Path) -> None:
    with running(environment(models_dir), ("-c", WITHOUT_TRAINING_STACK)) as process:
        assert process.client.post("/classify", content=page_jpeg()).is_success


def test_installed_uvloop_changes_nothing(models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "uvloop.py").write_text("def new_event_loop():\n    raise AssertionError('uvloop was taken')\n")
    with running(environment(models_dir, PYTHONPATH=str(tmp_path))) as process:
        assert process.client.post("/classify", content=page_jpeg()).is_success


def test_importing_it_reads_no_setting() -> None:
    subprocess.run([sys.executable, "-c", READING_NO_ENVIRONMENT], check=True, cwd=REPOSITORY)


def test_unfit_uvicorn_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    check_uvicorn()
    monkeypatch.delattr(H11Protocol, "send_400_response")
    with pytest.raises(StartupError, match=r"uvicorn \S+ lacks send_400_response\. Install"):
        check_uvicorn()


def test_sigterm_while_idle(models_dir: Path) -> None:
    with running(environment(models_dir)) as process:
        process.terminate()
        assert process.wait() == -signal.SIGTERM


def test_sigterm_with_a_body_that_never_ends(models_dir: Path) -> None:
    with running(environment(models_dir, ECG_SHUTDOWN_GRACE_S="1")) as process:
        with socket.create_connection((process.url.host, process.url.port or 0)) as connection:
            connection.sendall(b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf")
            time.sleep(0.2)
            started = time.monotonic()
            process.terminate()
            assert process.wait() == -signal.SIGTERM
        assert 1 <= time.monotonic() - started < 10


def test_draining(models_dir: Path) -> None:
    with running(environment(models_dir, ECG_DRAIN_DELAY_S="2")) as process:
        process.terminate()
        wait_until(lambda: process.client.get("/health").status_code != 200)
        reason = problem(process.client.get("/health/ready"), 503, "not_ready")["found"]
        assert reason == "the service is draining before it stops"
        assert process.client.get("/health/live").is_success
        assert process.client.post("/classify", content=page_jpeg()).is_success
        assert process.wait() == -signal.SIGTERM
        with pytest.raises(httpx.TransportError):
            process.client.get("/health/live")


def test_a_service_without_models_stays_up_and_says_so(tmp_path: Path) -> None:
    with running(environment(tmp_path), until_ready=False) as process:
        wait_until(lambda: "event=not_ready" in process.log)
        problem(process.client.get("/health"), 503, "not_ready")
        assert 'reason="the default model cannot be loaded: There is no bundle or alias production' in process.log


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="CUDA may work here")
def test_cuda_that_is_demanded_and_missing_stops_the_start(models_dir: Path) -> None:
    failed = failed_start(environment(models_dir, ECG_PROVIDER="cuda"))
    assert failed.returncode == 2
    assert failed.stderr.startswith("The service cannot start: ECG_PROVIDER is cuda")
    assert "Traceback" not in failed.stderr


def test_a_setting_that_makes_no_sense_stops_the_start(models_dir: Path) -> None:
    failed = failed_start(environment(models_dir, ECG_PORT="tcp://10.0.0.1:80"))
    assert failed.returncode == 2
    assert failed.stderr.startswith("The service cannot start: ECG_PORT: ")
    assert "Traceback" not in failed.stderr


def test_both_runtime_packages_stop_the_start(models_dir: Path, tmp_path: Path) -> None:
    for name in ("onnxruntime", "onnxruntime_gpu"):
        folder = tmp_path / f"{name}-1.31.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.31.0\n")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    failed = failed_start(environment(models_dir, PYTHONPATH=paths))
    assert failed.returncode == 2
    assert "onnxruntime and onnxruntime-gpu are both installed" in failed.stderr


def test_two_processes_do_not_share_an_audit(models_dir: Path, tmp_path: Path) -> None:
    with running(environment(models_dir, ECG_AUDIT_DIR=str(tmp_path))):
        failed = failed_start(environment(models_dir, ECG_AUDIT_DIR=str(tmp_path)))
    assert failed.returncode == 2
    assert failed.stderr.startswith("The service cannot start: ECG_AUDIT_DIR is another process's")


def test_a_log_for_programs(models_dir: Path) -> None:
    with running(environment(models_dir, ECG_LOG_FORMAT="json")) as process:
        request_id = process.client.get("/nowhere").headers["x-request-id"]
        wait_until(lambda: request_id in process.log)
        lines = [json.loads(line) for line in process.log.splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == request_id]
    assert (line["event"], line["route"], line["status"]) == ("request", "none", 404)
    assert all({"time", "level", "logger", "event"} <= line.keys() for line in lines)


def test_help_lists_the_settings() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "service", "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "ECG_MAX_BODY_BYTES" in told.stdout


def test_taken_port_is_named_with_its_setting(models_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        failed = failed_start(environment(models_dir, ECG_PORT=str(taken.getsockname()[1])))
    assert failed.returncode == 2
    assert "set another ECG_PORT" in failed.stderr
    assert "Traceback" not in failed.stderr
