"""Nothing calls home: no connection to the outside, no file in the home folder.

ONNX Runtime sends telemetry unless it is told not to, and hides that where a CI system's variables are set; the
programs here see none of them. It honours ``HTTPS_PROXY``, so a proxy of the test sees each attempt.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import REPOSITORY
from tests.factories import page_jpeg
from tests.service.process import running
from tests.service.serving import wait_until

MODELS = REPOSITORY / "models"
GRAPH = next(MODELS.glob("fusion/*/model.onnx"))
SESSION = f"onnxruntime.InferenceSession({str(GRAPH)!r}); print('open', flush=True); input()"


class Proxy(Thread):
    """Notes the first line that each client sends."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(daemon=True)
        self._listener = listener
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.asked: list[bytes] = []

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            with connection:
                self.asked.append(connection.recv(4096).partition(b"\r\n")[0])


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(listener)
        proxy.start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
    proxy.join()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def bare_environment(home: Path, proxy: Proxy, **settings: str) -> dict[str, str]:
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "HTTPS_PROXY": proxy.url, "https_proxy": proxy.url, **settings}


@contextmanager
def session_open(imports: str, environment: dict[str, str]) -> Iterator[None]:
    """A process that has opened a graph and waits."""
    command = [sys.executable, "-c", f"import {imports}, onnxruntime; {SESSION}"]
    with subprocess.Popen(
        command, env=environment, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"open\n"
        try:
            yield
        finally:
            process.kill()


def check_silence(home: Path, proxy: Proxy, watch_s: float) -> None:
    time.sleep(watch_s)
    assert not proxy.asked
    assert not list(home.rglob("*"))


def check_service(home: Path, proxy: Proxy, watch_s: float) -> None:
    with running(bare_environment(home, proxy, ECG_PORT="0", ECG_MODELS_DIR=str(MODELS))) as process:
        assert process.client.post("/classify", files={"file": page_jpeg()}).is_success
        check_silence(home, proxy, watch_s)


def check_trainer(home: Path, proxy: Proxy, watch_s: float) -> None:
    with session_open("trainer.session", bare_environment(home, proxy)):
        check_silence(home, proxy, watch_s)


CHECKS = pytest.mark.parametrize("check", [check_service, check_trainer])


@CHECKS
def test_nothing_calls_home(check: Callable[[Path, Proxy, float], None], home: Path, proxy: Proxy) -> None:
    check(home, proxy, 0.5)


@pytest.mark.campaign
@CHECKS
def test_nothing_calls_home_in_a_minute(check: Callable[[Path, Proxy, float], None], home: Path, proxy: Proxy) -> None:
    check(home, proxy, 60.0)


def test_bare_runtime_writes_home(home: Path, proxy: Proxy) -> None:
    """The check above can fail: here is what it looks for."""
    with session_open("os", bare_environment(home, proxy)):
        wait_until(lambda: any(home.rglob("*")))


@pytest.mark.campaign
def test_bare_runtime_calls_home(home: Path, proxy: Proxy) -> None:
    with session_open("os", bare_environment(home, proxy)):
        wait_until(lambda: any(b"mobile.events.data.microsoft.com" in line for line in proxy.asked))
